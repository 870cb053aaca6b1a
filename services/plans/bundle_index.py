"""What is asked across the plans service's streams: which bases an account has, which bundles end when, and which
price books every bundle has yet to be told of."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import orjson

from contracts import codec
from contracts.envelope import Record
from contracts.plans import (
    Direction,
    PlanCancelled,
    PlanCycleChanged,
    PlanEditDiscarded,
    PlanEdited,
    PlanEditScheduled,
    PlanEditWarned,
    PlanEnded,
    PlanLapsed,
    PlanReinstated,
    PlanStarted,
    PlanTermAdvanced,
    PriceBookPublished,
    PriceBookWithdrawn,
    ProductKind,
)
from contracts.terms import Cycle
from services.chassis.clock import instant, midnight
from services.chassis.log_index import LogIndex

from .scheduled import WARNED_BEFORE

_FOLLOWED = (
    PlanStarted,
    PlanEdited,
    PlanEditScheduled,
    PlanEditDiscarded,
    PlanEditWarned,
    PlanCycleChanged,
    PlanCancelled,
    PlanReinstated,
    PlanTermAdvanced,
    PlanEnded,
    PlanLapsed,
    PriceBookPublished,
    PriceBookWithdrawn,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A bundle that will not go on. ends_on: in the account's zone; ends_at: the instant that day begins."""

    bundle_id: str
    account_id: str
    ends_on: date
    ends_at: str


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that is to happen to a scheduled edit on a day, in the account's zone."""

    bundle_id: str
    account_id: str
    change_id: str
    on: date


What = Literal["effect", "warning"]


