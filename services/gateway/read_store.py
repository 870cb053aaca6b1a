"""Where the read models lie: a thin port. Everything in it can be built again from the feeds.

Two engines: `sqlite_read_store` for one gateway, `postgres_read_store` for several over one database.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from services.chassis.sink import ReplayableSink

Row = tuple[str, str, int, bytes | None]  # key, account, position of the last event, JSON


class ReadStoreUnavailable(Exception):
    """The read store cannot be used; the text is one sentence on why."""


class Readable(Protocol):
    """Rows to read. Everything raises ReadStoreUnavailable."""

    async def row(self, table: str, key: str) -> bytes | None:
        """One row as JSON."""
        ...

    async def rows_of(self, table: str, account_id: str) -> list[bytes]:
        """An account's rows as JSON, oldest first."""
        ...

    async def page(self, table: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        """Keys and rows as JSON of the last `limit` between two keys, both excluded, from the last one backwards."""
        ...


class ReadStore(Readable, ReplayableSink, Protocol):
    """What the gateway needs of any engine: to be a consumer's sink, and rows to read. Everything raises
    ReadStoreUnavailable.

    group: names what is kept here; gateways of the same group share it, and split the partitions among them. shared:
    other processes may write to it.
    """

    group: str
    shared: bool

    async def every_row(self, table: str, after: str = "", limit: int = -1) -> list[Row]:
        """By key, those after one; all when the limit is -1. To compare one store with another."""
        ...

    def beside(self) -> AbstractAsyncContextManager[Self]:
        """An empty store next to this one, of the same tables, to be filled; one at a time. What is left of an earlier
        one that was interrupted is thrown away."""
        ...

    async def replace(self, fresh: Self, catch_up: Callable[[], Awaitable[None]]) -> None:
        """Puts a store made by `beside` into the place of what is here, which is gone then. Readers go on meanwhile;
        nobody applies anything. catch_up: brings `fresh` at least as far as this one is."""
        ...

    async def check(self) -> None:
        """Returns when it could be written to now."""
        ...
