"""Events of a few accounts, for tests of what carries events and does not look into them."""

import asyncio
import random
import uuid

import orjson

from contracts.envelope import Actor, Metadata, Record
from contracts.topics import partition_of
from services.chassis.event_store import NO_STREAM, EventStore, NewEvent

PARTITIONS = 4  # what the embedded broker gives a topic by itself
ACCOUNTS = [f"account-{number}" for number in range(12)]


def event(account_id: str, data: bytes = b'{"bundle_id":"1","assignee":"ann"}') -> NewEvent:
    event_id = str(uuid.uuid4())
    metadata = Metadata(
        account_id=account_id,
        actor=Actor(id="user-1", role="editor", via="api"),
        recorded_at="2026-06-11T10:00:00.000000Z",
        effective_on="2026-06-11",
        causation_id=event_id,
        correlation_id="correlation",
        command_id=event_id,
        request_digest="digest",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    return NewEvent(event_id, "plans.LicenceAssigned", 1, metadata.model_dump_json().encode(), data)


async def happens(store: EventStore, events: int, accounts: list[str] = ACCOUNTS, seed: int = 1) -> int:
    """Appends so many events of random accounts, each account a stream, one to five at a time; the log's new head."""
    chance = random.Random(seed)
    revisions: dict[str, int] = {}
    position = 0
    while events:
        account = chance.choice(accounts)
        stream = f"plan-{account}"
        if stream not in revisions:
            revisions[stream] = len(await store.read_stream(stream)) + NO_STREAM
        count = min(events, chance.randint(1, 5))
        result = await store.append(stream, [event(account) for _ in range(count)], revisions[stream])
        revisions[stream], position, events = result.revision, result.position, events - count
        await asyncio.sleep(0)  # others run meanwhile
    return position


async def by_partition(store: EventStore, partitions: int = PARTITIONS) -> list[list[Record]]:
    """The whole log, as its topic should hold it."""
    split: list[list[Record]] = [[] for _ in range(partitions)]
    async for record in store.read_all(0):
        split[partition_of(orjson.loads(record.metadata)["account_id"], partitions)].append(record)
    return split
