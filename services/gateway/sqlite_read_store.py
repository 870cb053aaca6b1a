"""The read store of one gateway: a SQLite file."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson

from contracts.envelope import Envelope
from contracts.topics import Owner
from services.chassis.sink import NOWHERE, Parked

from .folding import NOTHING, Folded, fold
from .projections import PROJECTIONS, Projection
from .read_store import ReadStoreUnavailable, Row

BUSY_TIMEOUT_S = 2.0

_FRAME = """
CREATE TABLE IF NOT EXISTS projections (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (
    owner TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (owner, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parked (
    owner TEXT NOT NULL, position INTEGER NOT NULL, stream TEXT NOT NULL, envelope BLOB NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (owner, position)
) WITHOUT ROWID;
"""
_TABLE = """
CREATE TABLE {name} (key TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, position INTEGER NOT NULL, data BLOB);
CREATE INDEX {name}_by_account ON {name} (account_id);
"""
_UPSERT = """INSERT INTO {name} VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET account_id = excluded.account_id, position = excluded.position, data = excluded.data"""
# Two writers with different ideas of where they are may repeat work, but neither takes the mark back.
_ADVANCE = """INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT (owner, partition) DO UPDATE
    SET position = excluded.position WHERE excluded.position > checkpoints.position"""
_PARK = "INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?, ?)"

Result = TypeVar("Result")


class SqliteReadStore:
    """Made by `open`. One thread and connection write. Reads use another connection on the event loop itself: such a
    look-up takes about 10 µs, and handing it to a thread and back takes longer."""

    group, shared = "gateway", False

    def __init__(self, lock: int, db: sqlite3.Connection, path: Path, projections: Sequence[Projection]) -> None:
        self._lock = lock
        self._db = db
        self._path = path
        self._projections = projections
        self._turn = asyncio.Lock()  # of what is done in the thread, or instead of it
        self._thread = ThreadPoolExecutor(1, "read-store-writer")
        self._reader = _reading(path)

    @classmethod
    async def open(cls, path: Path, projections: Sequence[Projection] = PROJECTIONS) -> "SqliteReadStore":
        """Opens or makes the file; its folder must exist.

        A file filled for other projections, or other versions of them, begins anew: without rows and checkpoints, to
        be built from the feeds. Raises ReadStoreUnavailable.
        """
        return await asyncio.to_thread(cls._open, path, projections)

    @classmethod
    def _open(cls, path: Path, projections: Sequence[Projection]) -> "SqliteReadStore":
        lock = _locked(path)
        try:
            db = _connected(path, "rwc")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # what a crash takes is folded again from the log
            with _transaction(db):
                _make_tables(db, projections)
            return cls(lock, db, path, projections)
        except sqlite3.Error as error:
            os.close(lock)
            raise ReadStoreUnavailable(f"{path} cannot be used: {error}; without it, it is built again") from error

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        query = "SELECT partition, position FROM checkpoints WHERE owner = ?"
        return await self._in_thread(lambda: dict(self._db.execute(query, (owner,)).fetchall()))

    async def parked_streams(self, owner: Owner) -> set[str]:
        query = "SELECT DISTINCT stream FROM parked WHERE owner = ?"
        return await self._in_thread(lambda: {stream for (stream,) in self._db.execute(query, (owner,))})

    async def apply(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        """Folds the events into every projection; commits rows, checkpoints and parked events as one.

        Raises CannotApply, with nothing committed, for an event a projection raises on; ReadStoreUnavailable.
        """
        await self._in_thread(lambda: self._apply(owner, events, checkpoints, parked))

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        """In order."""
        query = "SELECT envelope FROM parked WHERE owner = ? AND stream = ? ORDER BY position"
        rows = await self._in_thread(lambda: self._db.execute(query, (owner, stream)).fetchall())
        return [Envelope(**orjson.loads(envelope)) for (envelope,) in rows]

    async def unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        """Folds a stream's parked events and forgets that they were parked, as one. Raises as `apply`, nothing done."""
        await self._in_thread(lambda: self._unpark(owner, stream, events))

    async def row(self, table: str, key: str) -> bytes | None:
        found = self._read(f"SELECT data FROM {table} WHERE key = ?", key)
        return found[0][0] if found else None

    async def rows_of(self, table: str, account_id: str) -> list[bytes]:
        found = self._read(f"SELECT data FROM {table} WHERE account_id = ? ORDER BY rowid", account_id)
        return [data for (data,) in found if data is not None]

    async def page(self, table: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        query = (
            f"SELECT key, data FROM {table} WHERE key > ? AND key < ? AND data IS NOT NULL ORDER BY key DESC LIMIT ?"
        )
        return self._read(query, after, before, limit)

    async def every_row(self, table: str, after: str = "", limit: int = -1) -> list[Row]:
        query = f"SELECT key, account_id, position, data FROM {table} WHERE key > ? ORDER BY key LIMIT ?"
        return self._read(query, after, limit)

    @asynccontextmanager
    async def beside(self) -> AsyncIterator["SqliteReadStore"]:
        path = self._path.with_name(f"{self._path.name}.rebuilt")
        lock = _locked(path)  # before it is thrown away: somebody may be at it
        try:
            for each in (path, *_logs(path)):
                each.unlink(missing_ok=True)
        finally:
            os.close(lock)
        async with open_sqlite_read_store(path, self._projections) as store:
            yield store

    async def replace(self, fresh: "SqliteReadStore", catch_up: Callable[[], Awaitable[None]]) -> None:
        async with self._turn:
            await catch_up()
            await fresh.close()
            await asyncio.get_running_loop().run_in_executor(self._thread, bool)  # what was begun in it is done
            self._take_over(fresh._path)

    def _take_over(self, path: Path) -> None:
        """On the event loop, where nobody reads now."""
        self._reader.close()
        self._db.close()  # the last one folds its WAL into the file, unless somebody else has that open
        try:
            if any(each.exists() for each in _logs(self._path)):
                raise ReadStoreUnavailable(f"{self._path} is open in another program too: close it there")
            path.replace(self._path)
        finally:
            self._db, self._reader = _connected(self._path, "rw"), _reading(self._path)
            self._db.execute("PRAGMA synchronous = NORMAL")

    async def check(self) -> None:
        """Raises ReadStoreUnavailable when nothing could be written now."""
        await self._in_thread(lambda: self._apply(Owner.PLANS, (), {}, ()))

    async def close(self) -> None:
        """Finishes what is being written, then lets go of the file; once is enough."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._lock < 0:
            return
        self._reader.close()
        self._db.close()  # last, so that SQLite folds the WAL into the file
        os.close(self._lock)
        self._lock = -1

    def _read(self, query: str, *parameters: str | int) -> list[Any]:
        try:
            return self._reader.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise ReadStoreUnavailable(f"the read store failed: {error}") from error

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        try:
            async with self._turn:
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise ReadStoreUnavailable(f"the read store failed: {error}") from error

    def _apply(
        self, owner: Owner, events: Sequence[Envelope], checkpoints: Mapping[int, int], parked: Sequence[Parked]
    ) -> None:
        with _transaction(self._db):
            self._fold(events)
            self._db.executemany(_ADVANCE, [(owner, partition, to) for partition, to in checkpoints.items()])
            self._db.executemany(_PARK, [_as_row(owner, each) for each in parked])

    def _unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        with _transaction(self._db):
            self._fold(events)
            self._db.execute("DELETE FROM parked WHERE owner = ? AND stream = ?", (owner, stream))

    def _fold(self, events: Sequence[Envelope]) -> None:
        for table, rows in fold(self._projections, events, self._stored).items():
            folded = [
                (key, each.account_id, each.position, each.row and orjson.dumps(each.row)) for key, each in rows.items()
            ]
            self._db.executemany(_UPSERT.format(name=table), folded)

    def _stored(self, table: str, key: str) -> Folded:
        query = f"SELECT account_id, position, data FROM {table} WHERE key = ?"
        found = self._db.execute(query, (key,)).fetchone()
        return Folded(found[0], found[1], found[2] and orjson.loads(found[2])) if found else NOTHING


@asynccontextmanager
async def open_sqlite_read_store(
    path: Path, projections: Sequence[Projection] = PROJECTIONS
) -> AsyncIterator[SqliteReadStore]:
    """As SqliteReadStore.open, and closes it."""
    store = await SqliteReadStore.open(path, projections)
    try:
        yield store
    finally:
        await store.close()


def _make_tables(db: sqlite3.Connection, projections: Sequence[Projection]) -> None:
    for statement in _FRAME.split(";"):
        db.execute(statement)
    wanted = {projection.TABLE for projection in projections}
    present = {name for (name,) in db.execute("SELECT name FROM projections")}
    if present == wanted:
        return
    # All begin anew, not just the changed one: the checkpoints speak for all of them, and so do the parked streams.
    for name in present:
        db.execute(f"DROP TABLE {name}")
    for table in ("projections", "checkpoints", "parked"):
        db.execute(f"DELETE FROM {table}")
    for name in wanted:
        for statement in _TABLE.format(name=name).split(";"):
            db.execute(statement)
        db.execute("INSERT INTO projections VALUES (?)", (name,))


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=True)


def _reading(path: Path) -> sqlite3.Connection:
    db = _connected(path, "ro")
    db.execute("PRAGMA query_only = ON")
    return db


def _logs(path: Path) -> list[Path]:
    """The files SQLite keeps beside one in WAL mode."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _locked(path: Path) -> int:
    """Keeps other processes out (FACTS: only one connection may write or checkpoint a WAL), however this one ends."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ReadStoreUnavailable(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise ReadStoreUnavailable(f"{path} is in use by another process") from error
    return lock


def _as_row(owner: Owner, parked: Parked) -> tuple[Owner, int, str, bytes, str]:
    envelope = parked.envelope
    return owner, envelope.position, envelope.stream, orjson.dumps(envelope), parked.reason
