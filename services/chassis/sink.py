"""What a consumer reads from and writes to: an owner's feed, and a sink that commits effects with its checkpoints."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from contracts import codec
from contracts.envelope import Envelope
from contracts.topics import Owner


class CannotApply(Exception):
    """A sink cannot take in this very event, now or later. Nothing was committed; the cause is chained."""

    def __init__(self, envelope: Envelope) -> None:
        super().__init__(f"{envelope.type} at position {envelope.position}")
        self.envelope = envelope


class Overtaken(Exception):
    """Another process, that shares the sink, has parked a stream or taken it in again. Nothing was committed: look
    again at which are parked."""


class Behind(Exception):
    """The sink has not all that its caller has seen committed: it was put back, or a late replica took over. Nothing
    was committed: look again where it stands."""


NOWHERE: Mapping[int, int] = MappingProxyType({})
WAITS = "its stream waits for an earlier event"


@dataclass(frozen=True, slots=True)
class Parked:
    """An event set aside, with every later one of its stream, until somebody has mended what stands against it.

    reason: WAITS for the later ones.
    """

    envelope: Envelope
    reason: str


class Sink(Protocol):
    """Where effects, checkpoints and parked events are committed together.

    Several processes may share one: a checkpoint never goes back, and an event at or before it has no effect again.
    """

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        """Partition → position up to which everything is applied or parked."""
        ...

    async def parked_streams(self, owner: Owner) -> set[str]: ...

    async def apply(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        """All of it in one transaction. checkpoints: of every partition that an event lies in, at least. after: what of
        each partition the caller goes on from; of use to a sink that can lose what it has committed.

        Raises CannotApply, Overtaken and Behind; anything else is a machine's failure, to be retried."""
        ...


@runtime_checkable
class ReplayableSink(Sink, Protocol):
    """A sink that can take in what it parked."""

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        """In order."""
        ...

    async def unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        """Applies the stream's parked events, though they lie behind the checkpoint, and forgets that they were parked,
        in one transaction. Raises as `apply` does; then they stay parked."""
        ...


class Feed(Protocol):
    """An owner's log: chassis.feed.FeedClient."""

    def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        """The events after a position, up to and with `until`. Ends without an error only if nothing was left out."""
        ...

    async def head(self) -> int: ...


def current(event: Envelope) -> Envelope:
    """The event in the form written today. Raises CannotApply when it cannot be brought there."""
    version = codec.VERSIONS.get(event.type, 0)
    if event.version >= version:
        return event
    try:
        return replace(event, version=version, data=codec.current(event.type, event.version, event.data))
    except Exception as error:  # whatever it is: a pure function fails for one reason only, the event
        raise CannotApply(event) from error
