"""Two relays of one owner at once: they repeat, but what a reader keeps is the log, in order and whole."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from services.chassis.consumer import Consumer
from services.chassis.sqlite_store import SqliteEventStore
from tests.engines import Broker, until

from .accounts import PARTITIONS, by_partition, happens
from .ledger import Ledger, StoreFeed
from .test_consumer import assert_applied_once_in_order, consuming, count, following
from .test_relay import ROOT, assert_nothing_was_left_out, positions, published


@contextmanager
def relay_process(store: Path, broker: Broker, frontier: Path) -> Iterator[None]:
    """Killed at the end, wherever it is."""
    arguments = [str(store), broker.bootstrap, str(frontier), str(PARTITIONS), str(broker.forgets)]
    process = subprocess.Popen([sys.executable, "-m", "tests.chassis.relay_process", *arguments], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def load_on(store: SqliteEventStore) -> AsyncIterator[None]:
    """Events happen meanwhile."""
    enough = asyncio.Event()

    async def go_on() -> None:
        seed = 0
        while not enough.is_set():
            seed += 1
            await happens(store, 50, seed=seed)

    load = asyncio.create_task(go_on())
    try:
        yield
    finally:
        enough.set()
        await load


async def test_two_relays_at_once_may_repeat_but_neither_reorder_nor_leave_out(broker: Broker, tmp_path: Path) -> None:
    path, one, two, ledger = tmp_path / "plans.sqlite3", tmp_path / "one", tmp_path / "two", Ledger()
    store = await SqliteEventStore.open(path)
    try:
        async with consuming(ledger, StoreFeed(store), broker) as consumer:
            async with load_on(store):
                with relay_process(path, broker, one):
                    await until(count(ledger, 1))
                    for _ in range(3):  # the second comes and is killed in the midst of repeating
                        with relay_process(path, broker, two):
                            await until(repeats(consumer, 100))
                with relay_process(path, broker, two):  # the first is dead
                    await until(count(ledger, len(ledger.applied) + 500))
            with relay_process(path, broker, one), relay_process(path, broker, two):
                await until(count(ledger, await store.head()))
                await until_whole(broker, store)  # the ledger's last events may have come from the feed
        await assert_applied_once_in_order(ledger, store)
        assert ledger.ignored == 0
        await assert_nothing_was_left_out(store, broker)
    finally:
        await store.close()


async def until_whole(broker: Broker, store: SqliteEventStore) -> None:
    """Returns when the last event of every partition has come to Kafka."""
    logs = await by_partition(store, PARTITIONS)
    while True:
        topic = zip(await published(broker), logs, strict=True)
        if all(log[-1].position in dict(positions(records)) for records, log in topic if log):
            return
        await asyncio.sleep(0.2)


def repeats(consumer: Consumer, events: int) -> Callable[[], bool]:
    """Whether Kafka has brought so many more events again."""
    before = following(consumer).repeated
    return lambda: following(consumer).repeated >= before + events
