"""What KurrentDB's client says in the words of the port: addresses, events and failures."""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import grpc
from kurrentdbclient import NewEvent as ProposedEvent
from kurrentdbclient import RecordedEvent, StreamState
from kurrentdbclient.exceptions import (
    AccessDeniedError,
    InvalidCommitPositionError,
    KurrentDBClientError,
    MaximumAppendSizeExceededError,
    NodeIsNotLeaderError,
    ProgrammingError,
    RecordMaxSizeExceededError,
    ServiceUnavailableError,
    TransactionMaxSizeExceededError,
    UnauthenticatedError,
)

from contracts.envelope import Record

from .event_store import (
    NO_STREAM,
    AccessDenied,
    NewEvent,
    PositionInvalid,
    StoreError,
    StoreUnavailable,
    TooLarge,
)

# What a connection that was cut without a word is noticed by; without it a subscription would wait on it for ever.
KEEP_ALIVE_MS = 10_000
# gRPC would wait up to two minutes between tries, and let new connections wait with the old ones to the same address.
CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 1_000), ("grpc.use_local_subchannel_pool", 1))
FAILURES = (KurrentDBClientError, ProgrammingError, grpc.RpcError, grpc.aio.UsageError, TimeoutError, OSError)
UNREACHABLE = (ServiceUnavailableError, NodeIsNotLeaderError)

_UNTOLD = "the address of KurrentDB is none; a password in it must be percent-encoded"
_DENIED = (AccessDeniedError, UnauthenticatedError)
_TOO_LARGE = (MaximumAppendSizeExceededError, RecordMaxSizeExceededError, TransactionMaxSizeExceededError)
_VERSION = ".v"


def connection_string(uri: str) -> str:
    """`uri` as the client gets it. Raises ValueError, which repeats nothing of the address."""
    options = {name.lower(): values[0].lower() for name, values in parse_qs(urlsplit(uri).query).items()}
    if options.get("nodepreference", "leader") != "leader":
        # Any other node may be behind: somebody would be told that what was acknowledged is not there.
        raise ValueError("NodePreference can only be leader")
    missing = [name for name in ("KeepAliveInterval", "KeepAliveTimeout") if name.lower() not in options]
    return uri + ("&" if options else "?") + "&".join(f"{name}={KEEP_ALIVE_MS}" for name in missing)


def public(uri: str) -> str:
    """Scheme and hosts: what may be told of an address that holds a password.

    Raises ValueError where a piece of the password could be taken for something else, and be told with it.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:  # its text may repeat the password
        raise ValueError(_UNTOLD) from None
    if "@" in parts.netloc.partition("@")[2] + parts.path + parts.query + parts.fragment:
        raise ValueError(_UNTOLD)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def proposed(events: Sequence[NewEvent]) -> tuple[ProposedEvent, ...]:
    """A tuple: the client's own retry would find a generator exhausted, and append nothing."""
    return tuple(
        ProposedEvent(f"{event.type}{_VERSION}{event.version}", event.data, event.metadata, id=UUID(event.event_id))
        for event in events
    )


def recorded(event: RecordedEvent, prefix: str) -> Record:
    """prefix: what its stream's name begins with in the database. Raises StoreUnavailable for an event of strangers."""
    type_, mark, version = event.type.rpartition(_VERSION)
    if not mark or not version.isdecimal() or not event.stream_name.startswith(prefix):
        raise StoreUnavailable(f"{event.stream_name} holds an event of type {event.type} that somebody else wrote")
    if event.commit_position != event.prepare_position:
        raise StoreUnavailable(f"{event.stream_name} holds events of a transaction, which share one position")
    return Record(
        event.commit_position,
        event.stream_name.removeprefix(prefix),
        event.stream_position,
        str(event.id),
        type_,
        int(version),
        event.metadata,
        event.data,
    )


def revision(version: int | StreamState | None) -> int:
    return version if isinstance(version, int) else NO_STREAM


def meaning(error: BaseException, address: str) -> StoreError:
    """address: as `public` tells it."""
    said = f"{address}: {_in_short(error)}"
    if isinstance(error, _DENIED):
        return AccessDenied(f"{address} refused our credentials")
    if isinstance(error, _TOO_LARGE):
        return TooLarge(said)
    if isinstance(error, InvalidCommitPositionError):
        return PositionInvalid(said)
    return StoreUnavailable(said)


def _in_short(error: BaseException) -> str:
    """gRPC tells the history of a connection, over many lines."""
    return f"{type(error).__name__} {str(error).splitlines()[0] if str(error) else ''}".strip()[:300]
