"""The two logs an event must be in: its owner's feed and its Kafka topic, read as any outsider would read them."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Owner, topic_of
from tests.portal import Portal

TOPIC_S = 60.0

Members = dict[str, Any]


def feed(portal: Portal, owner: Owner = Owner.PLANS, after: int = 0) -> list[Members]:
    """Every event of an owner's log after a position. Raises AssertionError when the feed is not whole."""
    answer = portal.http.get(
        f"{portal.url(owner)}/events",
        params={"after": after},
        headers={"Authorization": f"Bearer {portal.auditor()}"},
    )
    assert answer.status_code == 200, answer.text
    *events, end = map(json.loads, answer.text.splitlines())
    assert end["end"]
    return events


def head(portal: Portal, owner: Owner = Owner.PLANS) -> int:
    answer = portal.http.get(
        f"{portal.url(owner)}/events/head", headers={"Authorization": f"Bearer {portal.auditor()}"}
    )
    position: int = answer.json()["position"]
    return position


async def topic(portal: Portal, owner: Owner = Owner.PLANS, until: Collection[int] | None = None) -> list[Members]:
    """Every record of an owner's topic, partition by partition, once the topic holds the events at `until` (the feed's
    last when left out): {partition, offset, key, headers, position, value}."""
    last = [event["position"] for event in feed(portal, owner)[-1:]]
    wanted, deadline = {*(last if until is None else until)}, time.monotonic() + TOPIC_S
    while True:
        records = await _topic_now(portal, topic_of(owner))
        if wanted <= {record["position"] for record in records}:
            return records
        found = {record["partition"]: record["position"] for record in records}
        assert time.monotonic() < deadline, f"{owner} has {wanted}, its topic at {found}: {relay_says(portal, owner)}"
        await asyncio.sleep(0.1)


def relay_says(portal: Portal, owner: Owner) -> list[str]:
    """What the owner's relay tells in its metrics, for a message that helps."""
    metrics = portal.http.get(f"{portal.url(owner)}/metrics").text
    return [line for line in metrics.splitlines() if line.startswith("billing_relay")]


async def _topic_now(portal: Portal, name: str) -> list[Members]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=portal.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=5
    )
    try:
        await consumer.start()
        partitions = [TopicPartition(name, number) for number in range(4)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[Members] = []
        for partition, end in ends.items():
            consumer.seek(partition, 0)
            while await consumer.position(partition) < end:
                read = (await consumer.getmany(partition, timeout_ms=1000)).get(partition)
                if not read:  # an end without records: the broker has just lost them
                    return []
                records += map(_record, read)
        return records
    except KafkaError:  # just killed, or the topic is being made anew
        return []
    finally:
        await consumer.stop()


def _record(record: Any) -> Members:
    headers = {name: value.decode() for name, value in record.headers}
    return {
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.decode(),
        "headers": headers,
        "position": int(headers["ce_position"]),
        "value": record.value,
    }


def per_partition(records: Iterable[Members]) -> dict[int, list[Members]]:
    found = defaultdict(list)
    for record in records:
        found[record["partition"]].append(record)
    return found


def live_rows(portal: Portal, table: str) -> list[tuple[str, str, int, bytes | None]]:
    """The rows of a read model as the running gateway has them."""
    return portal.read_models(f"SELECT key, account_id, position, data FROM {table} ORDER BY key")


def checkpoints(portal: Portal, owner: Owner) -> dict[int, int]:
    """How far the gateway has applied an owner's log, by partition."""
    return dict(portal.read_models(f"SELECT partition, position FROM checkpoints WHERE owner = '{owner}'"))
