"""What is asked across the plans service's streams: which bases an account has, which bundles end when, and which
price books every bundle has yet to be told of."""

from dataclasses import dataclass
from datetime import date

import orjson

from contracts import codec
from contracts.envelope import Record
from contracts.plans import (
    PlanCancelled,
    PlanEdited,
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

_FOLLOWED = (
    PlanStarted,
    PlanEdited,
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


class BundleIndex(LogIndex):
    VERSION = 3
    SCHEMA = """
CREATE TABLE bundles (
    bundle_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, time_zone TEXT NOT NULL, sku TEXT NOT NULL,
    ends_on TEXT, ends_at TEXT, ended INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX bundles_by_account ON bundles (account_id);
CREATE INDEX bundles_by_end ON bundles (ends_at) WHERE ends_at IS NOT NULL AND NOT ended;
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
                row = (started.bundle_id, account_id, started.time_zone, started.line.sku)
                self._db.execute(
                    "INSERT OR REPLACE INTO bundles (bundle_id, account_id, time_zone, sku) VALUES (?, ?, ?, ?)", row
                )
                if started.cycle is Cycle.ONE_MONTH:
                    self._end(started.bundle_id, started.term_end)
            case PlanEdited(after=after) as edited if after.kind is ProductKind.BASE:
                self._set(edited.bundle_id, sku=after.sku)
            case PlanTermAdvanced() as advanced:
                self._set(advanced.bundle_id, sku=advanced.lines[0].sku)
            case PlanCancelled() as cancelled:
                self._end(cancelled.bundle_id, cancelled.ends_on)
            case PlanReinstated() as reinstated:
                self._set(reinstated.bundle_id, ends_on=None, ends_at=None)
            case PlanEnded() | PlanLapsed() as over:
                self._set(over.bundle_id, ended=1)
            case PriceBookPublished() | PriceBookWithdrawn() as book:
                published = (book.book_id, book.book_version, record.position)
                self._db.execute("INSERT INTO published VALUES (?, ?, ?)", published)

    def _end(self, bundle_id: str, on: date) -> None:
        (zone,) = self._db.execute("SELECT time_zone FROM bundles WHERE bundle_id = ?", (bundle_id,)).fetchone()
        self._set(bundle_id, ends_on=on.isoformat(), ends_at=instant(midnight(on, zone)))

    def _set(self, bundle_id: str, **values: str | int | None) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE bundles SET {columns} WHERE bundle_id = ?", (*values.values(), bundle_id))
