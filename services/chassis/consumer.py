"""Follows other owners' events: from Kafka as they come, from the owners' feeds wherever Kafka has a hole.

At least once on the wire, exactly once in effect: a sink commits effects and checkpoint together, and what lies at or
before the checkpoint is dropped. `prevposition` shows a hole at once; a quiet owner is looked up in its feed now and
then. So a broker that is away, or has lost everything, costs nothing but time.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

import orjson
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from contracts import codec
from contracts.envelope import Envelope, from_kafka
from contracts.topics import Owner, partition_of, topic_of

from .metrics import Metrics

BATCH_EVENTS = 500
BATCH_TIMEOUT_MS = 10  # FastStream waits this long for records, then sleeps as long
FETCH_WAIT_MS = 20  # the embedded broker sleeps this wait out; at 5 an idle portal would burn a third of a core
POISON_TRIES = 3
MAX_PAUSE_S = 5.0
QUIET_S = 1.0  # without news for this long, the owner's feed is asked
VERIFY_EVERY_S = 10.0  # and this often when there is news: a hole at the end of one busy topic's quiet partition

log = structlog.get_logger(__name__)


class CannotApply(Exception):
    """A sink cannot take in this very event, now or later. Nothing was committed; the cause is chained."""

    def __init__(self, envelope: Envelope) -> None:
        super().__init__(f"{envelope.type} at position {envelope.position}")
        self.envelope = envelope


@dataclass(frozen=True, slots=True)
class Parked:
    """An event set aside, with every later one of its stream, until somebody has mended what stands against it."""

    envelope: Envelope
    reason: str


class Sink(Protocol):
    """Where effects, checkpoints and parked events are committed together."""

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        """Partition → position up to which everything is applied."""
        ...

    async def parked_streams(self, owner: Owner) -> set[str]: ...

    async def apply(
        self, owner: Owner, events: Sequence[Envelope], checkpoints: Mapping[int, int], parked: Sequence[Parked]
    ) -> None:
        """All of it in one transaction. Raises CannotApply; anything else is a machine's failure, to be retried."""
        ...


class Feed(Protocol):
    """An owner's log: chassis.feed.FeedClient."""

    def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Envelope]]: ...

    async def head(self) -> int: ...


@dataclass(slots=True)
class Progress:
    """What is known of one owner. checkpoints: by partition. trouble: why it stands still; caught_up: it once did."""

    feed: Feed
    checkpoints: dict[int, int] = field(default_factory=dict)
    parked_streams: set[str] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    head: int = 0
    news_at_s: float = 0.0
    verified_at_s: float = 0.0
    last_recorded_at: str = ""
    caught_up: bool = False
    trouble: str = ""
    applied: dict[str, int] = field(default_factory=lambda: {"kafka": 0, "feed": 0})
    repeated: int = 0
    holes: int = 0
    foreign: int = 0


