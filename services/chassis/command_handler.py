"""Carries out a command on one stream: load, decide, append with a definite expectation; again if somebody was faster.

Event ids derive from the command's id and from what the events say, and the stream itself remembers which commands it
has recorded. So a repeated command is recognised after a crash, on another replica and years later, without a table of
keys.
"""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from time import monotonic
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

from contracts import codec
from contracts.envelope import Metadata, Record
from contracts.problems import Refused

from .event_store import NO_STREAM, START, AppendResult, EventStore, NewEvent, OutcomeUnknown, WrongExpectedRevision

State = TypeVar("State")
Evolve = Callable[[State | None, Any, date], State]

ATTEMPTS = 8  # a stream has few editors; more conflicts than this in a row mean overload
APPEND_TRIES = 3


@dataclass(frozen=True, slots=True)
class Command:
    """What a handler must know about a command, whatever it asks for.

    metadata: goes into every event. expected_revision: the caller's If-Match, None when it does not matter.
    """

    metadata: Metadata
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a stream holds what a command recorded. `position`: of the last event."""

    request_digest: str
    first_revision: int
    last_revision: int
    position: int


@dataclass(frozen=True, slots=True)
class Loaded(Generic[State]):
    """A stream folded up to a revision; `state` and `account_id` are None while the stream is empty.

    receipts: by command id. Only ever added to, so that a command costs the same however long the stream is.
    """

    state: State | None
    account_id: str | None
    revision: int
    receipts: dict[str, Receipt]
    read_at_s: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a command recorded, the same for the first answer and for every repetition of it."""

    stream: str
    revision: int
    position: int
    events: tuple[NewEvent, ...]


