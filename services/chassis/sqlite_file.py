"""The file of a SQLite event log: its tables, who may write it, and connections to it.

FACTS: SQLite before 3.51.3 can corrupt a WAL when two connections write or checkpoint at once. So exactly one
connection may do either: a lock keeps other processes out, and readers open the file with mode=ro.
"""

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from .event_store import StoreUnavailable

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 2.0  # only somebody with a sqlite3 shell on the file can make us wait
MAX_IDLE_WAL_BYTES = 64 * 1024 * 1024  # what a WAL that grew while long reads held it is cut back to

# Names of streams are kept once: with them in every event and index entry, 10 million events cost 1 GB more.
SCHEMA = """
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams,
    revision INTEGER NOT NULL,
    category TEXT NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    metadata BLOB NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
CREATE INDEX events_by_category ON events (category);
"""


def opened(path: Path, read_only: bool) -> tuple[int | None, sqlite3.Connection | None]:
    """The lock to close last and the connection that writes, neither for read_only. Raises StoreUnavailable."""
    if read_only:
        with closing(reader(path)):
            return None, None
    lock = _locked(path)
    try:
        return lock, _writable(path)
    except BaseException:
        os.close(lock)
        raise


def _locked(path: Path) -> int:
    """A lock the system takes back when this process ends, however it ends. The file says who holds it."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be opened for writing: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 20, 0).decode() or "unknown"
        os.close(lock)
        raise StoreUnavailable(
            f"{path} is being written by another process (id {holder}): stop that one, or open the file read-only"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _writable(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {MAX_IDLE_WAL_BYTES}")
        if _version(db) == 0:
            db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        return _of_our_version(db, path)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path} cannot be opened for writing: {error}") from error


def reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write or checkpoint. Raises StoreUnavailable."""
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )
        db.execute("PRAGMA query_only = ON")
        return _of_our_version(db, path)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path} cannot be read: {error}; has its owner been started?") from error


def _of_our_version(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    if (version := _version(db)) != SCHEMA_VERSION:
        db.close()
        raise StoreUnavailable(f"{path} is not an event log of version {SCHEMA_VERSION} (it says {version})")
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
