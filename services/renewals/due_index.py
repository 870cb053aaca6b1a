"""What is due when, of all accounts: renewals whose day comes, and payments that are to be tried again."""

from dataclasses import dataclass
from datetime import date

import orjson

from contracts import codec
from contracts.envelope import Record
from contracts.leases import next_month_on
from contracts.renewals import (
    BillingTermsNoted,
    InvoiceCollected,
    InvoiceCut,
    PaymentFailed,
    RenewalDue,
    RenewalQuoteChanged,
    RenewalScheduled,
    RentalEnded,
    RentalNoted,
    RentalsCharged,
)
from contracts.terms import Cycle
from services.chassis.clock import instant, midnight
from services.chassis.log_index import LogIndex

_FOLLOWED = (
    BillingTermsNoted,
    RenewalScheduled,
    RenewalQuoteChanged,
    RenewalDue,
    PaymentFailed,
    InvoiceCollected,
    InvoiceCut,
    RentalNoted,
    RentalEnded,
    RentalsCharged,
)


@dataclass(frozen=True, slots=True)
class DueRenewal:
    account_id: str
    cadence: Cycle
    due_on: date


@dataclass(frozen=True, slots=True)
class DueRentals:
    """Of all leases of an account of which a month begins on a day. lease_id: the first of them."""

    account_id: str
    due_on: date
    lease_id: str


@dataclass(frozen=True, slots=True)
class DueTry:
    """attempt: its number."""

    account_id: str
    invoice_id: str
    try_on: date
    attempt: int


