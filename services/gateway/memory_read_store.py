"""The read models of one account in memory: made by the folds that make those that are kept, read, and let go."""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from contracts.envelope import Envelope

from .folding import NOTHING, Folded, fold
from .projections import PROJECTIONS, history

BATCH_EVENTS = 1_000  # in their decoded form, which is many times larger

Kept = tuple[str, bytes | None]  # account, JSON


class MemoryReadStore:
    """Made by `folded`. tables: by name and key, in the order in which the rows came to be."""

    def __init__(self, tables: Mapping[str, Mapping[str, Kept]]) -> None:
        self._tables = tables

    async def row(self, table: str, key: str) -> bytes | None:
        _, row = self._tables[table].get(key, ("", None))
        return row

    async def rows_of(self, table: str, account_id: str) -> list[bytes]:
        return [row for of, row in self._tables[table].values() if of == account_id and row is not None]

    async def page(self, table: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        found = (
            (key, row) for key, (_, row) in self._tables[table].items() if row is not None and after < key < before
        )
        return sorted(found, reverse=True)[:limit]


def folded(rows: Sequence[tuple[str, bytes]]) -> MemoryReadStore:
    """rows: of the history, each owner's by position. Raises CannotApply."""
    tables: dict[str, dict[str, Folded]] = {each.TABLE: {} for each in PROJECTIONS if each is not history}
    projections = [each for each in PROJECTIONS if each is not history]
    for events in _batches(rows):
        touched = fold(projections, events, lambda table, key: tables[table].get(key, NOTHING))
        for table, of_table in touched.items():
            tables[table].update(of_table)
    kept: dict[str, dict[str, Kept]] = {
        table: {
            key: (each.account_id, None if each.row is None else orjson.dumps(each.row))
            for key, each in of_table.items()
        }
        for table, of_table in tables.items()
    }
    # The history's rows are the events: what they were read from is what they would be folded into.
    return MemoryReadStore({**kept, history.TABLE: {key: ("", row) for key, row in rows}})


def _batches(rows: Sequence[tuple[str, bytes]]) -> Iterator[list[Envelope]]:
    for start in range(0, len(rows), BATCH_EVENTS):
        yield [_event(key, row) for key, row in rows[start : start + BATCH_EVENTS]]


def _event(key: str, row: bytes) -> Envelope:
    """The event that `history.apply` made the row of, but for what no read model asks: the command it came from."""
    members = orjson.loads(row)
    metadata = {"account_id": key.partition("/")[0], **{name: members[name] for name in history.TOLD}}
    return Envelope(
        members["position"],
        members["stream"],
        members["revision"],
        members["event_id"],
        members["type"],
        members["version"],
        metadata,
        members["data"],
    )
