"""The relay on a real broker: everything in order, nothing left out, whatever is killed, lost or away."""
# ruff: noqa: ASYNC220, ASYNC240

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import DefaultPartitioner
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from contracts.envelope import from_kafka, kafka_headers, opened
from contracts.topics import Owner, topic_of
from services.chassis import kafka
from services.chassis.event_store import MAX_EVENT_BYTES, NO_STREAM
from services.chassis.memory_store import MemoryEventStore
from services.chassis.relay import Relay
from services.chassis.running import running
from services.chassis.sqlite_store import SqliteEventStore
from tests.engines import Broker, Tansu, records_in, until

from .accounts import ACCOUNTS, PARTITIONS, by_partition, event, happens

TOPIC = topic_of(Owner.PLANS)
ROOT = Path(__file__).parents[2]

Partitions = list[list["ConsumerRecord[bytes, bytes]"]]


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
def frontier(tmp_path: Path) -> Path:
    return tmp_path / "plans.frontier"


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator[Relay]:
    async with running(relay.run()):
        yield relay


async def published(broker: Broker, partitions: int = PARTITIONS) -> Partitions:
    return await records_in(broker.bootstrap, TOPIC, partitions)


def positions(records: Sequence["ConsumerRecord[bytes, bytes]"]) -> list[tuple[int, int]]:
    """Position and prevposition of each."""
    read = [from_kafka(record.headers, record.value or b"") for record in records]
    return [(envelope.position, prevposition) for envelope, prevposition in read]


def without_repetitions(records: Sequence["ConsumerRecord[bytes, bytes]"]) -> list[tuple[int, int]]:
    """As a reader sees it who drops what is at or before the last position."""
    fresh: list[tuple[int, int]] = []
    for position, prevposition in positions(records):
        if not fresh or position > fresh[-1][0]:
            fresh.append((position, prevposition))
    return fresh


async def assert_nothing_was_left_out(
    store: MemoryEventStore | SqliteEventStore, broker: Broker, partitions: int = PARTITIONS
) -> None:
    for records, log in zip(await published(broker, partitions), await by_partition(store, partitions), strict=True):
        fresh = without_repetitions(records)
        assert [position for position, _ in fresh] == [record.position for record in log]
        # `prevposition` may be later than the event before (a restart says: up to the frontier), but never earlier.
        before = [0, *(record.position for record in log)]
        assert all(last <= prev < position for last, (position, prev) in zip(before, fresh, strict=False))


