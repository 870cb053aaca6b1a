"""How far several processes have come together, and what they set aside: tables in a schema of PostgreSQL.

They share a consumer group, but who fills a hole from a feed, or looks whether it missed anything, reads every
partition; and a partition that moves is for a moment followed by two. So whoever applies events first locks the
checkpoints of their partitions, and then goes by what they say, not by what it remembers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from contracts.envelope import Envelope
from contracts.topics import Owner, partition_of

from .postgres import Connection, Database
from .sink import NOWHERE, WAITS, Behind, Overtaken, Parked

TABLES = (
    """CREATE TABLE {schema}.checkpoints (
        owner text NOT NULL, partition integer NOT NULL, position bigint NOT NULL, PRIMARY KEY (owner, partition))""",
    """CREATE TABLE {schema}.parked (
        owner text NOT NULL, position bigint NOT NULL, stream text NOT NULL, envelope bytea NOT NULL,
        reason text NOT NULL, PRIMARY KEY (owner, position))""",
)
# In the order of their numbers, or two processes could each wait for the other.
_LOCK = """INSERT INTO {schema}.checkpoints AS known SELECT %s, unnest(%s::integer[]), 0
    ON CONFLICT (owner, partition) DO UPDATE SET position = known.position RETURNING partition, position"""
_ADVANCE = """UPDATE {schema}.checkpoints AS known SET position = reached.position
    FROM unnest(%s::integer[], %s::bigint[]) AS reached (partition, position)
    WHERE owner = %s AND known.partition = reached.partition AND known.position < reached.position"""
_CHECKPOINTS = "SELECT partition, position FROM {schema}.checkpoints WHERE owner = %s AND position > 0"
_STREAMS = "SELECT DISTINCT stream FROM {schema}.parked WHERE owner = %s"
_EVENTS = "SELECT envelope FROM {schema}.parked WHERE owner = %s AND stream = %s ORDER BY position"
_PARK = "INSERT INTO {schema}.parked VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM {schema}.parked WHERE owner = %s AND position = ANY(%s::bigint[])"


class Progress:
    """In a schema that has TABLES. partitions: of every topic."""

    def __init__(self, database: Database, schema: str, partitions: int) -> None:
        self._database = database
        self._partitions = partitions
        self._lock, self._advance, self._checkpoints, self._streams, self._events, self._park, self._forget = (
            query.format(schema=schema).encode()
            for query in (_LOCK, _ADVANCE, _CHECKPOINTS, _STREAMS, _EVENTS, _PARK, _FORGET)
        )

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return dict(await self._database.rows(self._checkpoints, (owner,)))

    async def parked_streams(self, owner: Owner) -> set[str]:
        return {stream for (stream,) in await self._database.rows(self._streams, (owner,))}

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        """In order."""
        rows = await self._database.rows(self._events, (owner, stream))
        return [Envelope(**orjson.loads(envelope)) for (envelope,) in rows]

    async def begin(
        self,
        connection: Connection,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> tuple[list[Envelope], list[Parked]]:
        """Locks the partitions; what of it nobody has applied or parked yet. Raises Overtaken and Behind.

        checkpoints: of the partition of every event. after: of those, where the caller goes on from.
        """
        reached = await self._locked(connection, owner, checkpoints)
        if any(reached.get(partition, 0) < position for partition, position in after.items()):
            raise Behind(f"of {owner} the database has less than it had: it was put back")
        streams = {stream for (stream,) in await _found(connection, self._streams, (owner,))}
        fresh = [event for event in events if event.position > reached.get(self._of(event), 0)]
        aside = [each for each in parked if each.envelope.position > reached.get(self._of(each.envelope), 0)]
        poisoned = {each.envelope.stream for each in aside if each.reason != WAITS}
        if any(event.stream in streams for event in fresh):
            raise Overtaken("a stream was parked by another process")
        if any(each.envelope.stream not in streams | poisoned for each in aside):
            raise Overtaken("a stream was taken in again by another process")
        return fresh, aside

    async def save(
        self, connection: Connection, owner: Owner, checkpoints: Mapping[int, int], parked: Sequence[Parked]
    ) -> None:
        """To end what `begin` has begun. A checkpoint never goes back."""
        await connection.execute(self._advance, (list(checkpoints), list(checkpoints.values()), owner))
        for each in parked:
            event = each.envelope
            row = (owner, event.position, event.stream, orjson.dumps(event), each.reason)
            await connection.execute(self._park, row)

    async def forget(self, connection: Connection, owner: Owner, events: Sequence[Envelope]) -> None:
        """They are parked no longer; others of their stream, parked meanwhile, still are. Before what they do is done:
        it waits for whoever is at work in their partitions."""
        await self._locked(connection, owner, {self._of(event): 0 for event in events})
        await connection.execute(self._forget, (owner, [event.position for event in events]))

    async def _locked(self, connection: Connection, owner: Owner, partitions: Mapping[int, int]) -> dict[int, int]:
        return dict(await _found(connection, self._lock, (owner, sorted(partitions))))

    def _of(self, event: Envelope) -> int:
        return partition_of(event.account_id, self._partitions)


async def _found(connection: Connection, query: bytes, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, parameters, binary=True)).fetchall()
