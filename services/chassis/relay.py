"""Publishes an owner's log to Kafka: every event once it is durable, in order per partition, none ever skipped.

The store is the truth and the topic tells how far it was published, so a relay needs no memory of its own: it resumes
behind the tail of every partition. The frontier (everything up to here is published) is a file that spares it reading
the whole log, and the only thing it knows when the broker has lost everything. Events may be repeated, after a lost
acknowledgement; readers drop them by position.

One relay per owner suffices, and nothing keeps a second one out (an operator's rolling restart, a replica too many),
because two can repeat but not reorder. A relay sends a position only when every earlier one of its partition is in the
topic: what it sent itself is acknowledged or lies before it in the same batch, what it did not send lies at or before
the tail it began behind. So wherever a record first appears, in whatever order two relays' batches (or one batch sent
twice, or late) lie, all earlier positions lie before it, and a reader that drops what it has sees the log. A tail may
be an old repetition: then more is repeated. Of two frontiers in one file either is true. A lock would only save the
broker some repetitions, and would be one more thing that can be wrong.
"""

import asyncio
import os
import random
from contextlib import aclosing, suppress
from datetime import datetime
from pathlib import Path
from time import monotonic

import orjson
import structlog

from contracts.topics import Owner

from .chunks import chunks_after
from .event_store import START, EventStore, StoreError
from .kafka_access import Address
from .publisher import Topic, publishing
from .running import running

SAVE_EVERY_S = 0.2
LOOK_EVERY_S = 1.0
MAX_PAUSE_S = 5.0

log = structlog.get_logger(__name__)


class AheadOfLog(Exception):
    """The topic holds later positions than the log. Going on would leave out events, so somebody has to look."""


class Relay:
    """One per owner. published, head: positions; trouble: why it is not publishing now, empty when it is."""

    def __init__(
        self,
        owner: Owner,
        store: EventStore,
        bootstrap: Address,
        frontier: Path,
        partitions: int,
        broker_forgets: bool = False,
    ) -> None:
        """frontier: a file of its own. broker_forgets: see kafka.ensure_topic."""
        self._topic = Topic(owner, bootstrap, partitions, broker_forgets)
        self._store = store
        self._frontier = frontier
        self._saved_at_s = 0.0
        self._oldest_waiting = ""
        self.published = _read_frontier(frontier)
        self.head = START
        self.trouble = "not started"

    async def run(self) -> None:
        """Publishes until cancelled. Every failure ends the session; a new one begins from what the topic holds."""
        async with running(self._look()):
            await self._publish()

    async def _publish(self) -> None:
        failures = 0
        while True:
            begun_s = monotonic()
            try:
                await self._session()
            except Exception as error:  # whatever a client library throws: no relay at all would be worse
                self.trouble = f"{type(error).__name__}: {error}"
            failures = failures + 1 if monotonic() - begun_s < 10 * MAX_PAUSE_S else 1
            pause_s = min(MAX_PAUSE_S, 0.1 * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
            log.warning("relay_interrupted", reason=self.trouble, again_in_s=round(pause_s, 2))
            await asyncio.sleep(pause_s)

    def lag_positions(self) -> int:
        return max(0, self.head - self.published)

    def lag_seconds(self) -> float:
        """The age of the oldest event that waits to be published; 0 when none does."""
        if not self.lag_positions() or not self._oldest_waiting:
            return 0.0
        return max(0.0, datetime.now().timestamp() - datetime.fromisoformat(self._oldest_waiting).timestamp())

    async def check(self) -> None:
        """A readiness check. Raises RuntimeError while nothing can be published."""
        if self.trouble:
            raise RuntimeError(f"{self.lag_positions()} positions wait for Kafka: {self.trouble}")

    async def _session(self) -> None:
        await self._topic.ensure()
        tails = await self._topic.tails()
        self.head = await self._store.head()
        if max(tails.values(), default=START) > self.head:
            raise AheadOfLog(f"the topic of {self._topic.owner} holds events that this log has not")
        if self.published > self.head:  # the file is wrong, and only spares reading what the topic has
            self.published = START
        try:
            async with (
                publishing(self._topic, tails, self.published) as publisher,
                chunks_after(self._store, self.published) as chunks,
            ):
                if not self.lag_positions():  # else it is mended when something was published, and not before
                    self.trouble = ""
                log.info("relay_publishing", owner=self._topic.owner, frontier=self.published, tails=tails)
                while True:
                    chunk = await chunks.get()
                    await publisher.publish(chunk)
                    self.published, self.trouble = chunk[-1].position, ""
                    if monotonic() - self._saved_at_s > SAVE_EVERY_S:
                        self._save_frontier()
        finally:
            self._save_frontier()

    async def _look(self) -> None:
        """Keeps up to date what the lag is told from, also while Kafka is away."""
        while True:
            with suppress(StoreError):
                self.head = await self._store.head()
                if self.lag_positions():
                    self._oldest_waiting = await _recorded_at_after(self._store, self.published)
            await asyncio.sleep(LOOK_EVERY_S)

    def _save_frontier(self) -> None:
        """Atomically. Losing it costs time, never events, so it is not synced."""
        self._saved_at_s = monotonic()
        draft = self._frontier.with_suffix(".new")
        with suppress(OSError):
            draft.write_text(str(self.published))
            os.replace(draft, self._frontier)


async def _recorded_at_after(store: EventStore, position: int) -> str:
    async with aclosing(store.read_all(position)) as records:  # type: ignore[type-var]
        async for record in records:
            return str(orjson.loads(record.metadata)["recorded_at"])
    return ""


def _read_frontier(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return START
