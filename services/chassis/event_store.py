"""The event-store port: what a command handler, a relay and a feed may rely on, whichever engine is underneath.

Every engine guarantees (tests/chassis/event_store_contract.py holds it to that):
- A batch is atomic, and durable before `append` returns.
- Revisions of a stream are contiguous from 0; positions are opaque and strictly increasing in commit order.
- `after` is exclusive everywhere. A stream that was never written reads as empty.
- An append repeated with the same event ids and expectation returns the original result.
- A subscription never skips and never ends silently: it ends by raising SubscriptionDropped.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.envelope import Record

NO_STREAM = -1  # the expectation that a stream has no event yet, and the revision of an empty stream
START = 0  # the position before the first event
MAX_EVENT_BYTES = 256 * 1024
MAX_BATCH_BYTES = 900 * 1024


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. event_id: a UUID derived from its command, so a retry is recognised as one."""

    event_id: str
    type: str
    version: int
    metadata: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class AppendResult:
    """revision, position: those of the batch's last event."""

    revision: int
    position: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A subscription's mark: everything that was in the log when it was asked for has been yielded."""


class StoreError(Exception):
    """Base of what an event store can answer besides success."""


class WrongExpectedRevision(StoreError):
    """Somebody else wrote to the stream. Nothing was appended. `actual` is the stream's revision now."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream} is at revision {actual}, not {expected}")
        self.actual = actual


class TooLarge(StoreError):
    """An event or the batch is larger than every engine takes (MAX_EVENT_BYTES, MAX_BATCH_BYTES)."""


class AccessDenied(StoreError):
    """The store refused our credentials."""


class StoreUnavailable(StoreError):
    """The store did not take the request; nothing was appended."""


class OutcomeUnknown(StoreError):
    """The store may or may not have appended. Repeat with the same event ids and expectation to find out."""


class PositionInvalid(StoreError):
    """Not a position of this log."""


class SubscriptionDropped(StoreError):
    """The subscription ended. Subscribe again after `last_position`."""

    def __init__(self, last_position: int) -> None:
        super().__init__(f"subscription dropped after position {last_position}")
        self.last_position = last_position


class EventStore(Protocol):
    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        """Appends all of `events` (at least one) if the stream is at revision `expected` (NO_STREAM: is new).

        Raises WrongExpectedRevision, TooLarge, AccessDenied, StoreUnavailable, OutcomeUnknown.
        """
        ...

    async def read_stream(self, stream: str, after: int = NO_STREAM) -> list[Record]:
        """The stream's events after a revision, oldest first."""
        ...

    def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncIterator[Record]:
        """The log after a position up to its end, oldest first. categories: the part of a stream name before the
        first dash; none means all. Raises PositionInvalid for a negative position or one beyond the head."""
        ...

    def subscribe(self, after: int, categories: Sequence[str] = ()) -> AsyncIterator[Record | CaughtUp]:
        """`read_all`, then CaughtUp, then every event as it is appended, for ever. Close it with `aclose`."""
        ...

    async def head(self) -> int:
        """The position of the last event, START when there is none."""
        ...

    async def check(self) -> None:
        """Raises StoreUnavailable or AccessDenied when the store cannot take an append now."""
        ...

    async def close(self) -> None:
        """Finishes what was accepted, then lets go of the store."""
        ...
