"""A rebuild: what differs is what the log does not say, and afterwards the rows are those of the log, whatever happens
meanwhile."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.topics import Owner
from services.chassis.consumer import Consumer
from services.chassis.sink import Parked
from services.gateway import rebuilding
from services.gateway.filling import fill
from services.gateway.projections import history as history_rows
from services.gateway.projections import product_card
from services.gateway.read_store import ReadStore, ReadStoreUnavailable
from services.gateway.rebuilding import News, rebuild
from services.gateway.sqlite_read_store import open_sqlite_read_store

from .history import History
from .random_history import histories
from .stores import PARTITIONS, Stores
from .test_read_store import Everything, ListFeed, everything, feeds, many, take_in, take_in_all

EVERYWHERE = range(PARTITIONS)

few = settings(many, max_examples=10)  # each makes tables, several times


async def consumer_of(store: ReadStore, of: dict[Owner, ListFeed]) -> Consumer:
    """Not run: nobody else moves the store on."""
    consumer = Consumer(store, of, "127.0.0.1:1", store.group, PARTITIONS, store.shared)
    for follower in consumer.followers.values():
        await follower.load()
    return consumer


async def rebuilt(store: ReadStore, of: dict[Owner, ListFeed], compare_only: bool = False) -> list[News]:
    consumer = await consumer_of(store, of)
    return [each async for each in rebuild(store, consumer, of, PARTITIONS, compare_only)]


def different(news: list[News]) -> set[tuple[str, str]]:
    (found,) = (each for each in news if "different" in each)
    assert found["different"] == len(found["first"])
    return {(each["table"], each["key"]) for each in found["first"]}


@asynccontextmanager
async def as_the_log_says(stores: Stores, history: History) -> AsyncIterator[Everything]:
    async with stores.opened() as other:
        await fill(other, feeds(history), PARTITIONS)
        yield await everything(other)


async def take_in_wrongly(store: ReadStore, history: History, data: st.DataObject) -> None:
    """Events are lost, or were of somebody else: as after a mistake in a projection that was mended since."""
    for owner, log in history.logs.items():
        wrong = data.draw(st.sets(st.integers(0, max(0, len(log) - 1)), max_size=3))
        taken = [_by_mallory(event) if n in wrong else event for n, event in enumerate(log)]
        lost = data.draw(st.integers(0, 2))
        marks = dict.fromkeys(EVERYWHERE, log[-1].position) if log else {}
        await store.apply(owner, taken[: len(taken) - lost], marks, ())


def _by_mallory(event: Envelope) -> Envelope:
    return replace(event, metadata={**event.metadata, "actor": {"id": "mallory", "role": "user", "via": "portal"}})


@few
@given(history=histories(), data=st.data())
async def test_what_differs_is_named_and_afterwards_all_is_as_the_log_says(
    stores: Stores, history: History, data: st.DataObject
) -> None:
    async with stores.opened() as store, as_the_log_says(stores, history) as expected:
        await take_in_wrongly(store, history, data)
        before = await everything(store)
        wrong = {
            (table, key)
            for table, rows in expected.items()
            for key in {row[0] for row in rows} | {row[0] for row in before[table]}
            if [row for row in rows if row[0] == key] != [row for row in before[table] if row[0] == key]
        }
        assert different(await rebuilt(store, feeds(history), compare_only=True)) == wrong
        assert await everything(store) == before
        assert different(await rebuilt(store, feeds(history))) == wrong
        assert await everything(store) == expected
        assert different(await rebuilt(store, feeds(history))) == set()


@few
@given(history=histories(), data=st.data())
async def test_what_happens_meanwhile_is_no_difference_and_is_not_lost(
    stores: Stores, history: History, data: st.DataObject
) -> None:
    async with stores.opened() as store, as_the_log_says(stores, history) as expected:
        growing = {owner: ListFeed(log[: len(log) // 2]) for owner, log in history.logs.items()}
        left = {owner: log[len(log) // 2 :] for owner, log in history.logs.items()}
        consumer = await consumer_of(store, growing)
        news = []
        async with aclosing(rebuild(store, consumer, growing, PARTITIONS, compare_only=False)) as steps:
            async for step in steps:
                news.append(step)
                for owner, events in left.items():
                    for _ in range(data.draw(st.integers(0, 2))):
                        if events:
                            growing[owner]._log.append(events.pop(0))
                    if data.draw(st.booleans()):
                        await consumer.followers[owner].catch_up()
        assert different(news) == set()
        for owner, events in left.items():
            growing[owner]._log.extend(events)
        await consumer.catch_up()
        assert await everything(store) == expected


@few
@given(history=histories(), stop=st.integers(0, 12))
async def test_an_interrupted_rebuild_leaves_everything_as_it_was_and_can_be_repeated(
    stores: Stores, history: History, stop: int
) -> None:
    async with stores.opened() as store, as_the_log_says(stores, history) as expected:
        await take_in_all(store, history)
        consumer = await consumer_of(store, feeds(history))
        async with aclosing(rebuild(store, consumer, feeds(history), PARTITIONS, compare_only=False)) as steps:
            with suppress(StopAsyncIteration):
                for _ in range(stop):
                    await anext(steps)
        assert await everything(store) == expected
        assert different(await rebuilt(store, feeds(history))) == set()
        assert await everything(store) == expected


@few
@given(history=histories())
async def test_rows_are_compared_page_by_page(stores: Stores, history: History) -> None:
    async with stores.opened() as store, stores.opened() as other:
        await take_in_all(store, history)
        keys = {row[0] for row in await store.every_row(history_rows.TABLE)}
        with pytest.MonkeyPatch.context() as small:
            small.setattr(rebuilding, "PAGE_ROWS", 2)
            compared = [each async for each in rebuilding._compared(store, other, history_rows.TABLE)]
        assert sum(count for count, _ in compared) == len(keys)
        assert {key for _, page in compared for _, key in page} == keys


async def test_one_rebuild_at_a_time(stores: Stores) -> None:
    of: dict[Owner, ListFeed] = {Owner.PLANS: ListFeed([])}
    async with stores.opened() as store:
        consumer = await consumer_of(store, of)
        async with aclosing(rebuild(store, consumer, of, PARTITIONS, compare_only=False)) as first:
            await anext(first)
            with pytest.raises(ReadStoreUnavailable, match=r"in use|already"):
                await rebuilt(store, of)
        assert {"replaced": True} in await rebuilt(store, of)


@few
@given(history=histories())
async def test_a_stream_that_was_parked_by_a_mistake_since_mended_is_parked_no_longer(
    stores: Stores, history: History
) -> None:
    log = history.logs[Owner.PLANS]
    async with stores.opened() as store, as_the_log_says(stores, history) as expected:
        for owner, events in history.logs.items():
            await take_in(store, owner, events if owner != Owner.PLANS else events[:-1])
        marks = dict.fromkeys(EVERYWHERE, log[-1].position)
        await store.apply(Owner.PLANS, (), marks, [Parked(log[-1], "KeyError: 'line'")])
        consumer = await consumer_of(store, feeds(history))
        async for _ in rebuild(store, consumer, feeds(history), PARTITIONS, compare_only=False):
            pass
        assert await store.parked_streams(Owner.PLANS) == consumer.followers[Owner.PLANS].parked_streams == set()
        assert await everything(store) == expected


@few
@given(history=histories())
async def test_who_reads_and_who_applies_meanwhile_never_fails(stores: Stores, history: History) -> None:
    done = asyncio.Event()

    async def read(store: ReadStore) -> None:
        expected = await everything(store)
        while not done.is_set():
            for table in expected:
                assert await store.every_row(table) == expected[table]
            await asyncio.sleep(0)

    async def apply(store: ReadStore) -> None:
        while not done.is_set():
            await take_in_all(store, history, 7)

    async with stores.opened() as store:
        await take_in_all(store, history)
        async with asyncio.TaskGroup() as others:
            others.create_task(read(store))
            others.create_task(apply(store))
            for _ in range(3):
                assert different(await rebuilt(store, feeds(history))) == set()
            done.set()


async def test_a_file_that_is_open_in_another_program_is_not_replaced(tmp_path: Path) -> None:
    """SQLite would take what that program left beside the old file for the new one's."""
    of: dict[Owner, ListFeed] = {Owner.PLANS: ListFeed([])}
    async with open_sqlite_read_store(tmp_path / "read.sqlite3") as store:
        await store.apply(Owner.PLANS, (), {0: 7}, ())
        shell = sqlite3.connect(tmp_path / "read.sqlite3")
        shell.execute("BEGIN")
        shell.execute("SELECT * FROM checkpoints").fetchall()
        with pytest.raises(ReadStoreUnavailable, match="open in another program"):
            await rebuilt(store, of)
        assert await store.checkpoints(Owner.PLANS) == {0: 7}
        shell.close()
        assert {"replaced": True} in await rebuilt(store, of)
        assert await store.row(product_card.TABLE, "none") is None
