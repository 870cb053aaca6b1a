"""Counts an owner's log anew, beside its ledger and its signed heads, and names the first event that is not as it was.

The ledger knows every event, so it can name one; but who can write to the store may have rewritten the ledger as well.
Signed heads know a day's end each: they say which of the two was changed, or between which days both were.
Memory holds a hash per account, and an id: not the log.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from contracts.audit import Head
from contracts.canonical import BEGINNING, link
from contracts.envelope import Record
from contracts.merkle import Growing, leaf_hash
from services.chassis.event_store import START
from services.chassis.ledger import Ledger, Row, owner_of


@dataclass(slots=True)
class Findings:
    """What was found. size, position: of the log. wrong: sentences, none when all is as it was. notes: what could not
    be told, or is as it should be."""

    owner: str
    size: int = 0
    position: int = START
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Difference:
    """The first place at which log and ledger are not the same. row: None at the end of the ledger."""

    record: Record
    row: Row


class Checker:
    """Takes in one owner's log, from its first event on."""

    def __init__(self, owner: str, ledger: Ledger | None, signed: Sequence[Head]) -> None:
        """signed: heads whose signatures are sound, the shortest log first."""
        self.found = Findings(owner)
        self._links: dict[str, bytes] = {}
        self._tree, self._rows_tree = Growing(), Growing()
        self._ledger = ledger
        self._ledger_size = ledger.end()[0] if ledger else None  # it grows while we read
        self._rows: Iterator[Row] = ledger.rows(self._ledger_size or 0) if ledger else iter(())
        self._row = next(self._rows, None)
        self._signed = signed
        self._heads = list(signed)
        self._last: Record | None = None
        self._agreed: Head | None = None
        self._disagreed: Head | None = None
        self._ledger_disagreed = False
        self._first: _Difference | None = None
        self._missing_is_elsewhere = False

    def take(self, record: Record) -> None:
        account = owner_of(record)
        now = self._links[account] = link(self._links.get(account, BEGINNING), record)
        self._tree.add(leaf_hash(now))
        self._beside_the_ledger(record, now)
        self.found.size, self.found.position = self._tree.size, record.position
        self._last = record
        if self._heads and self._heads[0].size == self._tree.size:
            self._at(self._heads.pop(0))

    def broken(self, why: str) -> None:
        """Where an event should be stands something else: nothing after it can be read."""
        self.found.wrong.append(f"After position {self.found.position} stands something that is no event: {why}.")

    def unseen(self, what: str) -> None:
        """The log has what no reader of it comes by."""
        self.found.wrong.append(what)

    def end(self) -> Findings:
        """After the last event."""
        if self._first:
            self.found.wrong.append(self._named(self._first))
        elif self._row and not self.found.wrong:
            self.found.wrong.append(
                f"The tail was cut: the log ends after {self.found.size} events, and the first that is missing is"
                f" {_told(self._row)}."
            )
        self._what_heads_say()
        return self.found

    def _beside_the_ledger(self, record: Record, now: bytes) -> None:
        if self._first:
            self._missing_is_elsewhere |= record.event_id == self._first.row.event_id
        if (row := self._row) is None:
            return
        self._rows_tree.add(leaf_hash(row.link))
        self._row = next(self._rows, None)
        if not self._first and (record.position, now) != (row.position, row.link):
            self._first = _Difference(record, row)

    def _at(self, head: Head) -> None:
        if self._ledger and self._rows_tree.size == head.size and self._rows_tree.root().hex() != head.root:
            self._ledger_disagreed = True
        if self._disagreed is None:
            if self._tree.root().hex() == head.root and self.found.position == head.position:
                self._agreed = head
            else:
                self._disagreed = head

    def _named(self, first: _Difference) -> str:
        record, row = first.record, first.row
        if record.event_id == row.event_id:
            return f"Edited: {_told(row)}."
        place = self._place_of(record.event_id)
        is_known = place is not None and place > row.number
        if is_known and self._missing_is_elsewhere:
            return f"Reordered: {_told(record)}, stands where {_told(row)}, was."
        if is_known:
            return f"Removed: {_told(row)}."
        if self._missing_is_elsewhere:
            return f"Inserted: {_told(record)}, which the ledger does not know there."
        return f"Replaced: {_told(row)}, by {_told(record)}."

    def _place_of(self, event_id: str) -> int | None:
        assert self._ledger
        return max((row.number for row in self._ledger.rows_of(event_id)), default=None)

    def _what_heads_say(self) -> None:
        wrong, agreed = self.found.wrong, self._agreed
        up_to = (
            f"the head of {agreed.signed_at}, {agreed.size} events up to position {agreed.position}" if agreed else ""
        )
        if self._disagreed:
            since = f"after {up_to}, which agrees, and" if agreed else "from the first event on,"
            wrong.append(
                f"The log is not what was signed: it was changed {since} up to the head of"
                f" {self._disagreed.signed_at} ({self._disagreed.size} events, position {self._disagreed.position})."
            )
            if self._ledger and not self._first:
                wrong.append("Log and ledger agree with each other, so both were rewritten.")
        elif self._heads:
            head = self._heads[-1]
            wrong.append(
                f"The tail was cut, or this log is older: it ends after {self.found.size} events, and at"
                f" {head.signed_at} {head.size} were signed, up to position {head.position}."
            )
        elif not self._signed and self.found.size:
            wrong.append("No head was signed of this log, or all of them were removed.")
        elif agreed:
            self.found.notes.append(f"It agrees with {up_to}; {self.found.size - agreed.size} events are younger.")
            self._look_for_later_heads(agreed)
            if self._first and self._ledger_disagreed:
                wrong.append("The log agrees with what was signed: it is the ledger that was changed.")
        if self._signed and self._ledger_size is not None and self._ledger_size < self._signed[-1].size:
            wrong.append(f"The ledger was cut: it ends after {self._ledger_size} events, and more were signed.")

    def _look_for_later_heads(self, newest: Head) -> None:
        """A head that was removed leaves no trace but days that nobody signed."""
        last_on = self._last and day_of(self._last)
        if last_on and last_on - date.fromisoformat(newest.signed_at[:10]) > timedelta(days=1):
            self.found.notes.append(f"Nothing is signed of the days up to {last_on}: is a head missing?")


def day_of(record: Record) -> date | None:
    """On which it was recorded; None if its metadata do not say."""
    try:
        return date.fromisoformat(json.loads(record.metadata)["recorded_at"][:10])
    except (ValueError, LookupError, TypeError):
        return None


def _told(event: Record | Row) -> str:
    return f"{event.type} {event.event_id} at position {event.position}, revision {event.revision} of {event.stream}"
