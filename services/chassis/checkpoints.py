"""How far a service that answers events with commands has come, and what it set aside, in a small SQLite file."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import orjson

from contracts.envelope import Envelope
from contracts.topics import Owner

from .derived_file import open_derived
from .sink import NOWHERE, Parked

VERSION = 1
SCHEMA = """
CREATE TABLE checkpoints (
    owner TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (owner, partition)
) WITHOUT ROWID;
CREATE TABLE parked (
    owner TEXT NOT NULL, position INTEGER NOT NULL, stream TEXT NOT NULL, envelope BLOB NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (owner, position)
) WITHOUT ROWID;
"""
_ADVANCE = """INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT (owner, partition) DO UPDATE
    SET position = excluded.position WHERE excluded.position > checkpoints.position"""


class Checkpoints:
    """Made by `open`. A row or two per batch: written on the event loop itself."""

    shared = False

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["Checkpoints"]:
        # Checkpoints lost with the machine only mean that events are looked at again.
        db = open_derived(path, VERSION, SCHEMA)
        db.isolation_level = None
        try:
            yield cls(db)
        finally:
            db.close()

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return dict(self._db.execute("SELECT partition, position FROM checkpoints WHERE owner = ?", (owner,)))

    async def parked_streams(self, owner: Owner) -> set[str]:
        return {stream for (stream,) in self._db.execute("SELECT stream FROM parked WHERE owner = ?", (owner,))}

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        """In order."""
        query = "SELECT envelope FROM parked WHERE owner = ? AND stream = ? ORDER BY position"
        return [Envelope(**orjson.loads(envelope)) for (envelope,) in self._db.execute(query, (owner, stream))]

    async def forget_parked(self, owner: Owner, stream: str) -> None:
        self._db.execute("DELETE FROM parked WHERE owner = ? AND stream = ?", (owner, stream))

    async def save(self, owner: Owner, checkpoints: Mapping[int, int], parked: Sequence[Parked]) -> None:
        """Both in one transaction. A checkpoint never goes back."""
        rows = [
            (owner, each.envelope.position, each.envelope.stream, orjson.dumps(each.envelope), each.reason)
            for each in parked
        ]
        self._db.execute("BEGIN")
        try:
            marks = [(owner, partition, position) for partition, position in checkpoints.items()]
            self._db.executemany(_ADVANCE, marks)
            self._db.executemany("INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except BaseException:  # or every later `save` would begin within this one, for ever
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @asynccontextmanager
    async def following(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> AsyncIterator[Sequence[Envelope]]:
        """The events to be followed now; checkpoints and parked events are saved when that is done."""
        yield events
        await self.save(owner, checkpoints, parked)

    @asynccontextmanager
    async def replaying(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> AsyncIterator[None]:
        """A stream's parked events are followed meanwhile, and forgotten when that is done."""
        yield
        await self.forget_parked(owner, stream)
