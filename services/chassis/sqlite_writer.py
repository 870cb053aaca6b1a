"""The one thread that writes a SQLite log: it commits everything that waits as one transaction, then answers all."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from .batches import category_of
from .event_store import (
    NO_STREAM,
    START,
    AppendResult,
    NewEvent,
    OutcomeUnknown,
    StoreUnavailable,
    WrongExpectedRevision,
)

MAX_GROUP = 512  # appends per transaction: a bound on how long the first of them waits for the last

# Failures of COMMIT after which SQLite itself says that nothing was written.
_NOTHING_WRITTEN = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CONSTRAINT,
}


@dataclass(frozen=True, slots=True)
class Append:
    stream: str
    events: Sequence[NewEvent]
    expected: int
    answer: asyncio.Future[AppendResult]


class Writer:
    """Owns `db` until `close`. `committed` is called in the event loop after every transaction."""

    def __init__(self, db: sqlite3.Connection, committed: Callable[[], None]) -> None:
        self._db = db
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[Append | None] = queue.SimpleQueue()  # None: close
        self._closing = False
        # A daemon: a process that was never told to close must still be able to end.
        self._thread = threading.Thread(target=self._run, name="event-store-writer", daemon=True)
        self._thread.start()

    def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> asyncio.Future[AppendResult]:
        """The future of AppendResult or StoreError."""
        if self._closing:
            raise StoreUnavailable("the event store is closed")
        answer: asyncio.Future[AppendResult] = self._loop.create_future()
        self._waiting.put(Append(stream, events, expected, answer))
        return answer

    async def check(self) -> None:
        """Raises StoreUnavailable when no transaction can begin now. Waits its turn behind what is being written."""
        await self.append("", (), NO_STREAM)

    def close(self, timeout_s: float) -> bool:
        """Lets the thread finish what was accepted. False if it still is at it after `timeout_s`."""
        if not self._closing:
            self._closing = True
            self._waiting.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        closing = False
        while not closing:
            waiting = [self._waiting.get()]
            waiting += [self._waiting.get() for _ in range(min(self._waiting.qsize(), MAX_GROUP - 1))]
            closing = waiting[-1] is None
            group = [append for append in waiting if append is not None]
            if group:
                outcomes = self._carry_out(group)
                with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                    self._loop.call_soon_threadsafe(self._settle, group, outcomes)

    def _settle(self, group: Sequence[Append], outcomes: Sequence[AppendResult | Exception]) -> None:
        for append, outcome in zip(group, outcomes, strict=True):
            if append.answer.done():  # its caller was cancelled
                continue
            if isinstance(outcome, AppendResult):
                append.answer.set_result(outcome)
            else:
                append.answer.set_exception(outcome)
        self._committed()

    def _carry_out(self, group: Sequence[Append]) -> Sequence[AppendResult | Exception]:
        """One transaction for the group. Whatever fails, no transaction is open afterwards and the thread lives on."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            outcomes = [self._outcome(append) for append in group]
        except Exception as error:
            self._roll_back()
            return [StoreUnavailable(f"nothing was appended: {error}") for _ in group]
        try:
            self._db.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOTHING_WRITTEN:
                return [StoreUnavailable(f"nothing was appended: {error}") for _ in group]
            return [OutcomeUnknown(f"the commit failed midway: {error}") for _ in group]
        return outcomes

    def _outcome(self, append: Append) -> AppendResult | Exception:
        """Appends within the open transaction; a failure undoes this append and no other of the group."""
        self._db.execute("SAVEPOINT append")
        try:
            outcome: AppendResult | Exception = self._append(append)
        except Exception as error:  # of whatever kind: it belongs to this append's caller
            if not self._db.in_transaction:  # SQLite ended it, e.g. because the disk is full: the whole group failed
                raise
            self._db.execute("ROLLBACK TO append")
            machine = isinstance(error, sqlite3.Error)
            outcome = StoreUnavailable(f"nothing was appended: {error}") if machine else error
        self._db.execute("RELEASE append")
        return outcome

    def _append(self, append: Append) -> AppendResult:
        stream_id, revision = self._end_of(append.stream)
        if revision != append.expected:
            return self._repeated(append, stream_id, revision)
        if not append.events:  # only a check
            return AppendResult(revision, START)
        category = category_of(append.stream)
        if stream_id is None:
            stream_id = self._db.execute("INSERT INTO streams (name) VALUES (?)", (append.stream,)).lastrowid
        self._db.executemany(
            "INSERT INTO events (stream, revision, category, event_id, type, version, metadata, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (stream_id, revision + n, category, e.event_id, e.type, e.version, e.metadata, e.data)
                for n, e in enumerate(append.events, 1)
            ],
        )
        (position,) = self._db.execute("SELECT last_insert_rowid()").fetchone()
        return AppendResult(revision + len(append.events), position)

    def _end_of(self, stream: str) -> tuple[int | None, int]:
        """A stream's id and revision; None and NO_STREAM if it was never written."""
        row = self._db.execute(
            "SELECT id, (SELECT max(revision) FROM events WHERE stream = id) FROM streams WHERE name = ?", (stream,)
        ).fetchone()
        return row or (None, NO_STREAM)

    def _repeated(self, append: Append, stream_id: int | None, revision: int) -> AppendResult:
        """The original result if these events lie where they were meant to; the same ids elsewhere are a conflict."""
        stored = self._db.execute(
            "SELECT event_id, position FROM events WHERE stream = ? AND revision > ? ORDER BY revision LIMIT ?",
            (stream_id, append.expected, len(append.events)),
        ).fetchall()
        if [event_id for event_id, _ in stored] != [event.event_id for event in append.events]:
            raise WrongExpectedRevision(append.stream, append.expected, revision)
        return AppendResult(append.expected + len(stored), stored[-1][1])

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
