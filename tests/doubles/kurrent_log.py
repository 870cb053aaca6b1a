"""What the KurrentDB double keeps: a log whose positions are bytes, with everybody's streams in it."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

RECORD_BYTES = 100  # what the server stores around an event


@dataclass(frozen=True, slots=True)
class Proposed:
    event_id: str
    type: str
    content_type: str
    metadata: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    position: int
    stream: str
    revision: int
    event: Proposed


class Conflict(Exception):
    """The stream is at `current`, -1 when there is none."""

    def __init__(self, current: int) -> None:
        super().__init__(current)
        self.current = current


class KurrentLog:
    """In memory, shared by the nodes of a cluster, so it outlives each of them. Positions begin at `first`: a real
    database has written something before anybody's first event."""

    def __init__(self, first: int = 4_711) -> None:
        self.events: list[Stored] = []
        self.streams: dict[str, list[Stored]] = {}
        self.grown = asyncio.Event()
        self._positions: list[int] = []
        self._next = first

    def append(self, stream: str, events: Sequence[Proposed], expected: int) -> Stored:
        """The last event as stored, now or when the same was appended before. Raises Conflict.

        Decides as IndexWriter.CheckCommit of the server does for a definite expectation.
        """
        present = self.streams.get(stream, [])
        current = len(present) - 1
        if expected < current:
            there = present[expected + 1 : expected + 1 + len(events)]
            if [stored.event.event_id for stored in there] == [event.event_id for event in events]:
                return there[-1]
        if expected != current:
            raise Conflict(current)
        for event in events:
            self._store(stream, event)
        self.grown.set()
        self.grown = asyncio.Event()
        return self.events[-1]

    def append_as_a_stranger(self, stream: str = "$stats-127.0.0.1:2113", type_: str = "$statsCollected") -> Stored:
        """An event that others write: the server itself, or another owner."""
        event = Proposed(str(uuid4()), type_, "application/json", b"", b'{"up":true}')
        return self.append(stream, [event], len(self.streams.get(stream, [])) - 1)

    def read(self, after: int | None) -> Sequence[Stored]:
        """After a position, None for all."""
        return self.events[0 if after is None else bisect_left(self._positions, after + 1) :]

    def holds(self, position: int) -> bool:
        place = bisect_left(self._positions, position)
        return place < len(self._positions) and self._positions[place] == position

    def _store(self, stream: str, event: Proposed) -> None:
        present = self.streams.setdefault(stream, [])
        stored = Stored(self._next, stream, len(present), event)
        self._next += RECORD_BYTES + len(stream) + len(event.type) + len(event.metadata) + len(event.data)
        self._positions.append(stored.position)
        self.events.append(stored)
        present.append(stored)