class Consumer:
    """Runs one follower per owner. progress: by owner, for readiness and metrics."""

    def __init__(self, sink: Sink, feeds: Mapping[Owner, Feed], bootstrap: str, group_id: str, partitions: int) -> None:
        """group_id: one per sink; the replicas that share a sink share the group."""
        self._sink = sink
        self._bootstrap = bootstrap
        self._group_id = group_id
        self._partitions = partitions
        self.progress = {owner: Progress(feed) for owner, feed in feeds.items()}

    async def run(self) -> None:
        """Follows every owner until cancelled."""
        for owner, progress in self.progress.items():
            stored = await self._sink.checkpoints(owner)
            progress.checkpoints = {number: stored.get(number, 0) for number in range(self._partitions)}
            progress.parked_streams = await self._sink.parked_streams(owner)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_kafka())
            for owner in self.progress:
                tasks.create_task(self._verify(owner))

    async def wait_for(self, owner: Owner, account_id: str, position: int, timeout_s: float) -> bool:
        """Whether everything of an account up to a position of an owner's log is applied, after waiting for it."""
        progress, partition = self.progress[owner], partition_of(account_id, self._partitions)
        if progress.checkpoints.get(partition, 0) >= position:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), progress.moved:
                await progress.moved.wait_for(lambda: progress.checkpoints.get(partition, 0) >= position)
        return progress.checkpoints.get(partition, 0) >= position

    def lag_events(self, owner: Owner) -> int:
        progress = self.progress[owner]
        return max(0, progress.head - max(progress.checkpoints.values(), default=0))

    def lag_seconds(self, owner: Owner) -> float:
        """The age of the newest event applied, while newer ones are known; else 0."""
        newest = self.progress[owner].last_recorded_at
        if not newest or not self.lag_events(owner):
            return 0.0
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(newest)).total_seconds())

    async def check(self, owner: Owner) -> None:
        """A readiness check. Raises RuntimeError until the owner's log was once followed to its end."""
        progress = self.progress[owner]
        if not progress.caught_up:
            raise RuntimeError(f"not caught up with {owner}: {progress.trouble or 'reading its feed'}")

    # Kafka

    async def _follow_kafka(self) -> None:
        failures = 0
        while True:
            broker = self._broker()
            try:
                await broker.start()
                await asyncio.Event().wait()
            except (KafkaError, OSError) as error:
                failures += 1
                log.warning("kafka_unavailable", reason=str(error))
                await _pause(failures)
            finally:
                with suppress(KafkaError, OSError):
                    await broker.stop()

    def _broker(self) -> KafkaBroker:
        broker = KafkaBroker(self._bootstrap, logger=None, graceful_timeout=2.0, allow_auto_create_topics=False)
        for owner in self.progress:
            subscriber = broker.subscriber(
                topic_of(owner),
                batch=True,
                group_id=f"{self._group_id}-{owner}",
                ack_policy=AckPolicy.MANUAL,
                auto_offset_reset="earliest",
                max_records=BATCH_EVENTS,
                batch_timeout_ms=BATCH_TIMEOUT_MS,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                decoder=_undecoded,
                no_reply=True,
            )
            subscriber(self._handler(owner))
        return broker

    def _handler(self, owner: Owner) -> Callable[[KafkaMessage], Awaitable[None]]:
        async def handle(message: KafkaMessage) -> None:
            records = message.raw_message
            await self._take(owner, records if isinstance(records, tuple) else (records,))
            await message.ack()  # only saves reading again: the checkpoint decides

        return handle

    async def _take(self, owner: Owner, records: Sequence["ConsumerRecord[bytes, bytes]"]) -> None:
        """Applies Kafka records, and what the feed has between them. Returns when it is committed."""
        progress = self.progress[owner]
        async with progress.lock:
            events: list[Envelope] = []
            marks: dict[int, int] = {}
            for record in records:
                read = _read(record)
                if read is None:
                    progress.foreign += 1
                    log.warning("foreign_record", topic=record.topic, offset=record.offset)
                    continue
                event, prevposition = read
                partition = partition_of(event.account_id, self._partitions)
                reached = marks.get(partition, progress.checkpoints[partition])
                if event.position <= reached:
                    progress.repeated += 1
                elif prevposition > reached:
                    progress.holes += 1
                    await self._apply(owner, events, marks, "kafka")
                    events, marks = [], {}
                    await self._fill(owner, event.position)
                else:
                    events.append(event)
                    marks[partition] = event.position
            await self._apply(owner, events, marks, "kafka")

    # The feed

    async def _verify(self, owner: Owner) -> None:
        """Once at the start and then whenever the owner is quiet: whatever its feed has and we have not."""
        progress, failures = self.progress[owner], 0
        while True:
            try:
                progress.head = await progress.feed.head()
                async with progress.lock:
                    if progress.head > min(progress.checkpoints.values()):
                        await self._fill_once(owner, progress.head)
                progress.caught_up, progress.trouble, failures = True, "", 0
            except Exception as error:  # the owner is away: Kafka may still have its events
                failures += 1
                progress.trouble = str(error) or type(error).__name__
                log.warning("feed_unavailable", owner=owner, reason=progress.trouble)
                await _pause(failures)
                continue
            progress.verified_at_s = monotonic()
            await self._until_time_to_verify(progress)

    async def _until_time_to_verify(self, progress: Progress) -> None:
        """News puts it off, but not for ever."""
        while True:
            now_s = monotonic()
            since_news_s, since_verified_s = now_s - progress.news_at_s, now_s - progress.verified_at_s
            pause_s = min(VERIFY_EVERY_S - since_verified_s, QUIET_S - min(since_news_s, since_verified_s))
            if pause_s <= 0:
                return
            await asyncio.sleep(pause_s)

    async def _fill(self, owner: Owner, until: int) -> None:
        """Applies the feed up to a position, however long its owner takes to answer. The lock is held."""
        failures = 0
        while min(self.progress[owner].checkpoints.values()) < until:
            try:
                await self._fill_once(owner, until)
            except Exception as error:  # nothing may be skipped, so nothing else can be done
                failures += 1
                self.progress[owner].trouble = str(error) or type(error).__name__
                log.warning("hole_not_filled", owner=owner, until=until, reason=self.progress[owner].trouble)
                await _pause(failures)

    async def _fill_once(self, owner: Owner, until: int) -> None:
        progress = self.progress[owner]
        async for read in progress.feed.read(min(progress.checkpoints.values()), until):
            events = [
                event
                for event in map(_current, read)
                if event.position > progress.checkpoints[partition_of(event.account_id, self._partitions)]
            ]
            await self._apply(owner, events, self._everywhere(progress, read[-1].position), "feed")
        await self._apply(owner, [], self._everywhere(progress, until), "feed")

    def _everywhere(self, progress: Progress, position: int) -> dict[int, int]:
        return {number: position for number, reached in progress.checkpoints.items() if reached < position}

    # The sink

    async def _apply(self, owner: Owner, events: list[Envelope], marks: dict[int, int], source: str) -> None:
        """Commits events and checkpoints, however long the machine takes; parks what cannot be applied."""
        if not marks:
            return
        progress, failures = self.progress[owner], 0
        waiting = [event for event in events if event.stream in progress.parked_streams]
        parked = [Parked(event, "its stream waits for an earlier event") for event in waiting]
        events = [event for event in events if event.stream not in progress.parked_streams]
        while True:
            try:
                await self._sink.apply(owner, events, marks, parked)
                break
            except CannotApply as poison:
                failures += 1
                if failures >= POISON_TRIES:
                    events, parked, failures = *_set_aside(events, parked, poison), 0
                    progress.parked_streams.add(poison.envelope.stream)
                    log.error("stream_parked", owner=owner, stream=poison.envelope.stream, exc_info=poison)
                    continue
            except Exception as error:
                failures += 1
                progress.trouble = f"cannot commit: {error or type(error).__name__}"
                log.warning("sink_unavailable", owner=owner, reason=progress.trouble)
            await _pause(failures)
        await self._moved(progress, events, marks, source)

    async def _moved(
        self, progress: Progress, events: Sequence[Envelope], marks: Mapping[int, int], source: str
    ) -> None:
        async with progress.moved:
            progress.checkpoints.update(marks)
            progress.moved.notify_all()
        progress.head = max(progress.head, *marks.values())
        progress.trouble = ""
        if events:
            progress.applied[source] += len(events)
            progress.news_at_s = monotonic()
            progress.last_recorded_at = events[-1].metadata["recorded_at"]


