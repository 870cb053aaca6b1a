"""A log read ahead and handed out in chunks: reading and publishing go on side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from contracts.envelope import Record

from .event_store import CaughtUp, EventStore
from .running import running

CHUNK_EVENTS = 500
CHUNK_BYTES = 700_000  # so that a partition's part of a chunk is one Kafka batch, which is appended whole or not at all
READ_AHEAD_EVENTS = 2_000

_Waiting = asyncio.Queue[Record | Exception]


class Chunks:
    """Made by `chunks_after`."""

    def __init__(self, waiting: _Waiting) -> None:
        self._waiting = waiting
        self._held: Record | Exception | None = None

    async def get(self) -> list[Record]:
        """The next records in order, at least one, as many as wait and fit. Raises what ended the reading."""
        first = self._held or await self._waiting.get()
        if isinstance(first, Exception):
            raise first
        chunk, size_bytes, self._held = [first], _size_bytes(first), None
        while len(chunk) < CHUNK_EVENTS and not self._waiting.empty():
            following = self._waiting.get_nowait()
            if isinstance(following, Exception) or size_bytes + _size_bytes(following) > CHUNK_BYTES:
                self._held = following
                break
            chunk.append(following)
            size_bytes += _size_bytes(following)
        return chunk


@asynccontextmanager
async def chunks_after(store: EventStore, after: int) -> AsyncIterator[Chunks]:
    """The log after a position, for ever."""
    waiting: _Waiting = asyncio.Queue(READ_AHEAD_EVENTS)
    async with running(_read_ahead(store, after, waiting)):
        yield Chunks(waiting)


async def _read_ahead(store: EventStore, after: int, waiting: _Waiting) -> None:
    try:
        async with aclosing(store.subscribe(after)) as log:  # type: ignore[type-var]
            async for record in log:
                if not isinstance(record, CaughtUp):
                    await waiting.put(record)
    except Exception as failure:  # takes its turn behind what was read before it
        await waiting.put(failure)


def _size_bytes(record: Record) -> int:
    """At most what it takes on the wire: most of the metadata travels as headers, with their names."""
    return len(record.data) + 2 * len(record.metadata) + 500
