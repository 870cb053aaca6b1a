"""A sink that several processes share: a SQLite file that remembers in which order what was applied."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from contracts.envelope import Envelope
from contracts.topics import Owner
from services.chassis.sink import NOWHERE, Parked

SCHEMA = """
CREATE TABLE IF NOT EXISTS applied (
    number INTEGER PRIMARY KEY, position INTEGER UNIQUE, account TEXT NOT NULL, process TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS checkpoints (partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS streams (stream TEXT PRIMARY KEY, position INTEGER NOT NULL);
"""
_ADVANCE = "INSERT INTO {} VALUES (?, ?) ON CONFLICT DO UPDATE SET position = max(position, excluded.position)"


class SharedLedger:
    """Made by `open`. process: who applies through it."""

    def __init__(self, db: sqlite3.Connection, process: str) -> None:
        self._db = db
        self._process = process

    @classmethod
    @contextmanager
    def open(cls, path: Path, process: str) -> Iterator["SharedLedger"]:
        db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            db.executescript(f"PRAGMA synchronous = OFF; {SCHEMA}")
            yield cls(db, process)
        finally:
            db.close()

    def positions(self, account: str) -> list[int]:
        """In the order they were applied."""
        rows = self._db.execute("SELECT position FROM applied WHERE account = ? ORDER BY number", (account,))
        return [position for (position,) in rows]

    def count(self, process: str = "%") -> int:
        return int(self._db.execute("SELECT count(*) FROM applied WHERE process LIKE ?", (process,)).fetchone()[0])

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return dict(self._db.execute("SELECT partition, position FROM checkpoints"))

    async def parked_streams(self, owner: Owner) -> set[str]:
        return set()

    async def apply(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        """An event its stream's row has already has no effect; one out of order would break UNIQUE or be missing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            rows = dict(self._db.execute("SELECT stream, position FROM streams"))
            fresh = [event for event in events if event.position > rows.get(event.stream, 0)]
            self._db.executemany(
                "INSERT INTO applied (position, account, process) VALUES (?, ?, ?)",
                [(event.position, event.account_id, self._process) for event in fresh],
            )
            self._db.executemany(_ADVANCE.format("streams"), [(event.stream, event.position) for event in fresh])
            self._db.executemany(_ADVANCE.format("checkpoints"), list(checkpoints.items()))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
