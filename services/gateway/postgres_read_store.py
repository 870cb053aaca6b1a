"""The read store of several gateways: PostgreSQL.

Every set of read models has a schema of its own, with its own checkpoints and parked streams, named after the tables'
names with their versions. So a gateway with a new version of one fills its schema from the feeds beside those that
still run, which never notice; it is ready when it has caught up. A schema nobody uses any more is dropped by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import blake2b

import orjson

from contracts.envelope import Envelope
from contracts.topics import Owner
from services.chassis import postgres_progress
from services.chassis.postgres import Connection, Database, open_database
from services.chassis.postgres_progress import Progress
from services.chassis.sink import NOWHERE, Parked

from .folding import NOTHING, Folded, Rows, fold, keys
from .lookup import Lookup
from .projections import PROJECTIONS, Projection
from .read_store import ReadStoreUnavailable, Row

# bytea, because rows are handed on as they were written: jsonb would order their members anew and refuse \u0000. To
# look at one: SELECT convert_from(data, 'UTF8')::jsonb. number: which came first.
_TABLE = """CREATE TABLE {schema}.{name} (
    key text COLLATE "C" PRIMARY KEY, account_id text NOT NULL, position bigint NOT NULL, data bytea,
    number bigint GENERATED ALWAYS AS IDENTITY)"""
_INDEX = "CREATE INDEX {name}_by_account ON {schema}.{name} (account_id, number)"
_ROWS = "SELECT key, data FROM {schema}.{name} WHERE key = ANY(%s::text[])"
_ROWS_OF = "SELECT data FROM {schema}.{name} WHERE account_id = %s AND data IS NOT NULL ORDER BY number"
_PAGE = """SELECT key, data FROM {schema}.{name} WHERE key > %s AND key < %s AND data IS NOT NULL
    ORDER BY key DESC LIMIT %s"""
_EVERY_ROW = """SELECT key, account_id, position, data FROM {schema}.{name} WHERE key > %s
    ORDER BY key LIMIT nullif(%s, -1)"""
_STORED = "SELECT key, account_id, position, data FROM {schema}.{name} WHERE key = ANY(%s::text[])"
# Locked partitions and checkpoints keep an event from being applied twice; that no row goes back is written here too.
_UPSERT = """INSERT INTO {schema}.{name} AS known (key, account_id, position, data)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bytea[])
    ON CONFLICT (key) DO UPDATE SET account_id = excluded.account_id, position = excluded.position, data = excluded.data
    WHERE excluded.position > known.position"""


class PostgresReadStore:
    """Made by `open_postgres_read_store`. Every call raises ReadStoreUnavailable."""

    shared = True

    def __init__(self, database: Database, schema: str, projections: Sequence[Projection], partitions: int) -> None:
        self.group = f"gateway-{schema}"
        self._database = database
        self._schema = schema
        self._projections = projections
        self._partitions = partitions
        self._progress = Progress(database, schema, partitions)
        self._lookups = {each.TABLE: Lookup(partial(self._found, each.TABLE)) for each in projections}

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return await self._progress.checkpoints(owner)

    async def parked_streams(self, owner: Owner) -> set[str]:
        return await self._progress.parked_streams(owner)

    async def apply(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        """Folds the events that nobody has applied yet into every projection; commits rows, checkpoints and parked
        events as one.

        Raises CannotApply, with nothing committed, for an event a projection raises on; Overtaken and Behind.
        """
        async with self._database.transaction() as connection:
            fresh, aside = await self._progress.begin(connection, owner, events, checkpoints, parked, after)
            await self._fold(connection, fresh)
            await self._progress.save(connection, owner, checkpoints, aside)

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        """In order."""
        return await self._progress.parked_events(owner, stream)

    async def unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        """Folds parked events and forgets that they were parked, as one. Raises as `apply`, nothing done."""
        async with self._database.transaction() as connection:
            await self._progress.forget(connection, owner, events)
            await self._fold(connection, events)

    async def row(self, table: str, key: str) -> bytes | None:
        if "\0" in key:  # it comes from an address, and PostgreSQL has no such text
            return None
        return await self._lookups[table].row(key)

    async def _found(self, table: str, keys: list[str]) -> dict[str, bytes | None]:
        return dict(await self._database.rows(self._query(_ROWS, table), (keys,)))

    async def rows_of(self, table: str, account_id: str) -> list[bytes]:
        if "\0" in account_id:
            return []
        return [data for (data,) in await self._database.rows(self._query(_ROWS_OF, table), (account_id,))]

    async def page(self, table: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        found = await self._database.rows(self._query(_PAGE, table), (after, before, limit))
        return [(key, data) for key, data in found]

    async def every_row(self, table: str, after: str = "", limit: int = -1) -> list[Row]:
        found = await self._database.rows(self._query(_EVERY_ROW, table), (after, limit))
        return [(key, *rest) for key, *rest in found]

    @asynccontextmanager
    async def beside(self) -> AsyncIterator["PostgresReadStore"]:
        schema = f"{self._schema}_rebuilt"
        async with self._database.alone(schema) as alone:
            if not alone:
                raise ReadStoreUnavailable(f"{self._schema} is being built anew already")
            for left in (schema, f"{self._schema}_replaced"):
                await self._database.drop_schema(left)
            await _make(self._database, schema, self._projections, self._partitions)
            try:
                yield PostgresReadStore(self._database, schema, self._projections, self._partitions)
            finally:
                await self._database.drop_schema(schema)

    async def replace(self, fresh: "PostgresReadStore", catch_up: Callable[[], Awaitable[None]]) -> None:
        replaced = f"{self._schema}_replaced"
        async with self._database.transaction() as connection:
            # Waits for those who apply, and they for us: what they wait for they look up by its name again.
            await connection.execute(f"LOCK TABLE {self._schema}.checkpoints IN EXCLUSIVE MODE".encode())
            await catch_up()
            await connection.execute(f"ALTER SCHEMA {self._schema} RENAME TO {replaced}".encode())
            await connection.execute(f"ALTER SCHEMA {fresh._schema} RENAME TO {self._schema}".encode())
        await self._database.drop_schema(replaced)

    async def check(self) -> None:
        """Raises ReadStoreUnavailable when nothing could be written now."""
        await self.apply(Owner.PLANS, (), {}, ())

    async def _fold(self, connection: Connection, events: Sequence[Envelope]) -> None:
        stored: dict[tuple[str, str], Folded] = {}
        for table, wanted in keys(self._projections, events).items():
            found = await connection.execute(self._query(_STORED, table), (list(wanted),), binary=True)
            for key, account_id, position, data in await found.fetchall():
                stored[table, key] = Folded(account_id, position, data and orjson.loads(data))
        # In a thread: thousands of events at a time, when there is much to catch up with, and readers who want answers.
        for table, columns in await asyncio.to_thread(self._folded, events, stored):
            await connection.execute(self._query(_UPSERT, table), columns)

    def _folded(
        self, events: Sequence[Envelope], stored: Mapping[tuple[str, str], Folded]
    ) -> list[tuple[str, tuple[list[object], ...]]]:
        folded = fold(self._projections, events, lambda table, key: stored.get((table, key), NOTHING))
        return [(table, _columns(rows)) for table, rows in folded.items() if rows]

    def _query(self, query: str, table: str) -> bytes:
        return query.format(schema=self._schema, name=table).encode()


@asynccontextmanager
async def open_postgres_read_store(
    address: str, partitions: int, projections: Sequence[Projection] = PROJECTIONS, name: str = "read_models"
) -> AsyncIterator[PostgresReadStore]:
    """Makes the tables unless they are there. name: what their schema's name begins with. Raises ReadStoreUnavailable.

    Another number of partitions means another schema too: checkpoints speak of partitions.
    """
    schema = f"{name}_{blake2b(_meaning(projections, partitions).encode(), digest_size=4).hexdigest()}"
    async with open_database(address, ReadStoreUnavailable) as database:
        await _make(database, schema, projections, partitions)
        yield PostgresReadStore(database, schema, projections, partitions)


async def _make(database: Database, schema: str, projections: Sequence[Projection], partitions: int) -> None:
    statements = [each.replace("{name}", table) for table in _tables(projections) for each in (_TABLE, _INDEX)]
    await database.make_schema(schema, [*postgres_progress.TABLES, *statements], _meaning(projections, partitions))


def _tables(projections: Sequence[Projection]) -> list[str]:
    return sorted(projection.TABLE for projection in projections)


def _meaning(projections: Sequence[Projection], partitions: int) -> str:
    return f"{', '.join(_tables(projections))}; {partitions} partitions"


def _columns(rows: Rows) -> tuple[list[object], ...]:
    return (
        list(rows),
        [each.account_id for each in rows.values()],
        [each.position for each in rows.values()],
        [each.row and orjson.dumps(each.row) for each in rows.values()],
    )