async def test_every_event_is_published_in_order_and_names_the_one_before(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    head = await happens(store, 700)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
        head = await happens(store, 700, seed=2)  # now live
        await until(lambda: relay.published == head)
    for records, log in zip(await published(broker), await by_partition(store), strict=True):
        found = [record.position for record in log]
        assert positions(records) == list(zip(found, [0, *found], strict=False))
        assert [record.value for record in records] == [record.data for record in log]


async def test_messages_are_cloudevents_in_binary_mode_with_the_documented_headers(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    await store.append("plan-1", [event("account-1")], NO_STREAM)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == 1)
    ((message,),) = filter(None, await published(broker))
    assert message.key is not None
    assert message.value is not None
    oracle = from_binary_event(KafkaMessage(dict(message.headers), message.key, message.value))
    (record,) = await store.read_stream("plan-1")
    assert (oracle.get_id(), oracle.get_type(), oracle.get_source()) == (record.event_id, record.type, "/billing/plans")
    assert (oracle.get_subject(), oracle.get_datacontenttype()) == ("plan-1", "application/json")
    assert oracle.get_time() == datetime(2026, 6, 11, 10, tzinfo=UTC)
    assert oracle.get_data() == {"bundle_id": "1", "assignee": "ann"}
    extensions = ("partitionkey", "revision", "position", "prevposition", "dataversion", "correlationid", "actorid")
    assert [oracle.get_extension(name) for name in extensions] == [
        *("account-1", "0", "1", "0", "1"),
        *("correlation", "user-1"),
    ]
    assert oracle.get_extension("traceparent").startswith("00-")
    assert from_kafka(message.headers, message.value)[0] == opened(record)


async def test_an_account_is_the_key_and_lies_where_every_client_would_put_it(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    head = await happens(store, 200)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
    numbers, keys = list(range(PARTITIONS)), set()
    for number, records in enumerate(await published(broker)):
        for record in records:
            assert number == DefaultPartitioner()(record.key, numbers, numbers)
            assert record.key == dict(record.headers)["ce_partitionkey"]
            keys.add(record.key)
    assert keys == {account.encode() for account in ACCOUNTS}


@pytest.mark.parametrize("kept", ["kept", "stale", "lost"])
async def test_a_relay_cancelled_at_any_point_goes_on_without_leaving_anything_out(
    store: MemoryEventStore, broker: Broker, frontier: Path, kept: str
) -> None:
    chance = random.Random(kept)
    load = asyncio.create_task(happens(store, 6000))
    stale = "0"
    for turn in range(8):
        async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
            goal = relay.published + chance.randint(1, 700)
            await until(lambda relay=relay, goal=goal: relay.published >= min(goal, 6000))  # type: ignore[misc]
            await asyncio.sleep(chance.random() / 100)  # anywhere within a chunk
        if turn == 2:
            stale = frontier.read_text()
        if kept == "lost":
            frontier.unlink()
        elif kept == "stale":
            frontier.write_text(stale)
    head = await load
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
    await assert_nothing_was_left_out(store, broker)


async def test_a_relay_killed_at_any_point_goes_on_without_leaving_anything_out(
    broker: Broker, frontier: Path, tmp_path: Path
) -> None:
    chance, path = random.Random(7), tmp_path / "plans.sqlite3"
    store = await SqliteEventStore.open(path)
    try:
        load = asyncio.create_task(happens(store, 8000))
        arguments = [str(path), broker.bootstrap, str(frontier), str(PARTITIONS)]
        for _ in range(3):
            seen = frontier.read_text() if frontier.exists() else ""
            process = subprocess.Popen([sys.executable, "-m", "tests.chassis.relay_process", *arguments], cwd=ROOT)
            try:
                await until(lambda seen=seen: frontier.exists() and frontier.read_text() != seen)  # type: ignore[misc]
                await asyncio.sleep(chance.random() / 20)  # anywhere within a chunk
            finally:
                process.kill()
                process.wait()
        head = await load
        async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
            await until(lambda: relay.published == head)
        await assert_nothing_was_left_out(store, broker)
    finally:
        await store.close()


async def test_a_broker_that_lost_everything_in_mid_load_is_told_of_by_prevposition(
    store: MemoryEventStore, tansu: Tansu, frontier: Path
) -> None:
    await happens(store, 1000)
    async with relaying(Relay(Owner.PLANS, store, tansu.bootstrap, frontier, PARTITIONS, broker_forgets=True)) as relay:
        await until(lambda: relay.published == 1000)
        load = asyncio.create_task(happens(store, 3000, seed=2))
        await until(lambda: relay.published > 1500)
        tansu.kill()
        lost = relay.published
        await tansu.start()
        head = await load
        await until(lambda: relay.published == head)
    for records, log in zip(await published(tansu), await by_partition(store), strict=True):
        fresh = without_repetitions(records)
        first, before_first = fresh[0]
        assert before_first >= max(record.position for record in log if record.position < first)
        assert [p for p, _ in fresh] == [record.position for record in log if record.position >= first]
        assert first > min(lost, 1000)


async def test_an_empty_topic_goes_on_from_the_frontier(store: MemoryEventStore, tansu: Tansu, frontier: Path) -> None:
    head = await happens(store, 300)
    async with relaying(Relay(Owner.PLANS, store, tansu.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
    tansu.kill()
    await tansu.start()
    async with relaying(Relay(Owner.PLANS, store, tansu.bootstrap, frontier, PARTITIONS)) as relay:
        head = await happens(store, 300, seed=2)
        await until(lambda: relay.published == head)
    for records, log in zip(await published(tansu), await by_partition(store), strict=True):
        later = [record.position for record in log if record.position > 300]
        assert positions(records) == list(zip(later, [300, *later], strict=False))


async def test_an_empty_topic_without_a_frontier_gets_the_whole_log(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    frontier.write_text("not a number")
    head = await happens(store, 300)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
    await assert_nothing_was_left_out(store, broker)
    assert frontier.read_text() == "300"


async def test_a_relay_without_its_frontier_repeats_nothing_that_the_topic_holds(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    for turn in range(2):
        head = await happens(store, 600, seed=turn)
        frontier.unlink(missing_ok=True)
        async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
            await until(lambda head=head, relay=relay: relay.published == head)  # type: ignore[misc]
    for records, log in zip(await published(broker), await by_partition(store), strict=True):
        found = [record.position for record in log]
        assert positions(records) == list(zip(found, [0, *found], strict=False))


async def test_partitions_that_got_unequally_far_are_all_completed(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    """As a broker leaves them that fails between two partitions of one chunk."""
    head = await happens(store, 400)
    await kafka.ensure_topic(broker.bootstrap, TOPIC, PARTITIONS)
    async with kafka.sending(broker.bootstrap, TOPIC) as sender:
        for number, log in enumerate(await by_partition(store)):
            got = log[: len(log) * number // PARTITIONS]
            before = [0, *(record.position for record in got)]
            headers = [kafka_headers(record, "plans", prev) for record, prev in zip(got, before, strict=False)]
            await sender.send({number: [(b"key", r.data, h) for r, h in zip(got, headers, strict=True)]} if got else {})
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
    await assert_nothing_was_left_out(store, broker)
    assert sum(map(len, await published(broker))) == 400


async def test_a_topic_is_there_when_it_was_made(broker: Broker) -> None:
    """Apache Kafka's brokers hear of a topic a moment after it was made."""
    for number in range(20):
        await kafka.ensure_topic(broker.bootstrap, f"billing.{number}", PARTITIONS)


async def make_topic(broker: Broker, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, partitions, 1)])
    await admin.close()


async def test_a_topic_a_forgetful_broker_made_with_other_partitions_is_made_anew(
    store: MemoryEventStore, tansu: Tansu, frontier: Path
) -> None:
    head = await happens(store, 300)
    async with relaying(Relay(Owner.PLANS, store, tansu.bootstrap, frontier, 3, broker_forgets=True)) as relay:
        await until(lambda: relay.published == head)
        tansu.kill()
        await tansu.start()
        await make_topic(tansu, 1)
        head = await happens(store, 300, seed=2)
        await until(lambda: relay.published == head, timeout_s=40)
    found = await records_in(tansu.bootstrap, TOPIC, 3)
    assert all(found)
    for records, log in zip(found, await by_partition(store, 3), strict=True):
        assert [p for p, _ in without_repetitions(records)] == [r.position for r in log if r.position > 300]


async def test_a_topic_with_other_partitions_stops_the_relay_and_it_says_why(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    await make_topic(broker, PARTITIONS + 1)
    await happens(store, 10)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: "has 5 partitions, not 4" in relay.trouble)
        with pytest.raises(RuntimeError, match="has 5 partitions"):
            await relay.check()
    assert not any(await records_in(broker.bootstrap, TOPIC, PARTITIONS + 1))


async def test_the_topic_of_another_log_stops_the_relay_before_it_leaves_anything_out(
    store: MemoryEventStore, broker: Broker, frontier: Path, tmp_path: Path
) -> None:
    await happens(store, 100)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == 100)
    other = MemoryEventStore()
    await happens(other, 50)
    async with relaying(Relay(Owner.PLANS, other, broker.bootstrap, tmp_path / "other", PARTITIONS)) as relay:
        await until(lambda: relay.trouble.startswith("AheadOfLog"))
    assert sum(map(len, await published(broker))) == 100


@pytest.mark.parametrize("strangers", [1, 5])
async def test_records_that_are_not_ours_at_the_tail_hide_nothing_of_ours(
    store: MemoryEventStore, broker: Broker, frontier: Path, strangers: int
) -> None:
    await happens(store, 100)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == 100)
    async with kafka.sending(broker.bootstrap, TOPIC) as sender:
        for _ in range(strangers):
            await sender.send({number: [(b"key", b"{}", [("ce_position", b"x")])] for number in range(PARTITIONS)})
    frontier.unlink()
    await happens(store, 100)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == 200)
    records = [record for part in await published(broker) for record in part if record.value != b"{}"]
    positions = sorted(int(dict(record.headers)["ce_position"]) for record in records)
    assert positions == list(range(1, 201))


async def test_a_frontier_beyond_the_log_is_not_believed(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    frontier.write_text("999999")
    await happens(store, 100)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == 100)
    assert sum(map(len, await published(broker))) == 100


async def test_kafka_away_blocks_nobody_and_everything_is_published_later(
    store: MemoryEventStore, frontier: Path
) -> None:
    broker = Tansu()
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        head = await happens(store, 500)
        await until(lambda: relay.lag_positions() == head and relay.trouble and relay.lag_seconds())
        with pytest.raises(RuntimeError, match="500 positions wait for Kafka"):
            await relay.check()
        await broker.start()
        try:
            await until(lambda: relay.published == head)
            await relay.check()
            assert relay.lag_positions() == relay.lag_seconds() == 0
            await assert_nothing_was_left_out(store, broker)
        finally:
            broker.kill()


async def test_the_largest_events_a_store_takes_are_published(
    store: MemoryEventStore, broker: Broker, frontier: Path
) -> None:
    small = event("account-1")
    room = MAX_EVENT_BYTES - len(small.metadata) - len(b'{"x":""}')
    for number in range(12):
        await store.append(f"plan-{number}", [replace(small, data=b'{"x":"%b"}' % (b"x" * room))], NO_STREAM)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == 12)
    await assert_nothing_was_left_out(store, broker)


class Broken(MemoryEventStore):
    """Fails once, in a way nobody foresaw."""

    failed = False

    async def head(self) -> int:
        if not self.failed:
            self.failed = True
            raise ArithmeticError("unforeseen")
        return await super().head()


async def test_a_failure_nobody_foresaw_does_not_end_the_relay(broker: Broker, frontier: Path) -> None:
    store = Broken()
    head = await happens(store, 10)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)


async def test_a_chunk_that_ended_in_a_failure_is_published_before_the_failure_shows(
    broker: Broker, frontier: Path
) -> None:
    store = MemoryEventStore()
    head = await happens(store, 100)
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, frontier, PARTITIONS)) as relay:
        await until(lambda: relay.published == head)
        await store.close()
        await until(lambda: relay.trouble)
    assert frontier.read_text() == str(head)
