"""The consumer on a real broker: every event applied once and in order, whatever repeats, is missing, lost or away."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import Record, kafka_headers
from contracts.topics import Owner, partition_of, topic_of
from services.chassis import kafka
from services.chassis.consumer import CannotApply, Consumer
from services.chassis.event_store import NO_STREAM
from services.chassis.feed import FeedClient
from services.chassis.follower import Follower
from services.chassis.memory_store import MemoryEventStore
from services.chassis.relay import Relay
from services.chassis.running import running
from services.chassis.sink import Feed
from tests.engines import Broker, Tansu, until

from .accounts import ACCOUNTS, PARTITIONS, by_partition, event, happens
from .ledger import Ledger, StoreFeed
from .test_feed import feed_of, token

TOPIC, GROUP = topic_of(Owner.PLANS), "gateway"
LONG_S = 60.0  # aiokafka finds out about a broker that was killed and started empty after some 10 s


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
def feed(store: MemoryEventStore) -> StoreFeed:
    return StoreFeed(store)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@asynccontextmanager
async def consuming(
    ledger: Ledger, feed: Feed, broker: Broker, partitions: int = PARTITIONS
) -> AsyncIterator[Consumer]:
    consumer = Consumer(ledger, {Owner.PLANS: feed}, broker.bootstrap, GROUP, partitions)
    async with running(consumer.run()) as (task,):
        yield consumer
        assert not task.done(), task.exception()


@asynccontextmanager
async def relaying(store: MemoryEventStore, broker: Broker, folder: Path) -> AsyncIterator[Relay]:
    relay = Relay(Owner.PLANS, store, broker.bootstrap, folder / "frontier", PARTITIONS, broker_forgets=broker.forgets)
    async with running(relay.run()):
        yield relay


def following(consumer: Consumer) -> Follower:
    return consumer.followers[Owner.PLANS]


async def log_of(store: MemoryEventStore) -> list[Record]:
    return [record async for record in store.read_all(0)]


async def put(
    broker: Broker, store: MemoryEventStore, after: int = 0, left_out: Collection[int] = (), every: int = 20
) -> None:
    """Publishes the log after a position as a relay does, `every` so many events, without those left out."""
    await kafka.ensure_topic(broker.bootstrap, TOPIC, PARTITIONS, broker.forgets)
    async with kafka.sending(broker.bootstrap, TOPIC) as sender:
        for number, records in enumerate(await by_partition(store)):
            before = [0, *(record.position for record in records)]
            messages = [
                (key_of(record), record.data, kafka_headers(record, "plans", prev))
                for record, prev in zip(records, before, strict=False)
                if record.position > after and record.position not in left_out
            ]
            for start in range(0, len(messages), every):
                await sender.send({number: messages[start : start + every]})


def key_of(record: Record) -> bytes:
    account_id: str = orjson.loads(record.metadata)["account_id"]
    return account_id.encode()


async def assert_applied_once_in_order(ledger: Ledger, store: MemoryEventStore, parked: Sequence[int] = ()) -> None:
    log = [record for record in await log_of(store) if record.position not in parked]
    for account in ACCOUNTS:
        expected = [record.position for record in log if key_of(record) == account.encode()]
        assert [each.position for each in ledger.applied if each.account_id == account] == expected
    assert [each.envelope.position for each in ledger.parked] == list(parked)


def count(ledger: Ledger, events: int) -> Callable[[], bool]:
    return lambda: len(ledger.applied) >= events


async def test_what_kafka_brings_is_applied_once_and_in_order_without_the_feed(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    feed.away = True
    async with relaying(store, broker, tmp_path), consuming(ledger, feed, broker) as consumer:
        await happens(store, 1000)
        await until(count(ledger, 1000))
        with pytest.raises(RuntimeError, match="not caught up with plans"):
            await consumer.check(Owner.PLANS)
        feed.away = False
        await until(lambda: following(consumer).caught_up)
        await consumer.check(Owner.PLANS)
        assert following(consumer).lag_positions() == following(consumer).lag_seconds() == 0
    await assert_applied_once_in_order(ledger, store)
    assert following(consumer).applied == {"kafka": 1000, "feed": 0}
    assert ledger.ignored == 0


async def test_repetitions_are_dropped(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    feed.away = True
    await happens(store, 300)
    for _ in range(2):
        await put(broker, store)
    await put(broker, store, after=200)
    async with consuming(ledger, feed, broker) as consumer:
        await until(lambda: following(consumer).repeated == 400)
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0


async def test_a_hole_waits_for_the_feed_and_nothing_is_skipped(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    feed.away = True
    await happens(store, 600)
    missing = set(random.Random(3).sample(range(100, 550), 60))
    await put(broker, store, left_out=missing)
    async with consuming(ledger, feed, broker) as consumer:
        await until(lambda: following(consumer).trouble.startswith("hole_not_filled"))
        assert not missing & {each.position for each in ledger.applied}
        feed.breaks_after, feed.away = 2, False
        await until(lambda: feed.away)
        feed.breaks_after, feed.away = None, False
        await until(count(ledger, 600))
        assert following(consumer).holes >= 1
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0
    assert feed.open == 0


async def test_a_hole_at_the_end_of_a_partition_is_found_though_others_are_busy(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    """No later event of that partition will show it."""
    quiet, busy = ACCOUNTS[0], next(a for a in ACCOUNTS if partition_of(a, 4) != partition_of(ACCOUNTS[0], 4))
    async with consuming(ledger, feed, broker) as consumer:
        await until(lambda: following(consumer).caught_up)
        position = await happens(store, 5, [quiet])
        waiting = asyncio.create_task(consumer.wait_for(Owner.PLANS, quiet, position, timeout_s=LONG_S))
        while not waiting.done():
            after = await store.head()
            await happens(store, 5, [busy])
            await put(broker, store, after=after)
        assert await waiting
    assert ledger.ignored == 0


async def test_the_feed_delivers_while_kafka_is_away(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, tmp_path: Path
) -> None:
    broker = Tansu()
    async with consuming(ledger, feed, broker) as consumer, relaying(store, broker, tmp_path):
        await happens(store, 300)
        await until(count(ledger, 300))
        assert following(consumer).applied == {"kafka": 0, "feed": 300}
        await broker.start()
        try:
            feed.away = True
            await happens(store, 300, seed=2)
            await until(count(ledger, 600), LONG_S)
        finally:
            broker.kill()
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0


async def test_a_broker_that_loses_everything_in_mid_load_costs_no_event(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, tansu: Tansu, tmp_path: Path
) -> None:
    async with relaying(store, tansu, tmp_path), consuming(ledger, feed, tansu):
        for turn in range(2):
            load = asyncio.create_task(happens(store, 1000, seed=turn))
            await until(count(ledger, 1000 * turn + 300))
            tansu.kill()
            await tansu.start()
            await load
            await until(count(ledger, 1000 * turn + 1000), LONG_S)
        feed.away = True  # and Kafka brings news again
        await happens(store, 100, seed=9)
        await until(count(ledger, 2100), LONG_S)
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0


async def committed(broker: Broker, offset: int) -> None:
    """The group once got this far in every partition, in a topic that is gone."""
    await kafka.ensure_topic(broker.bootstrap, TOPIC, PARTITIONS)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=f"{GROUP}-{Owner.PLANS}", enable_auto_commit=False
    )
    await consumer.start()
    consumer.subscribe([TOPIC])
    await until(lambda: len(consumer.assignment()) == PARTITIONS, LONG_S)
    await consumer.commit({TopicPartition(TOPIC, number): offset for number in range(PARTITIONS)})
    await consumer.stop()


async def test_a_group_that_was_further_than_a_lost_topic_reads_the_feed_meanwhile(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    """The embedded broker has no answer for such a place; Apache Kafka says so, and the client begins at the start."""
    await committed(broker, 30)
    async with consuming(ledger, feed, broker):
        for turn in range(4):
            after = await store.head()
            await happens(store, 100, seed=turn)
            await put(broker, store, after=after)
            await until(count(ledger, 100 * (turn + 1)), LONG_S)
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0


async def test_a_new_topic_that_outgrew_the_groups_place_shows_a_hole(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    feed.away = True
    await happens(store, 400)
    await committed(broker, 20)
    await put(broker, store)
    async with consuming(ledger, feed, broker) as consumer:
        await until(lambda: following(consumer).trouble.startswith("hole_not_filled"))
        assert not ledger.applied
        feed.away = False
        await until(count(ledger, 400))
    await assert_applied_once_in_order(ledger, store)
    assert following(consumer).applied["feed"] >= 80


async def test_an_event_that_cannot_be_applied_parks_its_stream_and_no_other(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    await happens(store, 300)
    log = await log_of(store)
    poison = log[100]
    ledger.poison = {poison.position}

    async def waiting_positions() -> list[int]:
        return [r.position for r in await log_of(store) if r.stream == poison.stream and r.position >= poison.position]

    async with relaying(store, broker, tmp_path):
        async with consuming(ledger, feed, broker) as consumer:
            await until(lambda: len(ledger.applied) + len(ledger.parked) == 300)
            assert following(consumer).parked_streams == {poison.stream}
        await assert_applied_once_in_order(ledger, store, await waiting_positions())
        async with consuming(ledger, feed, broker) as consumer:  # after a restart it is still parked
            await happens(store, 300, seed=2)
            await until(lambda: len(ledger.applied) + len(ledger.parked) == 600)
            parked = await waiting_positions()
            await assert_applied_once_in_order(ledger, store, parked)
            assert "no such licence" in ledger.parked[0].reason

            with pytest.raises(CannotApply):
                await consumer.replay_parked(Owner.PLANS, poison.stream)
            assert [each.envelope.position for each in ledger.parked] == parked
            ledger.poison.clear()
            assert await consumer.replay_parked(Owner.PLANS, poison.stream) == len(parked)
            await happens(store, 100, seed=3)
            await until(count(ledger, 700))
            assert following(consumer).parked_streams == set()
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0


async def test_a_sink_that_fails_for_a_while_costs_no_event_and_parks_nothing(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    ledger.away = True
    async with relaying(store, broker, tmp_path), consuming(ledger, feed, broker) as consumer:
        await happens(store, 200)
        await until(lambda: ledger.tries > 2)  # it is not even known where it stands
        ledger.away = False
        await until(count(ledger, 200))
        ledger.away = True
        await happens(store, 200, seed=2)
        await until(lambda: following(consumer).trouble.startswith("not_committed: the disk is full"))
        ledger.away = False
        await until(count(ledger, 400))
        assert following(consumer).trouble == ""
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0


async def test_records_that_are_not_ours_are_left_out_and_counted(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    feed.away = True
    await happens(store, 100)
    await kafka.ensure_topic(broker.bootstrap, TOPIC, PARTITIONS)
    async with kafka.sending(broker.bootstrap, TOPIC) as sender:
        foreign = [
            (b"key", b"no JSON", []),
            (b"key", b"{}", [("ce_position", b"x")]),
            (b"key", b"", [("ce_id", b"\xff")]),
        ]
        await sender.send(dict.fromkeys(range(PARTITIONS), foreign))
    await put(broker, store)
    async with consuming(ledger, feed, broker) as consumer:
        await until(count(ledger, 100))
    await assert_applied_once_in_order(ledger, store)
    assert following(consumer).foreign == 3 * PARTITIONS


async def test_a_record_from_beyond_the_owners_log_holds_nobody_up(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker
) -> None:
    await happens(store, 100)
    await kafka.ensure_topic(broker.bootstrap, TOPIC, PARTITIONS, forgets=True)
    last = (await log_of(store))[-1]
    beyond = [
        (b"key", body, kafka_headers(replace(last, position=position), "plans", prev))
        for body, position, prev in ((b"{}", 10**9, 10**9 - 1), (b"{}", 10**30, 0), (b"null", 1, 0), (b"{}", -5, -9))
    ]
    async with kafka.sending(broker.bootstrap, TOPIC) as sender:
        await sender.send(dict.fromkeys(range(PARTITIONS), beyond))
    await put(broker, store)
    async with consuming(ledger, feed, broker) as consumer:
        await until(count(ledger, 100))
        await until(lambda: following(consumer).foreign >= len(beyond) * PARTITIONS)
        await happens(store, 20)
        await until(count(ledger, 120))
    await assert_applied_once_in_order(ledger, store)


async def test_a_consumer_cancelled_at_any_point_goes_on_where_its_sink_stands(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    chance = random.Random(5)
    async with relaying(store, broker, tmp_path):
        load = asyncio.create_task(happens(store, 4000))
        for turn in range(6):
            feed.away = turn % 2 == 1
            seen = len(ledger.applied)
            async with consuming(ledger, feed, broker):
                await until(count(ledger, min(4000, seen + chance.randint(1, 500))))
                for _ in range(chance.randint(0, 20)):
                    await asyncio.sleep(0)  # anywhere within a batch
        feed.away = False
        await load
        async with consuming(ledger, feed, broker):
            await until(count(ledger, 4000))
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0
    assert feed.open == 0


async def test_waiting_for_a_position_tells_whether_it_was_reached(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    async with relaying(store, broker, tmp_path), consuming(ledger, feed, broker) as consumer:
        ledger.away = True
        result = await store.append("plan-1", [event("account-1")], NO_STREAM)
        assert not await consumer.wait_for(Owner.PLANS, "account-1", result.position, timeout_s=0.05)
        waiting = asyncio.create_task(consumer.wait_for(Owner.PLANS, "account-1", result.position, LONG_S))
        ledger.away = False
        assert await waiting
        assert await consumer.wait_for(Owner.PLANS, "account-1", result.position, timeout_s=0)
        assert not await consumer.wait_for(Owner.PLANS, "account-1", result.position + 1, timeout_s=0)


async def test_two_replicas_share_a_sink_while_partitions_move_between_them(
    store: MemoryEventStore, feed: StoreFeed, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    async with relaying(store, broker, tmp_path), consuming(ledger, feed, broker) as one:
        for turn in range(2):
            load = asyncio.create_task(happens(store, 1000, seed=turn))
            await until(count(ledger, 2000 * turn + 300))
            async with consuming(ledger, feed, broker) as two:
                head = await load
                record = (await log_of(store))[-1]
                for replica in (one, two):
                    assert await replica.wait_for(Owner.PLANS, key_of(record).decode(), head, LONG_S)
                load = asyncio.create_task(happens(store, 1000, seed=turn + 10))
                await until(count(ledger, 2000 * turn + 1500), LONG_S)
            await load
            await until(count(ledger, 2000 * turn + 2000), LONG_S)
    await assert_applied_once_in_order(ledger, store)


async def test_holes_are_filled_from_a_feed_over_http(
    store: MemoryEventStore, ledger: Ledger, broker: Broker, tmp_path: Path
) -> None:
    async with feed_of(store, tmp_path) as url, aiohttp.ClientSession() as session:
        feed = FeedClient(url, session, token)
        async with consuming(ledger, feed, broker) as consumer:
            await until(lambda: following(consumer).caught_up)
            await happens(store, 500)
            await put(broker, store, left_out=range(100, 300))
            await until(count(ledger, 500))
    await assert_applied_once_in_order(ledger, store)
    assert ledger.ignored == 0
