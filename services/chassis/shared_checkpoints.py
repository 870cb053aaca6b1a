"""Where a service that answers events with commands keeps its checkpoints: a file of its own, or, when it has replicas,
PostgreSQL."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from contracts.envelope import Envelope
from contracts.topics import Owner

from . import postgres_progress
from .checkpoints import Checkpoints
from .derived_file import within
from .postgres import Database, open_database
from .postgres_progress import Progress
from .settings import ServiceSettings
from .sink import NOWHERE, Parked


class SharedCheckpoints:
    """As Checkpoints, of several processes. Every call raises DatabaseUnavailable."""

    shared = True

    def __init__(self, database: Database, progress: Progress) -> None:
        self._database = database
        self._progress = progress

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return await self._progress.checkpoints(owner)

    async def parked_streams(self, owner: Owner) -> set[str]:
        return await self._progress.parked_streams(owner)

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        """In order."""
        return await self._progress.parked_events(owner, stream)

    @asynccontextmanager
    async def following(
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> AsyncIterator[Sequence[Envelope]]:
        """As Checkpoints.following. Meanwhile no other replica is at work in these partitions: commands have ids that
        keep them from being carried out twice, but only their turn keeps a parked stream's later ones from being first.

        Raises Overtaken and Behind.
        """
        async with self._database.transaction() as connection:
            fresh, aside = await self._progress.begin(connection, owner, events, checkpoints, parked, after)
            yield fresh
            await self._progress.save(connection, owner, checkpoints, aside)

    @asynccontextmanager
    async def replaying(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> AsyncIterator[None]:
        """As Checkpoints.replaying."""
        async with self._database.transaction() as connection:
            await self._progress.forget(connection, owner, events)
            yield


@asynccontextmanager
async def open_checkpoints(
    service: str, settings: ServiceSettings, partitions: int | None = None
) -> AsyncIterator[Checkpoints | SharedCheckpoints]:
    """partitions: of what is followed, if not those of the topics. Raises DatabaseUnavailable."""
    if settings.database is None:
        with Checkpoints.open(within(settings.data_dir, f"{service}_checkpoints.sqlite3")) as checkpoints:
            yield checkpoints
        return
    # With another number of partitions all is looked at again: checkpoints speak of partitions.
    partitions = partitions or settings.partitions
    schema = f"{service}_checkpoints_{partitions}"
    async with open_database(settings.database.get_secret_value()) as database:
        await database.make_schema(schema, postgres_progress.TABLES, f"how far {service} has followed others' events")
        yield SharedCheckpoints(database, Progress(database, schema, partitions))
