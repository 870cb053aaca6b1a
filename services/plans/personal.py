"""Names, mails, addresses and what people said in their own words, beside the log: written, read and erased, and never
part of an event.

Erased is gone: SQLite overwrites the bytes (`secure_delete`); PostgreSQL gives them up with its next vacuum. Copies in
backups are the operator's to let expire.
"""

import sqlite3
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, closing
from datetime import datetime
from typing import Any, Protocol

from services.chassis.derived_file import IN_MEMORY, within
from services.chassis.event_store import StoreUnavailable
from services.chassis.postgres import Database, open_database

from .settings import PlansSettings

ORPHAN_S = 3600.0  # a record no event names is one whose command is under way, or was lost on its way

_SQLITE = """CREATE TABLE IF NOT EXISTS records (
    record TEXT PRIMARY KEY, account_id TEXT NOT NULL, body TEXT NOT NULL, written_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS records_by_account ON records (account_id);
CREATE TABLE IF NOT EXISTS comments (comment TEXT PRIMARY KEY, account_id TEXT NOT NULL, body TEXT);
CREATE INDEX IF NOT EXISTS comments_by_account ON comments (account_id);"""
_POSTGRES = (
    "CREATE TABLE {schema}.records (record text PRIMARY KEY, account_id text NOT NULL, body text NOT NULL,"
    " written_at double precision NOT NULL)",
    "CREATE INDEX records_by_account ON {schema}.records (account_id)",
)
_COMMENTS = (
    "CREATE TABLE {schema}.comments (comment text PRIMARY KEY, account_id text NOT NULL, body text)",
    "CREATE INDEX comments_by_account ON {schema}.comments (account_id)",
)


class PersonalRecords(Protocol):
    """Every call raises StoreUnavailable."""

    async def put(self, record: str, account_id: str, body: str, now: datetime) -> None: ...

    async def of(self, account_id: str) -> dict[str, str]:
        """By record."""
        ...

    async def erase(self, account_id: str, record: str) -> None: ...

    async def sweep(self, account_id: str, kept: Collection[str], now: datetime) -> None:
        """Erases what was written an hour ago or earlier and is not among `kept`."""
        ...

    async def say(self, comment: str, account_id: str, body: str) -> None:
        """Nothing, if it was said before: what was erased does not come back with a command that is sent again."""
        ...

    async def said(self, account_id: str, comment: str) -> str | None:
        """None: never, or erased."""
        ...

    async def holds_any(self, account_id: str) -> bool: ...

    async def erase_all(self, account_id: str) -> None:
        """Records and comments. That a comment was there stays known."""
        ...


