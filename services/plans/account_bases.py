"""Which base products an account has: the one question a command asks across streams (a webinar needs a workplace).

An index of the service's own log, kept in a small SQLite file. It follows now and then, and catches up to the end of
the log before it answers, so an answer counts every command acknowledged before it was asked.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import structlog

from contracts import codec
from contracts.envelope import Record
from contracts.plans import PlanCancelled, PlanEdited, PlanReinstated, PlanStarted, ProductKind
from contracts.terms import Cycle
from services.chassis.event_store import START, EventStore, StoreError, StoreUnavailable

FOLLOW_EVERY_S = 5.0
COMMIT_EVERY = 5_000  # events
FOLLOWED = {f"plans.{event.__name__}" for event in (PlanStarted, PlanEdited, PlanCancelled, PlanReinstated)}

# Raise the version whenever `_apply` changes: an index of another version is thrown away and built from the log.
VERSION = 1
SCHEMA = f"""
CREATE TABLE bases (bundle_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, sku TEXT NOT NULL, ends_on TEXT);
CREATE INDEX bases_by_account ON bases (account_id);
CREATE TABLE followed (position INTEGER NOT NULL);
INSERT INTO followed VALUES ({START});
PRAGMA user_version = {VERSION};
"""

log = structlog.get_logger(__name__)


class AccountBases:
    """Made by `open`."""

    def __init__(self, store: EventStore, db: sqlite3.Connection) -> None:
        self._store = store
        self._db = db
        self._following = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, store: EventStore, path: Path) -> AsyncIterator["AccountBases"]:
        bases = cls(store, _database(path))
        follower = asyncio.create_task(bases._follow())
        try:
            yield bases
        finally:
            follower.cancel()
            await asyncio.wait([follower])
            bases._db.close()

    async def of(self, account_id: str, on: date) -> frozenset[str]:
        """The skus of the account's bases that have not ended by a day. Raises StoreError."""
        try:
            await self._catch_up()
            rows = self._db.execute(
                "SELECT sku FROM bases WHERE account_id = ? AND (ends_on IS NULL OR ends_on > ?)",
                (account_id, on.isoformat()),
            )
            return frozenset(sku for (sku,) in rows)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the index of bases failed: {error}") from error

    async def _follow(self) -> None:
        """So that nobody has to wait for a long way to catch up."""
        while True:
            try:
                await self._catch_up()
            except (StoreError, sqlite3.Error) as error:
                log.warning("account_bases_behind", reason=str(error))
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _catch_up(self) -> None:
        async with self._following:
            (after,) = self._db.execute("SELECT position FROM followed").fetchone()
            records: list[Record] = []
            async for record in self._store.read_all(after):
                records.append(record)
                if len(records) >= COMMIT_EVERY:
                    self._take_in(records)
                    records.clear()
            self._take_in(records)

    def _take_in(self, records: list[Record]) -> None:
        """Rows and position in one transaction, with no await inside."""
        if not records:
            return
        with self._db:
            for record in records:
                if record.type in FOLLOWED:
                    self._apply(record)
            self._db.execute("UPDATE followed SET position = ?", (records[-1].position,))

    def _apply(self, record: Record) -> None:
        match codec.decode(record.type, record.version, record.data):
            case PlanStarted() as started:
                ends_on = started.term_end.isoformat() if started.cycle is Cycle.ONE_MONTH else None
                account_id = json.loads(record.metadata)["account_id"]
                row = (started.bundle_id, account_id, started.line.sku, ends_on)
                self._db.execute("INSERT OR REPLACE INTO bases VALUES (?, ?, ?, ?)", row)
            case PlanEdited(after=after) as edited if after.kind is ProductKind.BASE:
                self._db.execute("UPDATE bases SET sku = ? WHERE bundle_id = ?", (after.sku, edited.bundle_id))
            case PlanCancelled() as cancelled:
                ends_on = cancelled.ends_on.isoformat()
                self._db.execute("UPDATE bases SET ends_on = ? WHERE bundle_id = ?", (ends_on, cancelled.bundle_id))
            case PlanReinstated() as reinstated:
                self._db.execute("UPDATE bases SET ends_on = NULL WHERE bundle_id = ?", (reinstated.bundle_id,))


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    if not _is_current(db):
        db.close()
        for file in (path, path.with_name(f"{path.name}-journal")):
            file.unlink(missing_ok=True)
        db = sqlite3.connect(path)
        db.executescript(SCHEMA)
    db.execute("PRAGMA synchronous = OFF")  # a file lost with the machine is built again from the log
    return db


def _is_current(db: sqlite3.Connection) -> bool:
    """False also for a file that a crash of the machine has torn: it was never synced."""
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return bool(version == VERSION and db.execute("PRAGMA quick_check").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False
