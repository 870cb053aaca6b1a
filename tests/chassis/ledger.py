"""A sink that remembers in which order it was given what, and a feed without HTTP: both can be away for a while."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence

from contracts.envelope import Envelope, opened
from contracts.topics import Owner
from services.chassis.event_store import EventStore
from services.chassis.memory_store import MemoryEventStore
from services.chassis.sink import NOWHERE, CannotApply, Parked

BLOCK_EVENTS = 50


class Ledger:
    """In memory: nothing awaits while it commits, so a commit is whole or not at all.

    applied: what was applied, in order. ignored: how often an event came again that its stream's row has: that only
    happens to processes that share a sink. away: while it is set, nothing can be committed. poison: positions.
    """

    def __init__(self) -> None:
        self.applied: list[Envelope] = []
        self.parked: list[Parked] = []
        self.ignored = self.tries = 0
        self.away = False
        self.poison: set[int] = set()
        self._checkpoints: dict[int, int] = {}
        self._rows: dict[str, int] = defaultdict(int)

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        await self._takes_time()
        return dict(self._checkpoints)

    async def parked_streams(self, owner: Owner) -> set[str]:
        return {each.envelope.stream for each in self.parked}

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        return [each.envelope for each in self.parked if each.envelope.stream == stream]

    async def apply(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        await self._takes_time()
        self._fold(events)
        for partition, position in checkpoints.items():
            self._checkpoints[partition] = max(position, self._checkpoints.get(partition, 0))
        known = {each.envelope.position for each in self.parked}
        self.parked += [each for each in parked if each.envelope.position not in known]
        await asyncio.sleep(0)  # who is cancelled here does not know that it is committed

    async def unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        await self._takes_time()
        self._fold(events)
        self.parked = [each for each in self.parked if each.envelope.stream != stream]

    def _fold(self, events: Sequence[Envelope]) -> None:
        for event in events:
            if event.position in self.poison:
                raise CannotApply(event) from ValueError("no such licence")
        for event in events:
            if event.position <= self._rows[event.stream]:
                self.ignored += 1
                continue
            self._rows[event.stream] = event.position
            self.applied.append(event)

    async def _takes_time(self) -> None:
        self.tries += 1
        await asyncio.sleep(0)
        if self.away:
            raise OSError("the disk is full")


class StoreFeed:
    """away: cannot be read. breaks_after: so many more blocks, then it is away."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.away = False
        self.breaks_after: int | None = None
        self.sent = self.open = 0

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        self.open += 1
        try:
            await self.head()
            last = until or await self._store.head()
            read = [opened(r) async for r in self._store.read_all(after) if r.position <= last]
            for start in range(0, len(read), BLOCK_EVENTS):
                await self.head()
                block = read[start : start + BLOCK_EVENTS]
                self.sent += len(block)
                yield block
                if self.breaks_after is not None:
                    self.breaks_after -= 1
                    self.away = self.breaks_after <= 0
        finally:
            self.open -= 1

    async def head(self) -> int:
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionError("the owner does not answer")
        return await self._store.head()


def no_events() -> EventStore:
    return MemoryEventStore()
