"""What only Apache Kafka does: groups that rebalance in mid-load, a log that outlives the broker, retention, limits."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import Owner, topic_of
from services.chassis.memory_store import MemoryEventStore
from services.chassis.relay import Relay
from services.chassis.sqlite_store import SqliteEventStore
from tests.engines import Broker, until

from .accounts import ACCOUNTS, happens
from .ledger import Ledger, StoreFeed
from .shared_ledger import SharedLedger
from .test_consumer import LONG_S, assert_applied_once_in_order, consuming, count, following
from .test_relay import ROOT, assert_nothing_was_left_out, published, relaying
from .test_two_relays import load_on

TOPIC, PARTITIONS = topic_of(Owner.PLANS), 3


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@asynccontextmanager
async def publishing(store: MemoryEventStore | SqliteEventStore, broker: Broker, folder: Path) -> AsyncIterator[Relay]:
    async with relaying(Relay(Owner.PLANS, store, broker.bootstrap, folder / "frontier", PARTITIONS)) as relay:
        yield relay


class Group:
    """Consumers of one group, each a process of its own; they share a ledger and have no feed but Kafka."""

    def __init__(self, folder: Path, broker: Broker, ledger: SharedLedger) -> None:
        self._arguments = (str(folder / "ledger"), str(folder / "log"), broker.bootstrap, str(PARTITIONS))
        self._ledger = ledger

    @contextmanager
    def consumer(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Leaves the group at the end, unless it was killed before."""
        command = (sys.executable, "-m", "tests.chassis.consumer_process", name, *self._arguments)
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(LONG_S)

    async def works(self, *names: str) -> None:
        """Returns when each has applied something from now on."""
        before = {name: self._ledger.count(name) for name in names}
        await until(lambda: all(self._ledger.count(name) > before[name] for name in names), LONG_S)


async def test_every_event_is_applied_once_in_order_while_consumers_join_leave_and_are_killed(
    apache_kafka: Broker, tmp_path: Path
) -> None:
    store = await SqliteEventStore.open(tmp_path / "log")
    try:
        with SharedLedger.open(tmp_path / "ledger", "test") as ledger, ExitStack() as held:
            group = Group(tmp_path, apache_kafka, ledger)
            async with publishing(store, apache_kafka, tmp_path):
                async with load_on(store):
                    held.enter_context(group.consumer("one"))
                    await group.works("one")
                    with group.consumer("two"):
                        await group.works("one", "two")
                        killed = held.enter_context(group.consumer("three"))
                        await group.works("one", "two", "three")
                        killed.kill()
                        await group.works("one", "two")
                    await group.works("one")
                head = await store.head()
                await until(lambda: ledger.count() == head, LONG_S)
            for account in ACCOUNTS:
                expected = [r.position async for r in store.read_all(0) if r.stream == f"plan-{account}"]
                assert ledger.positions(account) == expected
    finally:
        await store.close()


async def test_a_broker_killed_in_mid_load_keeps_its_log_and_costs_no_event(
    store: MemoryEventStore, apache_kafka: Broker, tmp_path: Path
) -> None:
    ledger, feed = Ledger(), StoreFeed(store)
    feed.away = True
    async with publishing(store, apache_kafka, tmp_path), consuming(ledger, feed, apache_kafka, PARTITIONS) as consumer:
        for turn in range(2):
            load = asyncio.create_task(happens(store, 1000, seed=turn))
            await until(count(ledger, 1000 * turn + 300))
            apache_kafka.kill()
            await apache_kafka.start()
            await load
            await until(count(ledger, 1000 * turn + 1000), LONG_S)
        assert following(consumer).applied == {"kafka": 2000, "feed": 0}
    await assert_applied_once_in_order(ledger, store)
    await assert_nothing_was_left_out(store, apache_kafka, PARTITIONS)


async def test_a_relay_goes_on_behind_what_a_restarted_broker_still_has(
    store: MemoryEventStore, apache_kafka: Broker, tmp_path: Path
) -> None:
    for turn in range(2):
        async with publishing(store, apache_kafka, tmp_path) as relay:
            head = await happens(store, 300, seed=turn)
            await until(lambda relay=relay, head=head: relay.published == head)  # type: ignore[misc]
        (tmp_path / "frontier").unlink()
        apache_kafka.kill()
        await apache_kafka.start()
    assert sum(map(len, await published(apache_kafka, PARTITIONS))) == 600
    await assert_nothing_was_left_out(store, apache_kafka, PARTITIONS)


async def test_a_consumer_that_comes_before_any_relay_leaves_the_number_of_partitions_as_it_is_set(
    store: MemoryEventStore, apache_kafka: Broker, tmp_path: Path
) -> None:
    """A client that asks for a topic has Kafka make it, with three partitions here and one by default."""
    ledger, feed = Ledger(), StoreFeed(store)
    feed.away = True
    async with consuming(ledger, feed, apache_kafka, 5):
        async with asyncio.timeout(LONG_S):
            while TOPIC not in await topics(apache_kafka):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with relaying(Relay(Owner.PLANS, store, apache_kafka.bootstrap, tmp_path / "frontier", 5)):
            await happens(store, 100)
            await until(count(ledger, 100))


async def test_what_retention_has_taken_comes_from_the_feed(
    store: MemoryEventStore, apache_kafka: Broker, tmp_path: Path
) -> None:
    async with publishing(store, apache_kafka, tmp_path) as relay:
        head = await happens(store, 300)
        await until(lambda: relay.published == head)
        await configure(apache_kafka, "retention.ms", "1")
        while any(begin < 1 for begin in await beginnings(apache_kafka)):
            await happens(store, 1, seed=2)  # Kafka rolls a segment when something is appended
        await configure(apache_kafka, "retention.ms", "-1")
        head = await happens(store, 300, seed=3)
        await until(lambda: relay.published == head)
    ledger = Ledger()
    async with consuming(ledger, StoreFeed(store), apache_kafka, PARTITIONS):
        await until(count(ledger, head))
    await assert_applied_once_in_order(ledger, store)


async def test_a_topic_that_takes_no_such_batch_stops_the_relay_until_it_does(
    store: MemoryEventStore, apache_kafka: Broker, tmp_path: Path
) -> None:
    """A failure that no repetition mends: it is told, and nothing is left out."""
    async with publishing(store, apache_kafka, tmp_path) as relay:
        head = await happens(store, 100)
        await until(lambda: relay.published == head)
        await configure(apache_kafka, "max.message.bytes", "100")
        head = await happens(store, 100, seed=2)
        await until(lambda: "MessageSizeTooLarge" in relay.trouble)
        await until(lambda: relay.lag_positions() == 100)
        for _ in range(300):  # while it tries again and again, it is never taken for well
            with pytest.raises(RuntimeError, match="100 positions wait for Kafka"):
                await relay.check()
            await asyncio.sleep(0.01)
        await configure(apache_kafka, "max.message.bytes", "1048588")
        await until(lambda: relay.published == head)
    await assert_nothing_was_left_out(store, apache_kafka, PARTITIONS)


async def topics(broker: Broker) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    found: list[str] = await admin.list_topics()
    await admin.close()
    return found


async def configure(broker: Broker, name: str, value: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, {name: value})])
    await admin.close()


async def beginnings(broker: Broker) -> list[int]:
    """The first offset each partition still has."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    await consumer.start()
    found = await consumer.beginning_offsets([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
    await consumer.stop()
    return list(found.values())
