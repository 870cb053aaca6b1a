"""Consumes owners' topics into a sink: one `follower` per owner does the work, Kafka brings it news.

Offsets are committed only to spare reading again: the checkpoints, committed with the effects, decide.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import orjson
import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from contracts.envelope import from_kafka
from contracts.topics import Owner, topic_of

from . import kafka
from .follower import Follower, Read, pause
from .kafka_access import Address, security, servers
from .metrics import Metrics
from .running import running
from .sink import CannotApply, Feed, Parked, Sink

__all__ = ["CannotApply", "Consumer", "Feed", "Parked", "Sink", "consuming"]

BATCH_EVENTS = 500
# Latency against an idle portal's processor time: at 5 ms each of three processes would keep a tenth of a core busy.
BATCH_TIMEOUT_MS = 10  # FastStream waits this long for records, then sleeps as long
FETCH_WAIT_MS = 20  # the embedded broker sleeps this wait out; a real one answers as soon as there is something
STOP_S = 2.0

Records = tuple["ConsumerRecord[bytes, bytes]", ...]

log = structlog.get_logger(__name__)


class Consumer:
    """followers: by owner, with everything there is to know for readiness and metrics."""

    def __init__(
        self,
        sink: Sink,
        feeds: Mapping[Owner, Feed],
        bootstrap: Address,
        group_id: str,
        partitions: int,
        shared: bool = False,
    ) -> None:
        """group_id: one per sink; the replicas that share a sink share the group, and say that it is `shared`."""
        self._bootstrap = bootstrap
        self._group_id = group_id
        self.followers = {owner: Follower(owner, feed, sink, partitions, shared) for owner, feed in feeds.items()}

    async def run(self) -> None:
        """Follows every owner until cancelled."""
        for follower in self.followers.values():
            await follower.load()
        verifying = [follower.verify() for follower in self.followers.values()]
        async with running(self._follow_kafka(), *verifying) as tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # none ends, but by a mistake of ours
            for task in tasks:
                if task.done():
                    task.result()

    async def wait_for(self, owner: Owner, account_id: str, position: int, timeout_s: float) -> bool:
        """Whether everything of an account up to a position of an owner's log is applied, after waiting for it."""
        return await self.followers[owner].wait_for(account_id, position, timeout_s)

    async def catch_up(self) -> None:
        """As Follower.catch_up, of every owner."""
        for follower in self.followers.values():
            await follower.catch_up()

    async def replay_parked(self, owner: Owner, stream: str) -> int:
        """As Follower.replay."""
        return await self.followers[owner].replay(stream)

    async def check(self, owner: Owner) -> None:
        """A readiness check. Raises RuntimeError until the owner's log was once followed to its end."""
        follower = self.followers[owner]
        if not follower.caught_up:
            trouble = follower.trouble or f"{follower.lag_positions():,} positions to go"
            raise RuntimeError(f"not caught up with {owner}: {trouble}")

    async def _follow_kafka(self) -> None:
        failures = 0
        while True:
            broker = None
            try:
                # First, because Kafka makes a topic that a client asks for, with a number of partitions of its own.
                for owner, follower in self.followers.items():
                    await kafka.ensure_topic(self._bootstrap, topic_of(owner), len(follower.checkpoints))
                broker = self._broker()
                await broker.start()
                failures = 0
                await asyncio.Event().wait()
            except Exception as error:  # whatever a client library throws: the feeds go on meanwhile
                failures += 1
                log.warning("kafka_unavailable", reason=str(error))
            finally:
                if broker:
                    await kafka.stopped(broker.stop(), 2 * STOP_S)
            await pause(failures)

    def _broker(self) -> KafkaBroker:
        broker = KafkaBroker(
            servers(self._bootstrap),
            security=security(self._bootstrap),
            logger=logging.getLogger("faststream.kafka"),  # of what it meets while it consumes, nobody else hears
            graceful_timeout=STOP_S,
            allow_auto_create_topics=False,
            consumer_only=True,
        )
        for owner, follower in self.followers.items():
            subscriber = broker.subscriber(
                topic_of(owner),
                batch=True,
                group_id=f"{self._group_id}-{owner}",
                ack_policy=AckPolicy.MANUAL,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                max_records=BATCH_EVENTS,
                batch_timeout_ms=BATCH_TIMEOUT_MS,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                listener=_Reloading(follower),
                parser=_unparsed,
                decoder=_undecoded,
                no_reply=True,
            )
            subscriber(_handler(follower))
        return broker


class _Reloading(ConsumerRebalanceListener):  # type: ignore[misc]
    """Whoever had the partition before may have committed more to the sink than we know of."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        pass

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._follower.reload()


def _handler(follower: Follower) -> Callable[[KafkaMessage], Awaitable[None]]:
    async def handle(message: KafkaMessage) -> None:
        await follower.take(_read(follower, cast(Records, message.raw_message)))
        await message.ack()

    return handle


def _read(follower: Follower, records: Records) -> list[Read]:
    """Without those that are not ours: whatever is the owner's is in its feed."""
    ours: list[Read] = []
    for record in records:
        try:
            ours.append(from_kafka(record.headers, record.value or b"", orjson.loads))
        except (KeyError, ValueError, AttributeError):
            follower.foreign += 1
            log.warning("foreign_record", topic=record.topic, partition=record.partition, offset=record.offset)
    return ours


async def _unparsed(records: Records, original: Callable[[Records], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """FastStream's own reading of headers fails on one that is no text, and would end the subscription."""
    message = await original((replace(records[0], headers=()),))
    message.raw_message = records
    return message


async def _undecoded(_message: Any) -> None:
    """Bodies are decoded by `_read`, once."""


@asynccontextmanager
async def consuming(consumer: Consumer, metrics: Metrics) -> AsyncIterator[None]:
    """Runs the consumer meanwhile, and tells how far it is."""
    followers = consumer.followers.values()
    gauges: dict[tuple[str, str], Callable[[Follower], float]] = {
        (
            "billing_consumer_lag_positions",
            "Positions not yet applied: events of a log on SQLite, bytes on KurrentDB",
        ): Follower.lag_positions,
        ("billing_consumer_lag_seconds", "How old the read side is"): Follower.lag_seconds,
        ("billing_consumer_parked_streams", "Streams that wait for an event to be mended"): lambda each: len(
            each.parked_streams
        ),
        ("billing_consumer_repeated_events", "Events Kafka brought again"): lambda each: each.repeated,
        ("billing_consumer_holes", "Holes in Kafka, filled from the feed"): lambda each: each.holes,
        ("billing_consumer_foreign_records", "Kafka records that are not ours"): lambda each: each.foreign,
    }

    def per_owner(read: Callable[[Follower], float]) -> Callable[[], dict[tuple[str, ...], float]]:
        return lambda: {(each.owner,): read(each) for each in followers}

    for (name, meaning), read in gauges.items():
        metrics.gauge(name, meaning, per_owner(read), ("owner",))
    metrics.gauge(
        "billing_consumer_applied_events",
        "Events applied, by where they came from",
        lambda: {(each.owner, source): count for each in followers for source, count in each.applied.items()},
        ("owner", "source"),
    )
    async with running(consumer.run()):
        yield
