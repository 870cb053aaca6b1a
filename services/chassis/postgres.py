"""PostgreSQL as this project uses it: a pool that outlives restarts of the server, tables made once, clear failures.

The address is libpq's, `postgresql://user@host/database`; a password may be in it, or better in a PGPASSFILE. It is
never logged and never part of a failure's text.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier, Literal
from psycopg_pool import AsyncConnectionPool, PoolTimeout

CONNECTIONS = 8  # per process; one more for each that waits would only make the server wait for itself
CALL_TIMEOUT_S = 30.0
POOL_TIMEOUT_S = 1.0  # less than a readiness check may take, so that it can say why

# What the address says counts for more. Of several hosts only the one that can be written to: a standby is behind.
# A host that is gone without a word is noticed within 10 s.
_DEFAULTS: dict[str, str | int] = {
    "application_name": "billing",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
    "tcp_user_timeout": 10_000,
}
# A process that stands still in the middle of a transaction must not hold up the others for longer than this.
_LIMITS = b"SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '15s'; SET statement_timeout = '30s'"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseUnavailable(Exception):
    """The database cannot be used; the text is one sentence on why, without the password."""


class Database:
    """Made by `open_database`. Every call raises DatabaseUnavailable, or what was given in its place."""

    def __init__(self, pool: "AsyncConnectionPool[Connection]", where: str, unavailable: type[Exception]) -> None:
        self._pool = pool
        self._where = where
        self._unavailable = unavailable

    async def rows(self, query: bytes, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds. Asked once again when the connection was dead: after a restart of the server all are."""
        async with self._told():
            try:
                return await self._rows(query, parameters)
            except psycopg.OperationalError as error:
                if isinstance(error, PoolTimeout):
                    raise
                await self._pool.check()
                return await self._rows(query, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """All or nothing. It is durable when it ends: with `synchronous_commit = off`, a crash of the server would take
        back what processes that did not crash have counted on."""
        async with self._told():
            try:
                async with self._pool.connection() as connection, connection.transaction():
                    yield connection
            except psycopg.OperationalError as error:
                if not isinstance(error, PoolTimeout):
                    await self._pool.check()  # the next try shall not meet another dead connection
                raise

    async def make_schema(self, schema: str, statements: Sequence[str], meaning: str) -> None:
        """Makes a schema with these tables unless it is there; several processes may do so at once.

        statements: with {schema} where its name belongs. meaning: its comment, for whoever looks at the database.
        """
        async with self.transaction() as connection:
            await connection.execute(b"SELECT pg_advisory_xact_lock(hashtext(%s))", (schema,))
            # From the table: to_regnamespace remembers what it once did not find.
            found = await connection.execute(b"SELECT FROM pg_namespace WHERE nspname = %s", (schema,))
            if await found.fetchall():
                return  # whole, since it was made in one transaction; and this needs no right to make one
            name = Identifier(schema)
            await connection.execute(SQL("CREATE SCHEMA {}").format(name))
            await connection.execute(SQL("COMMENT ON SCHEMA {} IS {}").format(name, Literal(meaning)))
            for statement in statements:
                await connection.execute(statement.format(schema=schema).encode())

    async def _rows(self, query: bytes, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        async with self._pool.connection(POOL_TIMEOUT_S) as connection:
            return await (await connection.execute(query, parameters, binary=True)).fetchall()

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                yield
        except (psycopg.Error, TimeoutError) as error:
            raise self._unavailable(_reason(self._where, error)) from error


@asynccontextmanager
async def open_database(address: str, unavailable: type[Exception] = DatabaseUnavailable) -> AsyncIterator[Database]:
    """A database that answers. Raises `unavailable`."""
    parts = _understood(address)
    if not parts:
        raise unavailable("the address of the database is none; a password in it must be percent-encoded")
    where = f"{parts.get('host', 'PostgreSQL')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    settings: Any = {**_DEFAULTS, **parts}
    try:
        connection = await psycopg.AsyncConnection.connect(**settings)  # it says why not; the pool would not
        encoding = connection.info.parameter_status("server_encoding")
        await connection.close()
    except psycopg.Error as error:
        raise unavailable(_reason(where, error)) from error
    if encoding != "UTF8":  # with another one, text comes back as bytes or not at all
        raise unavailable(f"PostgreSQL at {where}: its encoding is {encoding}; make a database WITH ENCODING 'UTF8'")
    pool = AsyncConnectionPool(
        "",
        kwargs={**settings, "autocommit": True},
        connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
        configure=_limited,
        min_size=1,
        max_size=CONNECTIONS,
        timeout=POOL_TIMEOUT_S,
        reconnect_timeout=0,  # whoever asks next tries anew: the pool's own tries grow apart
        open=False,
    )
    await pool.open()
    try:
        yield Database(pool, where, unavailable)
    finally:
        await pool.close()


def _understood(address: str) -> dict[str, Any]:
    """Nothing where a piece of the password could be taken for something else, and be told with it."""
    try:
        parts = conninfo_to_dict(address)
    except psycopg.Error:
        return {}
    return {} if any("@" in str(parts.get(name)) for name in ("host", "port", "dbname")) else parts


async def _limited(connection: Connection) -> None:
    await connection.execute(_LIMITS)


def _reason(where: str, error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return f"PostgreSQL at {where}: {said[0] if said else type(error).__name__}"
