"""Folds a batch of events into the rows of every projection. Pure but for `stored`, which finds a row."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from contracts.envelope import Envelope
from services.chassis.sink import CannotApply, current

from .projections import Projection, Row


class Folded(NamedTuple):
    """position: of the last event in the row, 0 before the first. row: None when there is nothing to show."""

    account_id: str
    position: int
    row: Row | None


NOTHING = Folded("", 0, None)

Rows = dict[str, Folded]  # by key


def fold(
    projections: Sequence[Projection], events: Sequence[Envelope], stored: Callable[[Projection, str], Folded]
) -> list[tuple[Projection, Rows]]:
    """The rows that `events`, in the order of their log, touch: as they are afterwards.

    An event at or before the position of a row is in it already: a projection follows one owner's log only. Raises
    CannotApply for an event that a projection raises on.
    """
    touched: list[tuple[Projection, Rows]] = [(projection, {}) for projection in projections]
    following: dict[str, list[tuple[Projection, Rows]]] = {}
    for projection, rows in touched:
        following.setdefault(projection.CATEGORY, []).append((projection, rows))
    for event in events:
        for projection, rows in following.get(event.stream.partition("-")[0], ()):
            envelope = current(event)
            key = projection.key(envelope)
            if key is not None:
                known = rows.get(key) or stored(projection, key)
                if envelope.position > known.position:
                    rows[key] = _after(projection, known, envelope)
    return touched


def _after(projection: Projection, known: Folded, envelope: Envelope) -> Folded:
    try:
        row = projection.apply(known.row, envelope)
        return Folded(known.account_id or projection.account(envelope), envelope.position, row)
    except Exception as error:  # whatever it is: a pure function fails for one reason only, the event
        raise CannotApply(envelope) from error
