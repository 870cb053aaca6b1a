"""What devices know of plans: accounts, active bases with their licences, price books. A sink of plans' events.

Prices and plans are owned by the plans service; their events are followed into a small SQLite file, so that an order is
decided here, whoever is away. Turned down: asking plans for a quote with each order, which would make every order wait
for another service, and a second price computation's home of it.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from contracts.envelope import Envelope
from contracts.money import Currency
from contracts.plan_actions import Hold
from contracts.plans import PriceBookPublished, ProductKind
from contracts.terms import Cycle
from contracts.topics import Owner
from services.chassis.checkpoints import Checkpoints
from services.chassis.derived_file import open_derived, within
from services.chassis.sink import NOWHERE, CannotApply, Parked

from .shop import Account, Shop

BOOK = "standard"  # the price book the plans service sells from

# Raise the version whenever `_apply` changes: an index of another version is thrown away and followed anew.
VERSION = 2
SCHEMA = """
CREATE TABLE accounts (account_id TEXT PRIMARY KEY, currency TEXT NOT NULL, time_zone TEXT NOT NULL);
CREATE TABLE bases (
    bundle_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, sku TEXT NOT NULL, licences INTEGER NOT NULL, ends_on TEXT
);
CREATE TABLE holds (
    account_id TEXT NOT NULL, hold TEXT NOT NULL, invoice_id TEXT NOT NULL, amount_minor INTEGER NOT NULL,
    PRIMARY KEY (account_id, hold, invoice_id)
) WITHOUT ROWID;
CREATE INDEX bases_by_account ON bases (account_id);
CREATE TABLE books (version INTEGER PRIMARY KEY, effective_from TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE retired (sku TEXT PRIMARY KEY, retired_on TEXT NOT NULL);
"""


class PlansIndex:
    """A consumer's sink: rows first, then checkpoints through `progress`. An event applied twice changes nothing: every
    row is what the latest event of its stream says, and streams come in order."""

    def __init__(self, db: sqlite3.Connection, progress: Checkpoints, ratio: int) -> None:
        self._db = db
        self._progress = progress
        self._ratio = ratio

    @classmethod
    @contextmanager
    def open(cls, folder: Path, ratio: int) -> Iterator["PlansIndex"]:
        """ratio: rented units for each licence (DOMAIN B13)."""
        path, checkpoints = within(folder, "plans_index.sqlite3"), within(folder, "plans_followed.sqlite3")
        # Both files or none: rows without their events would never be made again. And what is lost with the machine
        # must be lost in both, so rows are on disk before a checkpoint.
        db = open_derived(path, VERSION, SCHEMA, checkpoints, synchronous="FULL")
        try:
            with Checkpoints.open(checkpoints) as progress:
                yield cls(db, progress, ratio)
        finally:
            db.close()

    def shop(self, account_id: str, on: date, rented: Mapping[str, int]) -> Shop:
        """What is known of the account's plans on a day, as far as plans are followed."""
        books = self._db.execute(
            "SELECT body FROM books WHERE effective_from <= ? ORDER BY effective_from, version", (on.isoformat(),)
        )
        retired = self._db.execute("SELECT sku FROM retired WHERE retired_on <= ?", (on.isoformat(),))
        begun = [_book(body) for (body,) in books]
        return Shop(
            account=self.account(account_id),
            book=begun[-1] if begun else None,
            retired=frozenset(sku for (sku,) in retired),
            known_skus=frozenset(product.sku for book in begun for product in book.products),
            licences=self._licences(account_id, on),
            rented=rented,
            ratio=self._ratio,
        )

    def account(self, account_id: str) -> Account | None:
        query = "SELECT currency, time_zone FROM accounts WHERE account_id = ?"
        found = self._db.execute(query, (account_id,)).fetchone()
        return Account(Currency(found[0]), found[1], self._holds(account_id)) if found else None

    def _holds(self, account_id: str) -> dict[tuple[Hold, str], int]:
        rows = self._db.execute("SELECT hold, invoice_id, amount_minor FROM holds WHERE account_id = ?", (account_id,))
        return {(Hold(hold), invoice_id): amount_minor for hold, invoice_id, amount_minor in rows}

    def _licences(self, account_id: str, on: date) -> dict[str, int]:
        rows = self._db.execute(
            "SELECT sku, sum(licences) FROM bases"
            " WHERE account_id = ? AND (ends_on IS NULL OR ends_on > ?) GROUP BY sku",
            (account_id, on.isoformat()),
        )
        return dict(rows.fetchall())

    # The sink

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return await self._progress.checkpoints(owner)

    async def parked_streams(self, owner: Owner) -> set[str]:
        return await self._progress.parked_streams(owner)

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        return await self._progress.parked_events(owner, stream)

    async def unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        self._take_in(events)
        await self._progress.forget_parked(owner, stream)

    async def apply(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        self._take_in(events)
        await self._progress.save(owner, checkpoints, parked)

    def _take_in(self, events: Sequence[Envelope]) -> None:
        with self._db:
            for event in events:
                try:
                    self._apply(event)
                except (KeyError, TypeError, ValueError) as error:
                    raise CannotApply(event) from error

    def _apply(self, event: Envelope) -> None:
        body, execute = event.data, self._db.execute
        match event.type:
            case "plans.AccountOpened":
                row = (event.account_id, body["currency"], body["time_zone"])
                execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", row)
            case "plans.PriceBookPublished" if body["book_id"] == BOOK:
                book = (body["book_version"], body["effective_from"], orjson.dumps(body))
                execute("INSERT OR REPLACE INTO books VALUES (?, ?, ?)", book)
            case "plans.PriceBookWithdrawn" if body["book_id"] == BOOK:
                execute("DELETE FROM books WHERE version = ?", (body["book_version"],))
            case "plans.ProductRetired" if body["book_id"] == BOOK:
                execute("INSERT OR REPLACE INTO retired VALUES (?, ?)", (body["sku"], body["retired_on"]))
            case "plans.PlanStarted":
                execute("INSERT OR REPLACE INTO bases VALUES (?, ?, ?, ?, ?)", _base(event))
            case "plans.PlanEdited" if body["after"]["kind"] == ProductKind.BASE:
                changed = (body["after"]["sku"], body["after"]["quantity"], body["bundle_id"])
                execute("UPDATE bases SET sku = ?, licences = ? WHERE bundle_id = ?", changed)
            case "plans.PlanCancelled":
                execute("UPDATE bases SET ends_on = ? WHERE bundle_id = ?", (body["ends_on"], body["bundle_id"]))
            case "plans.PlanTermAdvanced":
                for line in body["lines"]:
                    if line["kind"] == ProductKind.BASE:
                        renewed = (line["sku"], line["quantity"], body["bundle_id"])
                        execute("UPDATE bases SET sku = ?, licences = ? WHERE bundle_id = ?", renewed)
            case "plans.PlanEnded":
                execute("UPDATE bases SET ends_on = ? WHERE bundle_id = ?", (body["ended_on"], body["bundle_id"]))
            case "plans.PlanLapsed":
                execute("UPDATE bases SET ends_on = ? WHERE bundle_id = ?", (body["lapsed_on"], body["bundle_id"]))
            case "plans.AccountHoldPlaced":
                held = (event.account_id, body["hold"], body["invoice_id"] or "", body["amount_minor"] or 0)
                execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?)", held)
            case "plans.AccountHoldLifted":
                lifted = (event.account_id, body["hold"], body["invoice_id"] or "")
                execute("DELETE FROM holds WHERE account_id = ? AND hold = ? AND invoice_id = ?", lifted)
            case "plans.PlanReinstated":
                execute("UPDATE bases SET ends_on = NULL WHERE bundle_id = ?", (body["bundle_id"],))


def _base(started: Envelope) -> tuple[Any, ...]:
    body = started.data
    ends_on = body["term_end"] if body["cycle"] == Cycle.ONE_MONTH else None
    return body["bundle_id"], started.account_id, body["line"]["sku"], body["line"]["quantity"], ends_on


@lru_cache(16)
def _book(body: bytes) -> PriceBookPublished:
    return PriceBookPublished.model_validate_json(body)