class CommandHandler(Generic[State]):
    """Carries out commands on streams of one kind. `evolve(state, event, effective_on)` folds them."""

    def __init__(self, store: EventStore, evolve: Evolve[State], cached_streams: int = 10_000) -> None:
        self._store = store
        self._evolve = evolve
        self._cached_streams = cached_streams
        self._cache: OrderedDict[str, Loaded[State]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._in_flight: set[str] = set()

    async def handle(
        self, stream: str, command: Command, decide: Callable[[State | None, int], Sequence[BaseModel]]
    ) -> Recorded:
        """Appends what `decide(state, revision)` returns, or gives the original answer if it was recorded before.

        Raises Refused (from decide; revision_stale, idempotency_key_reused, command_in_flight, overloaded) and
        StoreError. That it cannot be done, or is so already, is believed only of a state read after the command came
        in: a cache may be behind.
        """
        command_id = command.metadata.command_id
        if command_id in self._in_flight:
            raise Refused("command_in_flight")
        self._in_flight.add(command_id)
        lock = self._locks.setdefault(stream, asyncio.Lock())
        try:
            async with lock:
                return await self._settle(stream, command, decide)
        finally:
            self._in_flight.discard(command_id)

    async def current(self, stream: str, max_age_s: float = 0.0) -> Loaded[State]:
        """The stream's state, read from the store unless it was read or written here in the last `max_age_s`."""
        cached = self._cache.get(stream)
        if cached is not None and monotonic() - cached.read_at_s <= max_age_s:
            return cached
        return await self._refresh(stream)

    async def at(self, stream: str, position: int) -> Loaded[State]:
        """The stream's state as it was at a position of the log."""
        records = await self._store.read_stream(stream)
        return self._folded(_unread(), [record for record in records if record.position <= position])

    async def _settle(
        self, stream: str, command: Command, decide: Callable[[State | None, int], Sequence[BaseModel]]
    ) -> Recorded:
        cached = self._cache.get(stream)
        for _ in range(ATTEMPTS):
            loaded = cached or await self._refresh(stream)
            if receipt := loaded.receipts.get(command.metadata.command_id):
                return await self._repeated(stream, command, receipt)
            try:
                events = _decided(loaded, command, decide)
            except Exception:
                if cached is None:
                    raise
                events = ()
            if cached and not events:  # refused, impossible, or so already: maybe no longer
                cached = None
                continue
            cached = None
            if not events:
                return Recorded(stream, loaded.revision, _end(loaded), ())
            batch = new_events(events, command.metadata)
            try:
                result = await self._append(stream, batch, loaded.revision)
            except WrongExpectedRevision:
                continue
            self._remember(stream, self._advanced(loaded, events, command.metadata, result.position))
            return Recorded(stream, result.revision, result.position, batch)
        raise Refused("overloaded")

    async def _append(self, stream: str, batch: tuple[NewEvent, ...], expected: int) -> AppendResult:
        for _ in range(APPEND_TRIES - 1):
            try:
                return await self._store.append(stream, batch, expected)
            except OutcomeUnknown:  # the same ids and expectation again: the store tells, and never writes twice
                continue
        return await self._store.append(stream, batch, expected)

    async def _repeated(self, stream: str, command: Command, receipt: Receipt) -> Recorded:
        if receipt.request_digest != command.metadata.request_digest:
            raise Refused("idempotency_key_reused")
        records = await self._store.read_stream(stream, receipt.first_revision - 1)
        events = tuple(_as_appended(record) for record in records if record.revision <= receipt.last_revision)
        return Recorded(stream, receipt.last_revision, receipt.position, events)

    async def _refresh(self, stream: str) -> Loaded[State]:
        unread = _unread()
        known = self._cache.get(stream) or unread
        loaded = self._folded(
            replace(known, read_at_s=unread.read_at_s), await self._store.read_stream(stream, known.revision)
        )
        if loaded.state is not None:
            self._remember(stream, loaded)
        return loaded

    def _folded(self, known: Loaded[State], records: Sequence[Record]) -> Loaded[State]:
        state, account_id, receipts = known.state, known.account_id, known.receipts
        for record in records:
            metadata = Metadata.model_validate_json(record.metadata)
            account_id = metadata.account_id
            event = codec.decode(record.type, record.version, record.data)
            state = self._evolve(state, event, date.fromisoformat(metadata.effective_on))
            _note(receipts, metadata, record.revision, record.position)
        revision = records[-1].revision if records else known.revision
        return Loaded(state, account_id, revision, receipts, known.read_at_s)

    def _advanced(
        self, loaded: Loaded[State], events: Sequence[BaseModel], metadata: Metadata, position: int
    ) -> Loaded[State]:
        state, receipts, revision = loaded.state, loaded.receipts, loaded.revision
        for event in events:
            revision += 1
            state = self._evolve(state, event, date.fromisoformat(metadata.effective_on))
            _note(receipts, metadata, revision, position)
        return Loaded(state, metadata.account_id, revision, receipts, monotonic())

    def _remember(self, stream: str, loaded: Loaded[State]) -> None:
        known = self._cache.get(stream)
        if known is None or known.revision <= loaded.revision:
            self._cache[stream] = loaded
        self._cache.move_to_end(stream)
        if len(self._cache) > self._cached_streams:
            self._cache.popitem(last=False)


def new_events(events: Sequence[BaseModel], metadata: Metadata) -> tuple[NewEvent, ...]:
    """The events of one command, ready to append, with uuid5(command id, digest, n, day and body) as ids.

    So an append that is repeated is recognised as one, and another request under the same key cannot pass for it; nor
    can what another replica made of the same request by its own clock, on another day: it has to read what is recorded.
    """
    namespace = uuid.UUID(metadata.command_id)
    shared = metadata.model_dump_json().encode()
    digest, day = metadata.request_digest, metadata.effective_on
    return tuple(
        NewEvent(str(uuid.uuid5(namespace, f"{digest}/{number}/{day}/{data.decode()}")), name, version, shared, data)
        for number, (name, version, data) in enumerate(map(codec.encode, events))
    )


def _decided(
    loaded: Loaded[State], command: Command, decide: Callable[[State | None, int], Sequence[BaseModel]]
) -> Sequence[BaseModel]:
    if loaded.account_id != command.metadata.account_id:  # another account's stream answers as an absent one does
        return decide(None, NO_STREAM)
    if command.expected_revision not in (None, loaded.revision):
        raise Refused("revision_stale", revision=loaded.revision)
    return decide(loaded.state, loaded.revision)


def _unread() -> Loaded[Any]:
    return Loaded(None, None, NO_STREAM, {}, monotonic())


def _note(receipts: dict[str, Receipt], metadata: Metadata, revision: int, position: int) -> None:
    known = receipts.get(metadata.command_id)
    receipts[metadata.command_id] = (
        replace(known, last_revision=revision, position=position)
        if known
        else Receipt(metadata.request_digest, revision, revision, position)
    )


def _end(loaded: Loaded[State]) -> int:
    """The position of the last event: who is told that it is so already must be able to read that it is."""
    last = next(reversed(loaded.receipts.values()), None)  # they were added in the order of the log
    return last.position if last else START


def _as_appended(record: Record) -> NewEvent:
    return NewEvent(record.event_id, record.type, record.version, record.metadata, record.data)
