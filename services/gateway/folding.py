"""Folds a batch of events into the rows of every projection. Pure but for `stored`, which finds a row."""

from collections.abc import Callable, Iterator, Sequence
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
    projections: Sequence[Projection], events: Sequence[Envelope], stored: Callable[[str, str], Folded]
) -> dict[str, Rows]:
    """By table: the rows that `events`, in the order of their log, touch, as they are afterwards. stored: of a table
    and a key.

    An event at or before the position of a row is in it already: a projection follows one owner's log only. Raises
    CannotApply for an event that a projection raises on.
    """
    touched: dict[str, Rows] = {projection.TABLE: {} for projection in projections}
    for projection, key, envelope in _concerning(projections, events):
        rows = touched[projection.TABLE]
        known = rows.get(key) or stored(projection.TABLE, key)
        if envelope.position > known.position:
            rows[key] = _after(projection, known, envelope)
    return touched


def keys(projections: Sequence[Projection], events: Sequence[Envelope]) -> dict[str, set[str]]:
    """By table: of every row that `fold` may ask for. Raises CannotApply."""
    asked: dict[str, set[str]] = {}
    for projection, key, _ in _concerning(projections, events):
        asked.setdefault(projection.TABLE, set()).add(key)
    return asked


def _concerning(
    projections: Sequence[Projection], events: Sequence[Envelope]
) -> Iterator[tuple[Projection, str, Envelope]]:
    following: dict[str, list[Projection]] = {}
    for projection in projections:
        following.setdefault(projection.CATEGORY, []).append(projection)
    of_all = following.pop("", [])
    for event in events:
        for projection in (*following.get(event.stream.partition("-")[0], ()), *of_all):
            envelope = current(event)
            if (key := projection.key(envelope)) is not None:
                yield projection, key, envelope


def _after(projection: Projection, known: Folded, envelope: Envelope) -> Folded:
    try:
        row = projection.apply(known.row, envelope)
        return Folded(known.account_id or projection.account(envelope), envelope.position, row)
    except Exception as error:  # whatever it is: a pure function fails for one reason only, the event
        raise CannotApply(envelope) from error
