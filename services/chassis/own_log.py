"""A service that reacts to its own events: the same follower as for another owner's, fed from its own store."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import orjson
import structlog

from contracts.envelope import Envelope, Record
from contracts.topics import Owner

from .event_store import CaughtUp, EventStore
from .follower import Follower, pause
from .running import running
from .sink import Sink

READ_EVENTS = 500
PARTITIONS = 1  # a log is not divided, as a topic is

log = structlog.get_logger(__name__)


class OwnFeed:
    """A Feed over the service's own store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        found: list[Envelope] = []
        async with aclosing(self._store.read_all(after)) as records:  # type: ignore[type-var]
            async for record in records:
                if until is not None and record.position > until:
                    break
                found.append(_envelope(record))
                if len(found) >= READ_EVENTS:
                    yield found
                    found = []
        if found:
            yield found

    async def head(self) -> int:
        return await self._store.head()


def follower_of_itself(owner: Owner, store: EventStore, sink: Sink, shared: bool) -> Follower:
    """sink: of PARTITIONS. shared: as in Follower."""
    return Follower(owner, OwnFeed(store), sink, PARTITIONS, shared)


@asynccontextmanager
async def following_itself(follower: Follower, store: EventStore) -> AsyncIterator[None]:
    """Meanwhile it takes in every event as soon as it is recorded."""
    await follower.load()
    async with running(_follow(follower, store)):
        yield


async def _follow(follower: Follower, store: EventStore) -> None:
    failures = 0
    while True:
        try:
            async with aclosing(store.subscribe(min(follower.checkpoints.values()))) as news:  # type: ignore[type-var]
                async for each in news:
                    if isinstance(each, CaughtUp) or each.position > min(follower.checkpoints.values()):
                        await follower.catch_up()
                        failures = 0
        except Exception as error:  # what is not done now is done when it is looked at again
            failures += 1
            log.warning("own_log_not_followed", owner=follower.owner, reason=str(error) or type(error).__name__)
        await pause(failures)


def _envelope(record: Record) -> Envelope:
    return Envelope(
        record.position,
        record.stream,
        record.revision,
        record.event_id,
        record.type,
        record.version,
        orjson.loads(record.metadata),
        orjson.loads(record.data),
    )
