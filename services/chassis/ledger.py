"""The ledger of an owner's log: beside the store, one row of hashes per event, appended as the log grows.

It is what the log is compared with event by event, and what roots and proofs are read from without the log. Made again
from the log when it is lost, so by itself it proves nothing: signed heads do. Several processes may append to one file,
each what is not there yet. Rows are read in short steps, because a reader keeps writers waiting.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.canonical import BEGINNING, account_of, link
from contracts.envelope import Record
from contracts.merkle import Growing, leaf_hash

from .event_store import START

VERSION = 1
CHUNK = 1_000
BUSY_TIMEOUT_S = 10.0
NOBODY = ""  # whose account an event's metadata do not name

# nodes: complete subtrees (contracts.merkle) above the leaves, which are made of the links.
TABLES = {
    "events": """CREATE TABLE events (
    number INTEGER PRIMARY KEY, position INTEGER NOT NULL, account TEXT NOT NULL, stream TEXT NOT NULL,
    revision INTEGER NOT NULL, type TEXT NOT NULL, event_id TEXT NOT NULL, link BLOB NOT NULL, before BLOB NOT NULL)""",
    "nodes": """CREATE TABLE nodes (
    level INTEGER, number INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, number)) WITHOUT ROWID""",
    "accounts": "CREATE TABLE accounts (account TEXT PRIMARY KEY, link BLOB NOT NULL) WITHOUT ROWID",
}
_COLUMNS = "number, position, account, stream, revision, type, event_id, link, before"


@dataclass(frozen=True, slots=True)
class Row:
    """number: its place in the log, from 0. link, before: its account's chain with it, and before it."""

    number: int
    position: int
    account: str
    stream: str
    revision: int
    type: str
    event_id: str
    link: bytes
    before: bytes


class Ledger:
    """Made by `open`, or by `read` for those who only look. Everything raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._tree = Growing()

    @classmethod
    def open(cls, file: Path) -> "Ledger":
        """Makes the file, or its tables anew if they are of another version."""
        db = sqlite3.connect(file, BUSY_TIMEOUT_S, isolation_level=None)
        with db:
            db.execute("BEGIN IMMEDIATE")  # two may be opening it
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                for statement in (*(f"DROP TABLE IF EXISTS {table}" for table in TABLES), *TABLES.values()):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")
        return cls(db)

    @classmethod
    def read(cls, file: Path) -> "Ledger":
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", BUSY_TIMEOUT_S, uri=True)
        return cls(db)

    def close(self) -> None:
        self._db.close()

    def take_in(self, records: Sequence[Record]) -> None:
        """Appends those of them that come after its last row."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:  # commits, or rolls back
            size, position = self.end()
            if self._tree.size != size:  # another process has appended, or what we appended was rolled back
                self._tree = Growing(size, self.node)
            for record in records:
                if record.position > position:
                    self._append(record)

    def end(self) -> tuple[int, int]:
        """How many rows there are, and the position of the last one."""
        last = self._db.execute("SELECT number + 1, position FROM events ORDER BY number DESC LIMIT 1").fetchone()
        return last or (0, START)

    def row(self, number: int) -> Row | None:
        return next(iter(self._rows("number = ?", number)), None)

    def rows_of(self, event_id: str) -> list[Row]:
        """Looks through all of it: for what is asked seldom."""
        return self._rows("event_id = ?", event_id)

    def rows(self, size: int) -> Iterator[Row]:
        """The first `size`."""
        for number in range(0, size, CHUNK):
            yield from self._rows("number >= ? AND number < ? ORDER BY number", number, min(number + CHUNK, size))

    def node(self, level: int, number: int) -> bytes:
        """Raises LookupError for a subtree that is not complete."""
        column, place = ("link FROM events", (number,)) if level == 0 else ("hash FROM nodes", (level, number))
        where = "number = ?" if level == 0 else "level = ? AND number = ?"
        found = self._db.execute(f"SELECT {column} WHERE {where}", place).fetchone()
        if found is None:
            raise LookupError(f"the ledger has no subtree {number} of level {level}")
        return leaf_hash(found[0]) if level == 0 else bytes(found[0])

    def _append(self, record: Record) -> None:
        account = owner_of(record)
        known = self._db.execute("SELECT link FROM accounts WHERE account = ?", (account,)).fetchone()
        before = known[0] if known else BEGINNING
        now = link(before, record)
        of = (record.position, account, record.stream, record.revision, record.type, record.event_id, now, before)
        self._db.execute(f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (self._tree.size, *of))
        self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account, now))
        completed = self._tree.add(leaf_hash(now))[1:]
        self._db.executemany("INSERT INTO nodes VALUES (?, ?, ?)", completed)

    def _rows(self, where: str, *values: object) -> list[Row]:
        found = self._db.execute(f"SELECT {_COLUMNS} FROM events WHERE {where}", values).fetchall()
        return [Row(*each) for each in found]


def owner_of(record: Record) -> str:
    """The account whose chain an event is in: NOBODY's, if somebody has written metadata that are none."""
    try:
        return account_of(record)
    except ValueError:
        return NOBODY
