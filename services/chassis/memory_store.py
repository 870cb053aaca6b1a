"""The event store in memory: every guarantee of the port but durability, for pure tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from contracts.envelope import Record

from .event_store import (
    MAX_BATCH_BYTES,
    MAX_EVENT_BYTES,
    NO_STREAM,
    START,
    AppendResult,
    CaughtUp,
    NewEvent,
    PositionInvalid,
    TooLarge,
    WrongExpectedRevision,
)


class MemoryEventStore:
    def __init__(self) -> None:
        self._log: list[Record] = []
        self._streams: dict[str, list[Record]] = {}
        self._appended = asyncio.Condition()

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        sizes = [len(event.metadata) + len(event.data) for event in events]
        if max(sizes) > MAX_EVENT_BYTES or sum(sizes) > MAX_BATCH_BYTES:
            raise TooLarge(stream)
        present = self._streams.setdefault(stream, [])
        if len(present) - 1 != expected:
            repeated = present[expected + 1 : expected + 1 + len(events)]
            if [record.event_id for record in repeated] == [event.event_id for event in events]:
                return AppendResult(repeated[-1].revision, repeated[-1].position)
            raise WrongExpectedRevision(stream, expected, len(present) - 1)
        for event in events:
            record = Record(
                len(self._log) + 1,
                stream,
                len(present),
                event.event_id,
                event.type,
                event.version,
                event.metadata,
                event.data,
            )
            present.append(record)
            self._log.append(record)
        async with self._appended:
            self._appended.notify_all()
        return AppendResult(present[-1].revision, present[-1].position)

    async def read_stream(self, stream: str, after: int = NO_STREAM) -> list[Record]:
        return self._streams.get(stream, [])[after + 1 :]

    async def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncIterator[Record]:
        if not START <= after <= len(self._log):
            raise PositionInvalid(str(after))
        for record in self._log[after:]:
            if not categories or record.stream.partition("-")[0] in categories:
                yield record

    async def subscribe(self, after: int, categories: Sequence[str] = ()) -> AsyncIterator[Record | CaughtUp]:
        position, told = after, False
        while True:
            seen = len(self._log)
            async for record in self.read_all(position, categories):
                yield record
            position = seen
            if not told:
                told = True
                yield CaughtUp()
            async with self._appended:
                await self._appended.wait_for(lambda: len(self._log) > seen)

    async def head(self) -> int:
        return len(self._log)

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return
