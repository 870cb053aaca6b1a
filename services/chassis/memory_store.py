"""An event store in a process's memory: every guarantee of the port but durability, for tests that need no disk."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from contracts.envelope import Record

from .batches import category_of, checked
from .event_store import (
    NO_STREAM,
    START,
    AppendResult,
    CaughtUp,
    NewEvent,
    PositionInvalid,
    StoreUnavailable,
    SubscriptionDropped,
    WrongExpectedRevision,
)


class MemoryEventStore:
    """Nothing awaits between looking and writing, so the event loop itself makes every append atomic."""

    def __init__(self) -> None:
        self._log: list[Record] = []  # the event at position n is number n - 1
        self._streams: dict[str, list[Record]] = {}
        self._grown = asyncio.Event()
        self._closed = False

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        batch = checked(stream, events, expected)
        await self.check()
        present = self._streams.get(stream, [])
        if len(present) - 1 != expected:
            return _repeated(stream, batch, expected, present)
        added = [
            Record(len(self._log) + n, stream, expected + n, e.event_id, e.type, e.version, e.metadata, e.data)
            for n, e in enumerate(batch, 1)
        ]
        self._log += added
        self._streams[stream] = present + added
        self._wake()
        return AppendResult(added[-1].revision, added[-1].position)

    async def read_stream(self, stream: str, after: int = NO_STREAM) -> list[Record]:
        await self.check()
        return self._streams.get(stream, [])[after + 1 :]

    async def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record, None]:
        await self.check()
        end = len(self._log)
        if not START <= after <= end:
            raise PositionInvalid(f"{after} is not a position of this log, which ends at {end}")
        for number in range(after, end):
            record = self._log[number]
            if not categories or category_of(record.stream) in categories:
                yield record

    async def subscribe(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record | CaughtUp, None]:
        read_to = len(self._log)
        async for record in self.read_all(after, categories):
            yield record
        yield CaughtUp()
        while not self._closed:
            grown = self._grown
            while read_to < len(self._log):
                record = self._log[read_to]
                read_to = record.position
                if not categories or category_of(record.stream) in categories:
                    yield record
            await grown.wait()
        raise SubscriptionDropped(read_to)

    async def head(self) -> int:
        await self.check()
        return len(self._log)

    async def check(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    async def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()


def _repeated(stream: str, batch: Sequence[NewEvent], expected: int, present: Sequence[Record]) -> AppendResult:
    """The original result if `batch` lies where it was meant to; the same ids anywhere else are a conflict."""
    stored = present[expected + 1 : expected + 1 + len(batch)]
    if [record.event_id for record in stored] != [event.event_id for event in batch]:
        raise WrongExpectedRevision(stream, expected, len(present) - 1)
    return AppendResult(stored[-1].revision, stored[-1].position)
