"""The event store on SQLite: one file per owner, one process that writes it, any number that read it."""

import asyncio
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from contracts.envelope import Record

from .batches import checked
from .event_store import (
    NO_STREAM,
    START,
    AppendResult,
    CaughtUp,
    NewEvent,
    PositionInvalid,
    StoreUnavailable,
    SubscriptionDropped,
)
from .sqlite_file import opened, reader
from .sqlite_writer import Writer

SHORT_READERS = 3
CHUNK_EVENTS = 500
CHUNK_BYTES = 4 * 1024 * 1024
POLL_S = 0.015  # how late a reader in another process may notice an append
CLOSE_TIMEOUT_S = 10.0
MIN_FREE_BYTES = 16 * 1024 * 1024
END = 2**63 - 1  # beyond every position

# CAST: what somebody has edited in a shell may lie there as text, and must still be readable, or nobody could name it.
_COLUMNS = (
    "e.position, s.name, e.revision, e.event_id, e.type, e.version, CAST(e.metadata AS BLOB), CAST(e.data AS BLOB)"
)
# CROSS JOIN: SQLite keeps the order of the tables, so that no plan ever sorts or scans the log.
# position: what somebody has put before the first one, where no reader of the log sees it, is in no stream either.
_STREAM = f"""SELECT {_COLUMNS} FROM streams AS s CROSS JOIN events AS e ON e.stream = s.id
    WHERE s.name = ? AND e.revision > ? AND e.position > {START} ORDER BY e.revision"""
_LOG = f"""SELECT {_COLUMNS} FROM events AS e CROSS JOIN streams AS s ON s.id = e.stream
    WHERE e.position > ? AND e.position <= ? ORDER BY e.position LIMIT {CHUNK_EVENTS}"""
_HIDDEN = f"""SELECT position FROM events WHERE position <= {START} OR stream NOT IN (SELECT id FROM streams)
    ORDER BY position LIMIT 1"""
_ELSEWHERE = """SELECT position FROM events JOIN streams ON streams.id = events.stream
    WHERE typeof(category) <> 'text' OR category <> substr(name, 1, instr(name || '-', '-') - 1)
    ORDER BY position LIMIT 1"""
_LOG_OF = f"""SELECT {_COLUMNS} FROM (%s ORDER BY 1 LIMIT {CHUNK_EVENTS}) AS chosen
    CROSS JOIN events AS e ON e.position = chosen.position CROSS JOIN streams AS s ON s.id = e.stream
    ORDER BY chosen.position"""
_ONE_CATEGORY = f"""SELECT position FROM (SELECT position FROM events
    WHERE category = ? AND position > ? AND position <= ? ORDER BY position LIMIT {CHUNK_EVENTS})"""
_HEAD = "SELECT coalesce(max(position), 0) FROM events"

Found = TypeVar("Found")


