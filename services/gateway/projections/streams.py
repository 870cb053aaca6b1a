"""What the read models of one kind of stream share: the stream's id, and that no event of it may be missing."""

from typing import Any

from contracts.envelope import Envelope


def id_in(category: str, envelope: Envelope) -> str | None:
    """The id in a stream's name `category-id`; None for a stream of another category."""
    found, _, name = envelope.stream.partition("-")
    return name if found == category else None


def place(envelope: Envelope) -> str:
    """Where an event lies in its account's history: what a row keeps of the event that made a number what it is."""
    owner = envelope.type.partition(".")[0]
    return f"{envelope.metadata['recorded_at']}/{owner}/{envelope.position:019d}"


def check_next(row: dict[str, Any] | None, envelope: Envelope) -> None:
    """Raises ValueError unless the event is the next one of the row's stream: a gap must not become a wrong row."""
    expected = 0 if row is None else row["revision"] + 1
    if envelope.revision != expected:
        raise ValueError(f"{envelope.stream} has revision {envelope.revision} where {expected} comes next")
