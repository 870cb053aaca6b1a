"""The engines of the read store, for tests that run on each of them."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from services.gateway.postgres_read_store import open_postgres_read_store
from services.gateway.projections import PROJECTIONS, Projection
from services.gateway.read_store import ReadStore
from services.gateway.sqlite_read_store import open_sqlite_read_store

PARTITIONS = 3


class Stores(Protocol):
    def opened(
        self, name: str = "", projections: Sequence[Projection] = PROJECTIONS
    ) -> AbstractAsyncContextManager[ReadStore]:
        """What was kept under a name before, or a new store."""
        ...


class SqliteStores:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def opened(self, name: str = "", projections: Sequence[Projection] = PROJECTIONS) -> AsyncIterator[ReadStore]:
        with tempfile.TemporaryDirectory() as fresh:
            path = self._folder / f"{name}.sqlite3" if name else Path(fresh) / "read.sqlite3"
            async with open_sqlite_read_store(path, projections) as store:
                yield store


class PostgresStores:
    """In one database: making one for each would take longer than most tests."""

    def __init__(self, url: str) -> None:
        self._url, self._mine = url, uuid4().hex[:8]

    @asynccontextmanager
    async def opened(self, name: str = "", projections: Sequence[Projection] = PROJECTIONS) -> AsyncIterator[ReadStore]:
        schema = f"{name}_{self._mine}" if name else f"of_{uuid4().hex}"
        async with open_postgres_read_store(self._url, PARTITIONS, projections, schema) as store:
            yield store