class SqliteEventStore:
    """Made by `open`."""

    def __init__(self, path: Path, lock: int | None, db: sqlite3.Connection | None) -> None:
        self._path = path
        self._lock = lock
        self._db = db
        self._writer = Writer(db, self._wake) if db else None
        self._short_reads = _Readers(path, SHORT_READERS)
        # One thread for all who read the log: two would hand Python's lock to and fro at every row, and be slower.
        self._log_reads = _Readers(path, 1)
        self._grown = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, read_only: bool = False) -> "SqliteEventStore":
        """Opens or makes the log at `path`; its folder must exist.

        One process at a time may open it for writing. read_only is for the others (a relay of its own): they notice
        an append within POLL_S. Raises StoreUnavailable with one sentence on what stands in the way.
        """
        lock, db = await asyncio.to_thread(opened, path, read_only)
        return cls(path, lock, db)

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        batch = checked(stream, events, expected)
        if self._writer is None:
            raise StoreUnavailable(f"{self._path} was opened read-only")
        return await self._writer.append(stream, batch, expected)

    async def read_stream(self, stream: str, after: int = NO_STREAM) -> list[Record]:
        return await self._read(self._short_reads, lambda db: _records(db, _STREAM, (stream, after), sys.maxsize))

    async def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record, None]:
        end = await self.head()
        if not START <= after <= end:
            raise PositionInvalid(f"{after} is not a position of this log, which ends at {end}")
        while after < end and (chunk := await self._chunk(after, end, categories)):
            after = chunk[-1].position
            for record in chunk:
                yield record

    async def subscribe(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record | CaughtUp, None]:
        last = after
        try:
            async for record in self.read_all(after, categories):
                last = record.position
                yield record
            yield CaughtUp()
            while True:
                grown = self._grown  # taken before reading: an append that the reading misses sets this one
                chunk = await self._chunk(last, END, categories)
                for record in chunk:
                    last = record.position
                    yield record
                if not chunk:
                    await self._growth(grown)
        except StoreUnavailable as error:
            raise SubscriptionDropped(last) from error

    async def head(self) -> int:
        return await self._read(self._short_reads, lambda db: int(db.execute(_HEAD).fetchone()[0]))

    async def hidden(self) -> list[str]:
        """What an auditor who reads the log would not come by, a sentence each: rows that no reader sees, and
        categories, by which some readers choose, that are not their streams'."""

        def found(db: sqlite3.Connection) -> list[str]:
            rows = [
                f"At position {each} stands a row where no reader of the log sees it."
                for (each,) in db.execute(_HIDDEN)
            ]
            said = "The event at position {} has another category than its stream: some readers pass it over."
            return [*rows, *(said.format(each) for (each,) in db.execute(_ELSEWHERE))]

        return await self._read(self._log_reads, found)

    async def check(self) -> None:
        """For a read-only store: raises StoreUnavailable when the log cannot be read."""
        if self._writer is None:
            await self.head()
            return
        free_bytes = shutil.disk_usage(self._path.parent).free
        if free_bytes < MIN_FREE_BYTES:
            raise StoreUnavailable(f"only {free_bytes} bytes are free for {self._path}")
        await self._writer.check()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._wake()
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._writer and not self._writer.close(CLOSE_TIMEOUT_S):
            raise StoreUnavailable(f"{self._path} is still being written after {CLOSE_TIMEOUT_S:g} s; left as it is")
        self._short_reads.close()
        self._log_reads.close()
        if self._db:
            self._db.close()  # last, so that SQLite folds the WAL into the file
        if self._lock is not None:
            os.close(self._lock)

    async def _chunk(self, after: int, end: int, categories: Sequence[str]) -> list[Record]:
        """The next events after a position: none only if there are none."""
        if not categories:
            return await self._read(self._log_reads, lambda db: _records(db, _LOG, (after, end), CHUNK_BYTES))
        wanted = set(categories)
        query = _LOG_OF % " UNION ALL ".join([_ONE_CATEGORY] * len(wanted))
        values = [value for category in wanted for value in (category, after, end)]
        return await self._read(self._log_reads, lambda db: _records(db, query, values, CHUNK_BYTES))

    async def _read(self, readers: "_Readers", read: Callable[[sqlite3.Connection], Found]) -> Found:
        if self._closed:
            raise StoreUnavailable(f"{self._path} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(readers.threads, readers.with_connection, read)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path} cannot be read: {error}") from error

    async def _growth(self, grown: asyncio.Event) -> None:
        """Returns when the log may have grown. Our own appends tell; those of another process are looked for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self._writer else POLL_S):
                await grown.wait()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()


class _Readers:
    """A few threads with a connection each, so that reading leaves the event loop alone."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self.threads = ThreadPoolExecutor(threads, "event-store-reader")
        self._mine = threading.local()
        self._open: list[sqlite3.Connection] = []

    def close(self) -> None:
        self.threads.shutdown()
        for db in self._open:
            db.close()

    def with_connection(self, read: Callable[[sqlite3.Connection], Found]) -> Found:
        if not hasattr(self._mine, "db"):
            self._mine.db = reader(self._path)
            self._open.append(self._mine.db)
        return read(self._mine.db)


def _records(db: sqlite3.Connection, query: str, values: Sequence[object], max_bytes: int) -> list[Record]:
    """What the query finds, cut after the event that reaches `max_bytes`."""
    found, size_bytes = [], 0
    with closing(db.execute(query, values)) as rows:  # closed: an open cursor keeps the WAL from starting over
        for row in rows:
            found.append(Record(*row))
            size_bytes += len(row[6]) + len(row[7])
            if size_bytes >= max_bytes:
                break
    return found
