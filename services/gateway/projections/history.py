"""History: one row for each event of an account, of all owners, by the time at which it was recorded."""

from typing import Any

from contracts.envelope import Envelope

TABLE = "history_v1"
CATEGORY = ""  # of every stream

Members = dict[str, Any]

_PRICE_BOOKS = "catalogue-"  # are nobody's


def prefix(account_id: str) -> str:
    """What the keys of an account's rows begin with, and no other's: an id has no slash."""
    return f"{account_id}/"


def key(envelope: Envelope) -> str | None:
    if envelope.stream.startswith(_PRICE_BOOKS):
        return None
    # In this order within the account; the owner and its position tell apart what was recorded at one instant.
    owner = envelope.type.partition(".")[0]
    return f"{prefix(envelope.account_id)}{envelope.metadata['recorded_at']}/{owner}/{envelope.position:019d}"


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
        **{name: metadata[name] for name in ("actor", "recorded_at", "effective_on", "causation_id", "correlation_id")},
        "data": envelope.data,
    }
