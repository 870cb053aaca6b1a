"""Renewals as several replicas over one event store and one database: one goes on where the other stopped, and what one
has parked, or taken in again, is so for all."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from contracts.money import MAX_MINOR
from contracts.topics import Owner
from services.chassis.follower import Follower
from services.chassis.memory_store import MemoryEventStore
from services.chassis.policies import PolicySink
from services.chassis.shared_checkpoints import open_checkpoints
from services.renewals.reactions import Reactions
from tests.chassis.ledger import StoreFeed

from .test_sink import ledger, nobody_away, started

PLANS, PARTITIONS = Owner.PLANS, 4


@pytest.fixture
def log() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
async def replicas(log: MemoryEventStore, postgres_database: str, tmp_path: Path) -> AsyncIterator[list[Follower]]:
    of: Any = SimpleNamespace(database=SecretStr(postgres_database), partitions=PARTITIONS, data_dir=tmp_path)
    service = f"renewals_{uuid4().hex[:8]}"
    async with AsyncExitStack() as opened:
        followers = []
        for _ in range(2):
            progress = await opened.enter_async_context(open_checkpoints(service, of))
            assert progress.shared
            sink = PolicySink(Reactions(ledger(log), nobody_away).react, progress)
            followers.append(Follower(PLANS, StoreFeed(MemoryEventStore()), sink, PARTITIONS, progress.shared))
        yield followers


async def amounts(log: MemoryEventStore) -> list[str]:
    return [record.type for record in await log.read_stream("renewal-acme")]


async def test_what_one_replica_has_followed_has_no_effect_again(
    replicas: list[Follower], log: MemoryEventStore
) -> None:
    one, other = replicas
    first, second = started(1, 500), started(2, 600)
    await one.take([(first, 0), (second, 1)])
    recorded = await log.head()
    await other.take([(first, 0), (second, 1)])
    assert await log.head() == recorded == 2
    assert await other.wait_for("acme", 2, timeout_s=0)
    await other.take([(started(3, 700), 2)])
    assert one.checkpoints != other.checkpoints
    assert await one.wait_for("acme", 3, timeout_s=10)


async def test_what_one_replica_parked_waits_for_all_and_goes_on_for_all(
    replicas: list[Follower], log: MemoryEventStore
) -> None:
    one, other = replicas
    await one.take([(started(1, MAX_MINOR), 0), (started(2, 1), 1)])  # more than an account may owe
    await other.take([(started(3, 0, bundle=2), 0)])  # it has not heard of what was parked
    assert other.parked_streams == {"plan-bundle-2"}
    recorded = await log.head()
    await other.take([(started(4, 0, bundle=1), 3)])  # the plan that costs too much is cancelled
    assert await one.replay("plan-bundle-2") == 2
    assert await log.head() > recorded
    await other.take([(started(5, 2, bundle=2), 4)])
    assert other.parked_streams == set()
