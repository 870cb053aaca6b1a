"""Publishes an owner's log to Kafka: every event once it is durable, in order per partition, none ever skipped.

The store is the truth and the topic tells how far it was published, so a relay needs no memory of its own: it resumes
behind the tail of every partition. The frontier (everything up to here is published) is a file that spares it reading
the whole log, and the only thing it knows when the broker has lost everything. Events may be repeated, after a lost
acknowledgement; readers drop them by position.
"""

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from time import monotonic

import orjson
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.envelope import Record, kafka_headers
from contracts.topics import Owner, partition_of, topic_of

from . import kafka
from .event_store import START, CaughtUp, EventStore, StoreError

CHUNK_EVENTS = 500
CHUNK_BYTES = 700_000  # so that a partition's part of a chunk is one Kafka batch, which is appended whole or not at all
READ_AHEAD_EVENTS = 2_000
SAVE_EVERY_S = 0.2
LOOK_EVERY_S = 1.0
MAX_PAUSE_S = 5.0

log = structlog.get_logger(__name__)


class Relay:
    """One per owner. published, head: positions; trouble: why it is not publishing now, empty when it is."""

    def __init__(
        self,
        owner: Owner,
        store: EventStore,
        bootstrap: str,
        frontier: Path,
        partitions: int,
        broker_forgets: bool = False,
    ) -> None:
        """frontier: a file of its own. broker_forgets: see kafka.ensure_topic."""
        self._owner = owner
        self._store = store
        self._bootstrap = bootstrap
        self._forgets = broker_forgets
        self._frontier = frontier
        self._partitions = partitions
        self._saved_at = 0.0
        self._oldest_waiting = ""
        self.published = _read_frontier(frontier)
        self.head = START
        self.trouble = "not started"

    async def run(self) -> None:
        """Publishes until cancelled. Every failure ends the session; a new one begins from what the topic holds."""
        failures = 0
        while True:
            begun = monotonic()
            try:
                await self._session()
            except (KafkaError, StoreError, kafka.WrongPartitions, OSError, TimeoutError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
            failures = failures + 1 if monotonic() - begun < 10 * MAX_PAUSE_S else 1
            pause_s = min(MAX_PAUSE_S, 0.1 * 2**failures) * random.uniform(0.5, 1)
            log.warning("relay_interrupted", reason=self.trouble, again_in_s=round(pause_s, 2))
            await asyncio.sleep(pause_s)

    def lag_events(self) -> int:
        return max(0, self.head - self.published)

    def lag_seconds(self) -> float:
        """The age of the oldest event that waits to be published; 0 when none does."""
        waiting = self._oldest_waiting
        return max(0.0, datetime.now().timestamp() - datetime.fromisoformat(waiting).timestamp()) if waiting else 0.0

    async def check(self) -> None:
        """A readiness check. Raises RuntimeError while nothing can be published."""
        if self.trouble:
            raise RuntimeError(f"{self.lag_events()} events wait for Kafka: {self.trouble}")

    async def _session(self) -> None:
        topic = topic_of(self._owner)
        await kafka.ensure_topic(self._bootstrap, topic, self._partitions, self._forgets)
        tails = await self._tails()
        producer = kafka.producer(self._bootstrap)
        await producer.start()
        try:
            async with self._chunks() as chunks:
                self.trouble = ""
                log.info("relay_publishing", topic=topic, frontier=self.published, tails=tails)
                # What lies behind both the frontier and a tail was published once, if perhaps into a lost topic.
                previous = {p: max(self.published, tails.get(p, START)) for p in range(self._partitions)}
                offsets: dict[int, int] = {}
                while True:
                    await self._publish(producer, topic, await chunks.get(), tails, previous, offsets)
        finally:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 2)
            self._save_frontier()

    async def _publish(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        chunk: list[Record],
        tails: dict[int, int],
        previous: dict[int, int],
        offsets: dict[int, int],
    ) -> None:
        """One Kafka batch per partition; the next chunk waits for all, so none can overtake one that failed."""
        batches: dict[int, BatchBuilder] = defaultdict(producer.create_batch)
        for record in chunk:
            account_id: str = orjson.loads(record.metadata)["account_id"]
            partition = partition_of(account_id, self._partitions)
            if record.position > tails.get(partition, START):
                headers = kafka_headers(record, self._owner, previous[partition], orjson.loads)
                added = batches[partition].append(
                    timestamp=None, key=account_id.encode(), value=record.data, headers=headers
                )
                if added is None:
                    raise KafkaError(f"a chunk with position {record.position} is larger than a Kafka batch")
                previous[partition] = record.position
        sent = {number: await producer.send_batch(batch, topic, partition=number) for number, batch in batches.items()}
        outcomes = await asyncio.gather(*sent.values(), return_exceptions=True)
        for number, outcome in zip(sent, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome.offset <= offsets.get(number, -1):
                raise KafkaError(f"partition {number} begins anew: the broker has lost it")
            offsets[number] = outcome.offset
        if self._forgets:
            await self._read_back(sent.keys() - tails.keys(), previous, tails)
        self.published = chunk[-1].position
        if monotonic() - self._saved_at > SAVE_EVERY_S:
            self._save_frontier()

    async def _read_back(self, first: AbstractSet[int], published: dict[int, int], tails: dict[int, int]) -> None:
        """What was just published into a partition that held nothing must be there; offsets alone cannot tell."""
        if first:
            found = await self._tails()
            if any(found.get(number) != published[number] for number in first):
                raise KafkaError("the broker has lost the topic")
            tails.update({number: found[number] for number in first})

    async def _tails(self) -> dict[int, int]:
        return await kafka.tail_positions(self._bootstrap, topic_of(self._owner), self._partitions, self._forgets)

    @asynccontextmanager
    async def _chunks(self) -> AsyncIterator["_Chunks"]:
        """The log after the frontier, read ahead by a task of its own; a failure of that task shows in `get`."""
        waiting = _Chunks(self)
        reader = asyncio.create_task(self._read_ahead(waiting))
        looker = asyncio.create_task(self._look_at_head())
        waiting.reader = reader
        try:
            yield waiting
        finally:
            for task in (reader, looker):
                task.cancel()
            await asyncio.wait((reader, looker))
            self._oldest_waiting = ""

    async def _read_ahead(self, waiting: "_Chunks") -> None:
        async with aclosing(self._store.subscribe(self.published)) as log_after:  # type: ignore[type-var]
            async for record in log_after:
                if not isinstance(record, CaughtUp):
                    await waiting.records.put(record)

    async def _look_at_head(self) -> None:
        while True:
            with suppress(StoreError):
                self.head = await self._store.head()
            await asyncio.sleep(LOOK_EVERY_S)

    def _save_frontier(self) -> None:
        """Atomically. Losing it costs time, never events, so it is not synced."""
        self._saved_at = monotonic()
        draft = self._frontier.with_suffix(".new")
        with suppress(OSError):
            draft.write_text(str(self.published))
            os.replace(draft, self._frontier)


class _Chunks:
    """Records that wait to be published."""

    reader: asyncio.Task[None]

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.records: asyncio.Queue[Record] = asyncio.Queue(READ_AHEAD_EVENTS)
        self._held: Record | None = None

    async def get(self) -> list[Record]:
        """The next records, at least one, as many as wait and fit. Raises what ended the reading."""
        self._relay._oldest_waiting = ""
        first = self._held or await self._first()
        self._relay._oldest_waiting = orjson.loads(first.metadata)["recorded_at"]
        chunk, size_bytes, self._held = [first], _size_bytes(first), None
        while len(chunk) < CHUNK_EVENTS and not self.records.empty():
            record = self.records.get_nowait()
            size_bytes += _size_bytes(record)
            if size_bytes > CHUNK_BYTES:
                self._held = record
                break
            chunk.append(record)
        return chunk

    async def _first(self) -> Record:
        waiting = asyncio.create_task(self.records.get())
        try:
            await asyncio.wait((waiting, self.reader), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                self.reader.result()
            return await waiting
        finally:
            waiting.cancel()


def _size_bytes(record: Record) -> int:
    return len(record.data) + 2 * len(record.metadata) + 500


def _read_frontier(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return START
