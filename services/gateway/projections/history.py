"""History: one row for each event of an account, of all owners, by the time at which it was recorded.

A row says all that a projection is told of an event, so the past is folded from them. Price books are nobody's, and
under a key that is no account's.
"""

from typing import Any, NamedTuple, Self

from contracts.envelope import Envelope
from contracts.topics import Owner

from .streams import place

TABLE = "history_v2"
CATEGORY = ""  # of every stream

Members = dict[str, Any]

NOBODY = ""  # whose are the price books
_PRICE_BOOKS = "catalogue-"
TOLD = ("actor", "recorded_at", "effective_on", "causation_id", "correlation_id")  # of an event's metadata


def prefix(account_id: str) -> str:
    """What the keys of an account's rows begin with, and no other's: an id has no slash."""
    return f"{account_id}/"


def key(envelope: Envelope) -> str:
    account_id = NOBODY if envelope.stream.startswith(_PRICE_BOOKS) else envelope.account_id
    # In this order within the account; the owner and its position tell apart what was recorded at one instant.
    return prefix(account_id) + place(envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: Members | None, envelope: Envelope) -> Members | None:
    metadata = envelope.metadata
    return {
        "event_id": envelope.event_id,
        "type": envelope.type,
        "version": envelope.version,
        "stream": envelope.stream,
        "revision": envelope.revision,
        "position": envelope.position,
        **{name: metadata[name] for name in TOLD},
        "data": envelope.data,
    }


class Place(NamedTuple):
    """Where an event lies, as its key says."""

    recorded_at: str
    owner: Owner
    position: int

    @classmethod
    def of(cls, key: str) -> Self:
        _, recorded_at, owner, position = key.split("/")
        return cls(recorded_at, Owner(owner), int(position))