class BundleIndex(LogIndex):
    VERSION = 4
    SCHEMA = """
CREATE TABLE bundles (
    bundle_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, time_zone TEXT NOT NULL, sku TEXT NOT NULL,
    term_end TEXT NOT NULL, ends_on TEXT, ends_at TEXT, ended INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX bundles_by_account ON bundles (account_id);
CREATE INDEX bundles_by_end ON bundles (ends_at) WHERE ends_at IS NOT NULL AND NOT ended;
CREATE TABLE coming (
    what TEXT NOT NULL, bundle_id TEXT NOT NULL, change_id TEXT NOT NULL, on_day TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (what, bundle_id, change_id)
);
CREATE INDEX coming_by_instant ON coming (what, at);
CREATE TABLE published (book_id TEXT NOT NULL, book_version INTEGER NOT NULL, position INTEGER NOT NULL);
"""
    TYPES = frozenset(f"plans.{event.__name__}" for event in _FOLLOWED)

    async def bases(self, account_id: str, on: date) -> frozenset[str]:
        """The skus of the account's bases that have not ended by a day. Raises StoreError."""
        await self.catch_up()
        rows = self._db.execute(
            "SELECT sku FROM bundles WHERE account_id = ? AND NOT ended AND (ends_on IS NULL OR ends_on > ?)",
            (account_id, on.isoformat()),
        )
        return frozenset(sku for (sku,) in rows)

    async def endings(self, until: str = "9999") -> list[Ending]:
        """Bundles whose end has come by an instant but is not recorded yet, the earliest first; a thousand at most."""
        await self.catch_up()
        rows = self._db.execute(
            "SELECT bundle_id, account_id, ends_on, ends_at FROM bundles WHERE ends_at <= ? AND NOT ended"
            " ORDER BY ends_at, bundle_id LIMIT 1000",
            (until,),
        )
        return [Ending(bundle_id, account_id, date.fromisoformat(on), at) for bundle_id, account_id, on, at in rows]

    async def first_end(self) -> str | None:
        """The instant of the earliest end to come."""
        await self.catch_up()
        query = "SELECT min(ends_at) FROM bundles WHERE ends_at IS NOT NULL AND NOT ended"
        found: tuple[str | None] = self._db.execute(query).fetchone()
        return found[0]

    async def coming(self, what: What, until: str = "9999") -> list[Coming]:
        """Effects of edits within their term, and warnings before reductions, due by an instant, the earliest first; a
        thousand at most."""
        await self.catch_up()
        rows = self._db.execute(
            "SELECT bundle_id, account_id, change_id, on_day FROM coming JOIN bundles USING (bundle_id)"
            " WHERE what = ? AND at <= ? ORDER BY at, bundle_id, change_id LIMIT 1000",
            (what, until),
        )
        return [
            Coming(bundle_id, account_id, change, date.fromisoformat(on)) for bundle_id, account_id, change, on in rows
        ]

    async def first_coming(self, what: What) -> str | None:
        """The instant of the earliest one."""
        await self.catch_up()
        found: tuple[str | None] = self._db.execute("SELECT min(at) FROM coming WHERE what = ?", (what,)).fetchone()
        return found[0]

    def passed(self, what: What, each: Coming) -> None:
        """Its day has come, and nothing was to be recorded. Forgotten when the index is built anew."""
        with self._db:
            self._forget(each.bundle_id, each.change_id, what)

    async def published(self) -> list[tuple[str, int, int]]:
        """Price books (id, version, position of the event) published or withdrawn that `told` was not called for, the
        oldest first."""
        await self.catch_up()
        return self._db.execute("SELECT book_id, book_version, position FROM published ORDER BY position").fetchall()

    def told(self, position: int) -> None:
        """Every bundle knows what the price book published there changes. Forgotten when the index is built anew."""
        with self._db:
            self._db.execute("DELETE FROM published WHERE position = ?", (position,))

    def live(self, after: str = "") -> list[tuple[str, str, str]]:
        """Bundles (id, account, time zone) that have not ended, by id, after one; a thousand at most."""
        return self._db.execute(
            "SELECT bundle_id, account_id, time_zone FROM bundles WHERE NOT ended AND bundle_id > ?"
            " ORDER BY bundle_id LIMIT 1000",
            (after,),
        ).fetchall()

    def apply(self, record: Record) -> None:
        match codec.decode(record.type, record.version, record.data):
            case PlanStarted() as started:
                account_id = orjson.loads(record.metadata)["account_id"]
                end = started.term_end.isoformat()
                row = (started.bundle_id, account_id, started.time_zone, started.line.sku, end)
                self._db.execute(
                    "INSERT OR REPLACE INTO bundles (bundle_id, account_id, time_zone, sku, term_end)"
                    " VALUES (?, ?, ?, ?, ?)",
                    row,
                )
                if started.cycle is Cycle.ONE_MONTH:
                    self._end(started.bundle_id, started.term_end)
            case PlanEdited(after=after) as edited:
                self._forget(edited.bundle_id, edited.change_id)
                if after.kind is ProductKind.BASE:
                    self._set(edited.bundle_id, sku=after.sku)
            case PlanEditScheduled() as scheduled:
                self._schedule(scheduled)
            case PlanEditDiscarded() as discarded:
                self._forget(discarded.bundle_id, discarded.change_id)
            case PlanEditWarned() as warned:
                self._forget(warned.bundle_id, warned.change_id, "warning")
            case PlanTermAdvanced() | PlanCycleChanged() as begun:
                self._set(begun.bundle_id, sku=begun.lines[0].sku, term_end=begun.term_end.isoformat())
            case PlanCancelled() as cancelled:
                self._end(cancelled.bundle_id, cancelled.ends_on)
            case PlanReinstated() as reinstated:
                self._set(reinstated.bundle_id, ends_on=None, ends_at=None)
            case PlanEnded() | PlanLapsed() as over:
                self._set(over.bundle_id, ended=1)
                self._db.execute("DELETE FROM coming WHERE bundle_id = ?", (over.bundle_id,))
            case PriceBookPublished() | PriceBookWithdrawn() as book:
                published = (book.book_id, book.book_version, record.position)
                self._db.execute("INSERT INTO published VALUES (?, ?, ?)", published)

    def _schedule(self, scheduled: PlanEditScheduled) -> None:
        """It takes effect by itself within the term; at its end the next term takes it in."""
        self._forget(scheduled.bundle_id, scheduled.supersedes)
        (term_end,) = self._db.execute(
            "SELECT term_end FROM bundles WHERE bundle_id = ?", (scheduled.bundle_id,)
        ).fetchone()
        if scheduled.effective_on.isoformat() < term_end:
            self._come("effect", scheduled, scheduled.effective_on)
        if scheduled.after.kind is ProductKind.BASE and scheduled.direction is Direction.DOWN:
            self._come("warning", scheduled, scheduled.effective_on - WARNED_BEFORE)

    def _come(self, what: What, scheduled: PlanEditScheduled, on: date) -> None:
        row = (what, scheduled.bundle_id, scheduled.change_id, on.isoformat(), self._instant(scheduled.bundle_id, on))
        self._db.execute("INSERT OR REPLACE INTO coming VALUES (?, ?, ?, ?, ?)", row)

    def _forget(self, bundle_id: str, change_id: str | None, what: str = "%") -> None:
        self._db.execute(
            "DELETE FROM coming WHERE bundle_id = ? AND change_id = ? AND what LIKE ?", (bundle_id, change_id, what)
        )

    def _end(self, bundle_id: str, on: date) -> None:
        self._set(bundle_id, ends_on=on.isoformat(), ends_at=self._instant(bundle_id, on))

    def _instant(self, bundle_id: str, on: date) -> str:
        """When a day begins for the bundle's account."""
        (zone,) = self._db.execute("SELECT time_zone FROM bundles WHERE bundle_id = ?", (bundle_id,)).fetchone()
        return instant(midnight(on, zone))

    def _set(self, bundle_id: str, **values: str | int | None) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE bundles SET {columns} WHERE bundle_id = ?", (*values.values(), bundle_id))
