"""Several gateways over one database, on a real broker: each event is applied once, and nobody answers with an older
row than the position asked for, whatever is killed meanwhile."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from contracts.topics import Owner, partition_of
from services.chassis.consumer import Consumer
from services.chassis.event_store import NO_STREAM
from services.chassis.memory_store import MemoryEventStore
from services.chassis.running import running
from services.gateway.postgres_read_store import PostgresReadStore, open_postgres_read_store
from tests.chassis.accounts import ACCOUNTS, PARTITIONS, event, happens
from tests.chassis.ledger import StoreFeed
from tests.chassis.test_consumer import LONG_S, log_of, relaying
from tests.engines import Broker, until
from tests.engines.postgres import Postgres, database

from .counted import counted, every_position, positions

SQUEEZE_S = 0.02


@pytest.fixture
def log() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
def feed(log: MemoryEventStore) -> StoreFeed:
    return StoreFeed(log)


@pytest.fixture
def own_database(postgres_url: str) -> Iterator[str]:
    with database(postgres_url) as url:
        yield url


@dataclass
class Replica:
    store: PostgresReadStore
    consumer: Consumer

    async def shows(self, stream: str, account_id: str, position: int) -> list[int]:
        """What it answers to who asks for a position."""
        assert await self.consumer.wait_for(Owner.PLANS, account_id, position, LONG_S)
        return await positions(self.store, stream)

    def applied(self) -> int:
        return sum(self.consumer.followers[Owner.PLANS].applied.values())

    def checkpoint(self, account_id: str) -> int:
        """Up to where this replica itself has applied, or was told at the start."""
        return self.consumer.followers[Owner.PLANS].checkpoints[partition_of(account_id, PARTITIONS)]


@asynccontextmanager
async def replica(url: str, feed: StoreFeed, broker: Broker) -> AsyncIterator[Replica]:
    async with open_postgres_read_store(url, PARTITIONS, [counted]) as store:
        consumer = Consumer(store, {Owner.PLANS: feed}, broker.bootstrap, store.group, PARTITIONS, store.shared)
        async with running(consumer.run()) as (task,):
            yield Replica(store, consumer)
            assert not task.done(), task.exception()


async def assert_applied_once_in_order(store: PostgresReadStore, log: MemoryEventStore) -> None:
    expected = defaultdict(list)
    for record in await log_of(log):
        expected[record.stream].append(record.position)
    assert await every_position(store) == expected


async def all_reach(replicas: list[Replica], log: MemoryEventStore) -> None:
    """Every account's last event: in every replica's eyes."""
    last = {record.stream.removeprefix("plan-"): record.position for record in await log_of(log)}
    for each in replicas:
        for account_id, position in last.items():
            assert await each.consumer.wait_for(Owner.PLANS, account_id, position, LONG_S)


async def test_replicas_that_come_and_go_apply_every_event_once(
    own_database: str, log: MemoryEventStore, feed: StoreFeed, broker: Broker, tmp_path: Path
) -> None:
    async with relaying(log, broker, tmp_path), replica(own_database, feed, broker) as one:
        for turn in range(2):
            load = asyncio.create_task(happens(log, 1000, seed=turn))
            await all_reach([one], log)
            async with replica(own_database, feed, broker) as two, replica(own_database, feed, broker) as three:
                await load
                await all_reach([one, two, three], log)
                load = asyncio.create_task(happens(log, 1000, seed=turn + 10))
            await load
        await all_reach([one], log)
        await assert_applied_once_in_order(one.store, log)


async def test_a_replica_answers_for_partitions_that_others_follow(
    own_database: str, log: MemoryEventStore, feed: StoreFeed, broker: Broker, tmp_path: Path
) -> None:
    """The feed is away: it cannot have read them itself."""
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(relaying(log, broker, tmp_path))
        replicas = [await opened.enter_async_context(replica(own_database, feed, broker)) for _ in range(3)]
        await happens(log, 100)
        await all_reach(replicas, log)
        feed.away = True
        told = dict.fromkeys(range(3), 0)
        for account_id in ACCOUNTS:
            stream = f"plan-{account_id}"
            revision = len(await log.read_stream(stream)) + NO_STREAM
            position = (await log.append(stream, [event(account_id)], revision)).position
            answers = await asyncio.gather(*(each.shows(stream, account_id, position) for each in replicas))
            assert [answer[-1] for answer in answers] == [position] * 3
            for number, each in enumerate(replicas):
                told[number] += each.checkpoint(account_id) < position
        # One applied it, the others saw that; who had just looked at the shared checkpoints by itself knew already.
        assert len(ACCOUNTS) <= sum(told.values()) <= 2 * len(ACCOUNTS)


async def test_no_answer_is_older_than_asked_for_while_partitions_move(
    own_database: str, log: MemoryEventStore, feed: StoreFeed, broker: Broker, tmp_path: Path
) -> None:
    chance = random.Random(4)
    asked = 0

    async def ask(replicas: list[Replica], of: str) -> None:
        nonlocal asked
        stream, revision = f"plan-{of}", NO_STREAM
        for _ in range(30):
            result = await log.append(stream, [event(of)], revision)
            revision = result.revision
            answer = await chance.choice(replicas).shows(stream, of, result.position)
            assert answer[-1] == result.position
            asked += 1

    async with relaying(log, broker, tmp_path), replica(own_database, feed, broker) as one:
        async with replica(own_database, feed, broker) as two:
            await asyncio.gather(*(ask([one, two], account_id) for account_id in ACCOUNTS[:6]))
        await asyncio.gather(*(ask([one], account_id) for account_id in ACCOUNTS[6:]))
        await assert_applied_once_in_order(one.store, log)
    assert asked == 30 * len(ACCOUNTS)


async def test_connections_cut_in_the_middle_of_batches_cost_and_double_nothing(
    own_database: str, log: MemoryEventStore, feed: StoreFeed, broker: Broker, tmp_path: Path
) -> None:
    cuts = 0

    async def cut() -> None:
        nonlocal cuts
        async with await psycopg.AsyncConnection.connect(own_database, autocommit=True) as admin:
            while True:
                found = await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
                )
                cuts += found.rowcount

    async with relaying(log, broker, tmp_path):
        async with replica(own_database, feed, broker), replica(own_database, feed, broker), running(cut()):
            for turn in range(4):
                before = cuts
                await happens(log, 300, seed=turn)
                await until(lambda before=before: cuts >= before + 3)  # type: ignore[misc]
        async with replica(own_database, feed, broker) as one:
            await all_reach([one], log)
            await assert_applied_once_in_order(one.store, log)


async def test_replicas_killed_at_any_point_lose_and_double_nothing(
    own_database: str, log: MemoryEventStore, feed: StoreFeed, broker: Broker, tmp_path: Path
) -> None:
    chance = random.Random(5)
    async with relaying(log, broker, tmp_path), replica(own_database, feed, broker) as one:
        for turn in range(3):
            feed.away = turn % 2 == 1
            async with replica(own_database, feed, broker) as two:
                enough = one.applied() + chance.randint(1, 300)
                load = asyncio.create_task(happens(log, 800, seed=turn))
                await until(lambda two=two, enough=enough: one.applied() + two.applied() >= enough, LONG_S)  # type: ignore[misc]
                for _ in range(chance.randint(0, 20)):
                    await asyncio.sleep(0)  # anywhere within a batch
            await load
        feed.away = False
        await all_reach([one], log)
        await assert_applied_once_in_order(one.store, log)


async def test_a_database_that_is_killed_and_started_again_costs_and_doubles_nothing(
    own_server: Postgres, log: MemoryEventStore, feed: StoreFeed, broker: Broker, tmp_path: Path
) -> None:
    async with (
        relaying(log, broker, tmp_path),
        replica(own_server.url, feed, broker) as one,
        replica(own_server.url, feed, broker) as two,
    ):
        for turn in range(3):
            load = asyncio.create_task(happens(log, 1000, seed=turn))
            await asyncio.sleep(SQUEEZE_S)
            (own_server.kill, own_server.stop)[turn % 2]()
            await load
            own_server.start()
            await all_reach([one, two], log)
            await assert_applied_once_in_order(two.store, log)