@asynccontextmanager
async def consuming(consumer: Consumer, metrics: Metrics) -> AsyncIterator[None]:
    """Runs the consumer meanwhile, and tells how far it is."""
    owners = consumer.progress

    def per_owner(read: Callable[[Owner], float]) -> dict[tuple[str, ...], float]:
        return {(owner,): read(owner) for owner in owners}

    metrics.gauge(
        "billing_consumer_lag_events", "Events not yet applied", lambda: per_owner(consumer.lag_events), ("owner",)
    )
    metrics.gauge(
        "billing_consumer_lag_seconds", "How old the read side is", lambda: per_owner(consumer.lag_seconds), ("owner",)
    )
    metrics.gauge(
        "billing_consumer_applied_events",
        "Events applied, by where they came from",
        lambda: {(o, source): count for o, at in owners.items() for source, count in at.applied.items()},
        ("owner", "source"),
    )
    metrics.gauge(
        "billing_consumer_parked_streams",
        "Streams that wait for an event to be mended",
        lambda: per_owner(lambda owner: len(owners[owner].parked_streams)),
        ("owner",),
    )
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _undecoded(_message: Any) -> None:
    """Bodies are decoded by `_read`, once."""


def _read(record: "ConsumerRecord[bytes, bytes]") -> tuple[Envelope, int] | None:
    try:
        event, prevposition = from_kafka(record.headers, record.value or b"", orjson.loads)
    except (KeyError, ValueError):
        return None
    return _current(event), prevposition


def _current(event: Envelope) -> Envelope:
    """The event in the form written today."""
    if event.version >= codec.VERSIONS.get(event.type, 0):
        return event
    data = codec.current(event.type, event.version, event.data)
    return Envelope(
        event.position,
        event.stream,
        event.revision,
        event.event_id,
        event.type,
        codec.VERSIONS[event.type],
        event.metadata,
        data,
    )


def _set_aside(
    events: Sequence[Envelope], parked: Sequence[Parked], poison: CannotApply
) -> tuple[list[Envelope], list[Parked]]:
    """The poisonous event and everything after it in its stream moves from `events` to `parked`."""
    stream, position = poison.envelope.stream, poison.envelope.position
    reason = f"{type(poison.__cause__).__name__}: {poison.__cause__}"
    aside = [event for event in events if event.stream == stream and event.position >= position]
    rest = [event for event in events if event not in aside]
    return rest, [*parked, *(Parked(event, reason) for event in aside)]


async def _pause(failures: int) -> None:
    """Exponential back-off with jitter, bounded by MAX_PAUSE_S."""
    await asyncio.sleep(min(MAX_PAUSE_S, 0.05 * 2 ** min(failures, 10)) * random.uniform(0.5, 1))