class SqliteRecords:
    """A small file; a call takes less than a millisecond, so it is made where it is needed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def put(self, record: str, account_id: str, body: str, now: datetime) -> None:
        row = (record, account_id, body, now.timestamp())
        self._write("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", row)

    async def of(self, account_id: str) -> dict[str, str]:
        return dict(self._read("SELECT record, body FROM records WHERE account_id = ?", (account_id,)))

    async def erase(self, account_id: str, record: str) -> None:
        self._write("DELETE FROM records WHERE account_id = ? AND record = ?", (account_id, record))

    async def sweep(self, account_id: str, kept: Collection[str], now: datetime) -> None:
        query = f"DELETE FROM records WHERE account_id = ? AND written_at < ? AND record NOT IN ({_marks(kept)})"
        self._write(query, (account_id, now.timestamp() - ORPHAN_S, *kept))

    async def say(self, comment: str, account_id: str, body: str) -> None:
        self._write("INSERT OR IGNORE INTO comments VALUES (?, ?, ?)", (comment, account_id, body))

    async def said(self, account_id: str, comment: str) -> str | None:
        query = "SELECT body FROM comments WHERE account_id = ? AND comment = ?"
        return next((body for (body,) in self._read(query, (account_id, comment))), None)

    async def holds_any(self, account_id: str) -> bool:
        query = "SELECT 1 FROM records WHERE account_id = ?1 UNION ALL"
        query += " SELECT 1 FROM comments WHERE account_id = ?1 AND body IS NOT NULL LIMIT 1"
        return bool(self._read(query, (account_id,)))

    async def erase_all(self, account_id: str) -> None:
        self._write("DELETE FROM records WHERE account_id = ?", (account_id,))
        self._write("UPDATE comments SET body = NULL WHERE account_id = ?", (account_id,))

    def _read(self, query: str, parameters: tuple[str, ...]) -> list[Any]:
        try:
            return self._db.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the personal records cannot be read: {error}") from error

    def _write(self, query: str, parameters: tuple[str | float, ...]) -> None:
        try:
            with self._db:
                self._db.execute(query, parameters)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the personal records cannot be written: {error}") from error


class PostgresRecords:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: str, account_id: str, body: str, now: datetime) -> None:
        query = b"""INSERT INTO plans_personal.records VALUES (%s, %s, %s, %s)
            ON CONFLICT (record) DO UPDATE SET body = excluded.body, written_at = excluded.written_at"""
        async with self._database.transaction() as connection:
            await connection.execute(query, (record, account_id, body, now.timestamp()))

    async def of(self, account_id: str) -> dict[str, str]:
        query = b"SELECT record, body FROM plans_personal.records WHERE account_id = %s"
        return dict(await self._database.rows(query, (account_id,)))

    async def erase(self, account_id: str, record: str) -> None:
        query = b"DELETE FROM plans_personal.records WHERE account_id = %s AND record = %s"
        async with self._database.transaction() as connection:
            await connection.execute(query, (account_id, record))

    async def sweep(self, account_id: str, kept: Collection[str], now: datetime) -> None:
        query = b"""DELETE FROM plans_personal.records
            WHERE account_id = %s AND written_at < %s AND NOT record = ANY(%s)"""
        async with self._database.transaction() as connection:
            await connection.execute(query, (account_id, now.timestamp() - ORPHAN_S, list(kept)))

    async def say(self, comment: str, account_id: str, body: str) -> None:
        query = b"INSERT INTO plans_comments.comments VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
        async with self._database.transaction() as connection:
            await connection.execute(query, (comment, account_id, body))

    async def said(self, account_id: str, comment: str) -> str | None:
        query = b"SELECT body FROM plans_comments.comments WHERE account_id = %s AND comment = %s"
        return next((body for (body,) in await self._database.rows(query, (account_id, comment))), None)

    async def holds_any(self, account_id: str) -> bool:
        query = b"""SELECT 1 FROM plans_personal.records WHERE account_id = %s UNION ALL
            SELECT 1 FROM plans_comments.comments WHERE account_id = %s AND body IS NOT NULL LIMIT 1"""
        return bool(await self._database.rows(query, (account_id, account_id)))

    async def erase_all(self, account_id: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(b"DELETE FROM plans_personal.records WHERE account_id = %s", (account_id,))
            query = b"UPDATE plans_comments.comments SET body = NULL WHERE account_id = %s"
            await connection.execute(query, (account_id,))


@asynccontextmanager
async def open_records(settings: PlansSettings) -> AsyncIterator[PersonalRecords]:
    """A file in the data folder, or PostgreSQL when replicas share it. Raises StoreUnavailable."""
    if settings.database is not None:
        async with open_database(settings.database.get_secret_value(), StoreUnavailable) as database:
            await database.make_schema("plans_personal", _POSTGRES, "names, mails and addresses: erasable")
            await database.make_schema("plans_comments", _COMMENTS, "what people said: erasable")
            yield PostgresRecords(database)
        return
    file = within(settings.data_dir, "personal.sqlite3")
    if file != IN_MEMORY:
        file.touch(0o600)
    try:
        db = sqlite3.connect(file)
        db.executescript(f"PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; {_SQLITE}")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{file} cannot be opened: {error}") from error
    with closing(db):
        yield SqliteRecords(db)


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