class DueIndex(LogIndex):
    VERSION = 2
    SCHEMA = """
CREATE TABLE zones (account_id TEXT PRIMARY KEY, time_zone TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE shares (
    account_id TEXT NOT NULL, cadence TEXT NOT NULL, due_on TEXT NOT NULL, bundle_id TEXT NOT NULL,
    due_at TEXT NOT NULL, PRIMARY KEY (account_id, cadence, due_on, bundle_id)
) WITHOUT ROWID;
CREATE INDEX shares_by_time ON shares (due_at);
CREATE TABLE rentals (
    account_id TEXT NOT NULL, lease_id TEXT NOT NULL, started_on TEXT NOT NULL, ended_on TEXT NOT NULL,
    months INTEGER NOT NULL, next_on TEXT NOT NULL, next_at TEXT NOT NULL, PRIMARY KEY (account_id, lease_id)
) WITHOUT ROWID;
CREATE INDEX rentals_by_time ON rentals (next_at);
CREATE TABLE tries (
    invoice_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, try_on TEXT NOT NULL, try_at TEXT NOT NULL,
    attempt INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tries_by_time ON tries (try_at);
"""
    TYPES = frozenset(f"renewals.{event.__name__}" for event in _FOLLOWED)

    async def first_at(self) -> str | None:
        """The instant at which something is due next."""
        await self.catch_up()
        query = (
            "SELECT min(at) FROM (SELECT min(due_at) AS at FROM shares UNION ALL SELECT min(try_at) FROM tries"
            " UNION ALL SELECT min(next_at) FROM rentals)"
        )
        found: tuple[str | None] = self._db.execute(query).fetchone()
        return found[0]

    async def renewals(self, until: str) -> list[DueRenewal]:
        """Renewals whose day has begun by an instant, the earliest first; a thousand at most."""
        await self.catch_up()
        rows = self._db.execute(
            "SELECT DISTINCT account_id, cadence, due_on, due_at FROM shares WHERE due_at <= ?"
            " ORDER BY due_at, account_id, cadence LIMIT 1000",
            (until,),
        )
        return [DueRenewal(account, Cycle(cadence), date.fromisoformat(on)) for account, cadence, on, _ in rows]

    async def rentals(self, until: str) -> list[DueRentals]:
        """Days on which months of leases have begun by an instant, the earliest first; a thousand at most."""
        await self.catch_up()
        rows = self._db.execute(
            "SELECT account_id, next_on, min(lease_id) FROM rentals WHERE next_at <= ?"
            " GROUP BY next_at, account_id, next_on ORDER BY next_at, account_id LIMIT 1000",
            (until,),
        )
        return [DueRentals(account, date.fromisoformat(on), lease) for account, on, lease in rows]

    async def tries(self, until: str) -> list[DueTry]:
        """Payments to be tried again by an instant, the earliest first; a thousand at most."""
        await self.catch_up()
        rows = self._db.execute(
            "SELECT account_id, invoice_id, try_on, attempt FROM tries WHERE try_at <= ?"
            " ORDER BY try_at, invoice_id LIMIT 1000",
            (until,),
        )
        return [DueTry(account, invoice, date.fromisoformat(on), attempt) for account, invoice, on, attempt in rows]

    def apply(self, record: Record) -> None:
        account_id: str = orjson.loads(record.metadata)["account_id"]
        match codec.decode(record.type, record.version, record.data):
            case BillingTermsNoted() as terms:
                self._db.execute("INSERT OR REPLACE INTO zones VALUES (?, ?)", (account_id, terms.time_zone))
            case RenewalScheduled() | RenewalQuoteChanged() as told:
                key = (account_id, told.cadence, told.due_on.isoformat(), told.share.bundle_id)
                if told.share.lines:
                    row = (*key, self._midnight(account_id, told.due_on))
                    self._db.execute("INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?, ?)", row)
                else:
                    where = "account_id = ? AND cadence = ? AND due_on = ? AND bundle_id = ?"
                    self._db.execute(f"DELETE FROM shares WHERE {where}", key)
            case RenewalDue() as due:
                self._db.execute(
                    "DELETE FROM shares WHERE account_id = ? AND cadence = ? AND due_on = ?",
                    (account_id, due.cadence, due.due_on.isoformat()),
                )
            case RentalNoted() as noted:
                self._expect(account_id, noted.lease_id, noted.started_on, date.max, 1)
            case RentalEnded() as ended:
                started_on, _, months = self._rental(account_id, ended.lease_id)
                self._expect(account_id, ended.lease_id, started_on, ended.ended_on, months)
            case RentalsCharged() as charged:
                for lease_id in charged.lease_ids:
                    started_on, ended_on, months = self._rental(account_id, lease_id)
                    self._expect(account_id, lease_id, started_on, ended_on, months + 1)
            case PaymentFailed(next_try_on=try_on) as failed if try_on:
                at = self._midnight(account_id, try_on)
                again = (failed.invoice_id, account_id, try_on.isoformat(), at, failed.attempt + 1)
                self._db.execute("INSERT OR REPLACE INTO tries VALUES (?, ?, ?, ?, ?)", again)
            case PaymentFailed() | InvoiceCollected() | InvoiceCut() as over:
                self._db.execute("DELETE FROM tries WHERE invoice_id = ?", (over.invoice_id,))

    def _rental(self, account_id: str, lease_id: str) -> tuple[date, date, int]:
        query = "SELECT started_on, ended_on, months FROM rentals WHERE account_id = ? AND lease_id = ?"
        started_on, ended_on, months = self._db.execute(query, (account_id, lease_id)).fetchone()
        return date.fromisoformat(started_on), date.fromisoformat(ended_on), months

    def _expect(self, account_id: str, lease_id: str, started_on: date, ended_on: date, months: int) -> None:
        """So many months are charged; the row says when the next one begins, or is gone with the last."""
        next_on = next_month_on(started_on, ended_on, months)
        if next_on is None:
            self._db.execute("DELETE FROM rentals WHERE account_id = ? AND lease_id = ?", (account_id, lease_id))
            return
        dates = (started_on.isoformat(), ended_on.isoformat(), months, next_on.isoformat())
        row = (account_id, lease_id, *dates, self._midnight(account_id, next_on))
        self._db.execute("INSERT OR REPLACE INTO rentals VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _midnight(self, account_id: str, on: date) -> str:
        found = self._db.execute("SELECT time_zone FROM zones WHERE account_id = ?", (account_id,)).fetchone()
        return instant(midnight(on, found[0] if found else "UTC"))
