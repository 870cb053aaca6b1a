"""An index of a service's own log in a small SQLite file: what is asked across streams, answered without reading them.

It follows the log now and then, and whoever asks has it catch up to the end first, so an answer counts every command
acknowledged before it was asked. A file lost, or of another version, is built again from the log.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, Self

import structlog

from contracts.envelope import Record

from .derived_file import open_derived
from .event_store import START, EventStore, StoreError, StoreUnavailable
from .running import running

FOLLOW_EVERY_S = 5.0
COMMIT_EVERY = 5_000  # events
FOLLOWED = f"CREATE TABLE followed (position INTEGER NOT NULL); INSERT INTO followed VALUES ({START});"

log = structlog.get_logger(__name__)


class LogIndex:
    """Made by `open`. A subclass says what it keeps: raise VERSION whenever SCHEMA or `apply` changes.

    TYPES: of the events `apply` is called with.
    """

    VERSION: ClassVar[int]
    SCHEMA: ClassVar[str]
    TYPES: ClassVar[Collection[str]]

    def __init__(self, store: EventStore, db: sqlite3.Connection) -> None:
        self._store = store
        self._db = db
        self._following = asyncio.Lock()

    def apply(self, record: Record) -> None:
        """Takes an event in, with `self._db`, inside a transaction."""
        raise NotImplementedError

    @classmethod
    @asynccontextmanager
    async def open(cls, store: EventStore, path: Path) -> AsyncIterator[Self]:
        index = cls(store, open_derived(path, cls.VERSION, f"{FOLLOWED}{cls.SCHEMA}"))
        try:
            async with running(index._follow()):
                yield index
        finally:
            index._db.close()

    async def catch_up(self) -> None:
        """Raises StoreError."""
        async with self._following:
            try:
                await self._catch_up()
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the {type(self).__name__} failed: {error}") from error

    async def _catch_up(self) -> None:
        (after,) = self._db.execute("SELECT position FROM followed").fetchone()
        records: list[Record] = []
        async for record in self._store.read_all(after):
            records.append(record)
            if len(records) >= COMMIT_EVERY:
                self._take_in(records)
                records.clear()
        self._take_in(records)

    async def _follow(self) -> None:
        """So that nobody has to wait for a long way to catch up."""
        while True:
            try:
                await self.catch_up()
            except StoreError as error:
                log.warning("log_index_behind", index=type(self).__name__, reason=str(error))
            await asyncio.sleep(FOLLOW_EVERY_S)

    def _take_in(self, records: list[Record]) -> None:
        """Rows and position in one transaction, with no await inside."""
        if not records:
            return
        with self._db:
            for record in records:
                if record.type in self.TYPES:
                    self.apply(record)
            self._db.execute("UPDATE followed SET position = ?", (records[-1].position,))
