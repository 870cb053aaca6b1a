"""What only the PostgreSQL engine of the read store must withstand: replicas, of two versions, and being away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.topics import Owner, partition_of
from services.chassis.follower import Follower
from services.chassis.sink import WAITS, CannotApply, Overtaken, Parked
from services.gateway.postgres_read_store import PostgresReadStore, open_postgres_read_store
from services.gateway.projections import PROJECTIONS
from services.gateway.read_store import ReadStoreUnavailable
from tests.engines import READY_S
from tests.engines.postgres import Postgres, database

from .counted import TABLE, counted, every_position, positions
from .history import History
from .random_history import histories
from .stores import PARTITIONS, PostgresStores, SqliteStores
from .test_read_store import ListFeed, everything, many, take_in, take_in_all

PLANS = Owner.PLANS
BLOCKED = b"SELECT FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"


@pytest.fixture
def name() -> str:
    return f"replicas_{uuid4().hex}"


@pytest.fixture
async def pair(postgres_database: str, name: str) -> AsyncIterator[list[PostgresReadStore]]:
    """Two replicas' stores over the same tables."""
    async with AsyncExitStack() as opened:
        yield [await opened.enter_async_context(of(postgres_database, name)) for _ in range(2)]


@asynccontextmanager
async def of(url: str, name: str, *projections: Any, partitions: int = PARTITIONS) -> AsyncIterator[PostgresReadStore]:
    async with open_postgres_read_store(url, partitions, projections or (counted,), name) as store:
        yield store


def events(count: int, account_id: str = "acme", **data: Any) -> list[Envelope]:
    return [
        Envelope(3 * n + 1, f"plan-{account_id}", n, str(n), "test.Happened", 1, _metadata(account_id), dict(data))
        for n in range(count)
    ]


def _metadata(account_id: str) -> dict[str, Any]:
    return {"account_id": account_id, "recorded_at": "2026-06-11T10:00:00.000000Z"}


def marks(of: Sequence[Envelope]) -> dict[int, int]:
    return {partition_of(each.account_id, PARTITIONS): each.position for each in of}


@many
@given(history=histories(), size=st.integers(1, 20))
async def test_rows_are_to_the_byte_those_of_sqlite(
    postgres_database: str, tmp_path: Any, history: History, size: int
) -> None:
    async with (
        SqliteStores(tmp_path).opened() as one,
        PostgresStores(postgres_database).opened() as other,
    ):
        await take_in_all(one, history)
        await take_in_all(other, history, size)
        assert await everything(other) == await everything(one)
        for projection in PROJECTIONS:
            for account_id in ("acme", "globex"):
                expected = await one.rows_of(projection.TABLE, account_id)
                assert await other.rows_of(projection.TABLE, account_id) == expected


@many
@given(cuts=st.lists(st.tuples(st.integers(0, 59), st.integers(1, 30)), min_size=1, max_size=8))
async def test_batches_that_several_apply_at_once_are_applied_once(
    postgres_database: str, cuts: list[tuple[int, int]]
) -> None:
    """Each replica, wherever it thinks it is, goes on from a place that the database has reached."""
    log = events(60)
    async with AsyncExitStack() as opened:
        name = f"replicas_{uuid4().hex}"
        stores = [await opened.enter_async_context(of(postgres_database, name)) for _ in range(3)]
        reached = 0
        for number, (start, count) in enumerate([*cuts, (0, 60)]):
            batch = log[min(start, reached) : min(start, reached) + count]
            again = log[: len(batch)]
            await asyncio.gather(
                stores[number % 3].apply(PLANS, batch, marks(batch), ()),
                stores[(number + 1) % 3].apply(PLANS, again, marks(again), ()),
                stores[(number + 2) % 3].apply(PLANS, batch, marks(batch), ()),
            )
            reached = max(reached, log.index(batch[-1]) + 1, len(again))
        assert await positions(stores[0], "plan-acme") == [each.position for each in log]
        assert await stores[1].checkpoints(PLANS) == marks(log)


async def test_what_another_replica_has_set_aside_is_dropped_like_what_it_has_applied(
    pair: list[PostgresReadStore],
) -> None:
    one, other = pair
    log = events(3)
    await one.apply(PLANS, log[:1], marks(log[:2]), [Parked(log[1], "no such licence")])
    await other.apply(PLANS, log[:2], marks(log[:2]), ())
    assert await positions(other, "plan-acme") == [log[0].position]
    await one.unpark(PLANS, "plan-acme", [log[1]])
    await other.apply(PLANS, log[:1], marks(log[:2]), [Parked(log[1], "no such licence")])
    assert await other.parked_streams(PLANS) == set()


async def test_replicas_take_turns_in_a_partition_and_work_side_by_side_in_others(
    pair: list[PostgresReadStore],
) -> None:
    one, other = pair
    log, elsewhere = events(3), events(2, "globex")
    assert marks(log).keys() != marks(elsewhere).keys()
    await one.apply(PLANS, log[:1], marks(log[:1]), ())
    async with one._database.transaction() as connection:
        await one._progress.begin(connection, PLANS, log[1:2], marks(log[1:2]), ())
        waiting = asyncio.create_task(other.apply(PLANS, log, marks(log), ()))
        await other.apply(PLANS, elsewhere, marks(elsewhere), ())
        async with asyncio.timeout(READY_S):
            while not await one._database.rows(BLOCKED, (connection.info.backend_pid,)):
                assert not waiting.done()
    await waiting
    assert await other.checkpoints(PLANS) == {**marks(log), **marks(elsewhere)}


async def test_a_stream_that_another_replica_parked_waits_here_too(pair: list[PostgresReadStore]) -> None:
    one, other = pair
    log = events(4)
    followers = [Follower(PLANS, ListFeed(log), store, PARTITIONS, shared=True) for store in pair]
    poison = [log[0], replace(log[1], data={"poison": True})]
    await followers[0].take([(each, 0) for each in poison])
    await one.apply(PLANS, [], marks(log[:2]), ())
    with pytest.raises(Overtaken):
        await other.apply(PLANS, [log[2]], marks(log[:3]), ())
    await followers[1].take([(log[2], 0)])
    assert followers[1].parked_streams == {"plan-acme"}
    assert await one.parked_events(PLANS, "plan-acme") == [poison[1], log[2]]
    assert await positions(one, "plan-acme") == [log[0].position]


async def test_a_stream_that_another_replica_took_in_again_goes_on_here_too(pair: list[PostgresReadStore]) -> None:
    one, other = pair
    log = events(4)
    followers = [Follower(PLANS, ListFeed(log), store, PARTITIONS, shared=True) for store in pair]
    await one.apply(PLANS, [log[0]], marks(log[:2]), [Parked(log[1], "no such licence")])
    for follower in followers:
        await follower.reload()
    await followers[0].replay("plan-acme")
    with pytest.raises(Overtaken):
        await other.apply(PLANS, [], marks(log[:3]), [Parked(log[2], WAITS)])
    await followers[1].take([(log[2], log[1].position)])
    assert followers[1].parked_streams == set()
    assert await positions(one, "plan-acme") == [each.position for each in log[:3]]


async def test_an_event_parked_while_its_stream_is_replayed_stays_parked(pair: list[PostgresReadStore]) -> None:
    one, other = pair
    log = events(3)
    await one.apply(PLANS, [], marks(log[:1]), [Parked(log[0], "no such licence")])
    replayed = await one.parked_events(PLANS, "plan-acme")
    await other.apply(PLANS, [], marks(log[:2]), [Parked(log[1], WAITS)])
    await one.unpark(PLANS, "plan-acme", replayed)
    assert await one.parked_events(PLANS, "plan-acme") == [log[1]]
    with pytest.raises(CannotApply):
        await one.unpark(PLANS, "plan-acme", [replace(log[1], data={"poison": True})])
    await other.unpark(PLANS, "plan-acme", [log[1]])
    assert await positions(one, "plan-acme") == [each.position for each in log[:2]]
    assert await one.parked_streams(PLANS) == set()


async def test_replicas_that_start_at_once_make_the_tables_once(postgres_database: str, name: str) -> None:
    async with AsyncExitStack() as opened:
        contexts = [opened.enter_async_context(of(postgres_database, name)) for _ in range(5)]
        stores = await asyncio.gather(*contexts)
        assert len({store.group for store in stores}) == 1
        await stores[0].apply(PLANS, log := events(3), marks(log), ())
        assert [len(await store.every_row(TABLE)) for store in stores] == [1] * 5


async def test_a_new_version_fills_its_own_tables_while_the_old_one_goes_on(postgres_database: str, name: str) -> None:
    log = events(6)
    newer = SimpleNamespace(**{**vars(counted), "TABLE": "counted_v2", "apply": lambda _, event: event.position})
    async with of(postgres_database, name) as old, of(postgres_database, name, newer) as new:
        assert old.group != new.group  # each follows every partition
        await take_in(old, PLANS, log[:3])
        assert await new.checkpoints(PLANS) == {}
        await take_in(new, PLANS, log)
        assert await old.checkpoints(PLANS) == marks(log[:3])
        await take_in(old, PLANS, log)
        assert await positions(old, "plan-acme") == [each.position for each in log]
        assert await new.row("counted_v2", "plan-acme") == b"16"


async def test_another_number_of_partitions_begins_anew(postgres_database: str, name: str) -> None:
    async with of(postgres_database, name) as three, of(postgres_database, name, partitions=4) as four:
        await take_in(three, PLANS, events(1))
        assert three.group != four.group
        assert await four.checkpoints(PLANS) == {}


async def test_tables_that_are_there_need_no_right_to_make_any(postgres_database: str, name: str) -> None:
    async with of(postgres_database, name) as store:
        await take_in(store, PLANS, events(1))
    async with of(
        f"{postgres_database}?options=-c%20default_transaction_read_only%3Don&target_session_attrs=any", name
    ) as store:
        assert await positions(store, "plan-acme") == [1]
        with pytest.raises(ReadStoreUnavailable, match="read-only"):
            await store.check()


async def test_a_database_that_cannot_hold_every_text_is_refused(postgres_url: str, name: str) -> None:
    with database(postgres_url, "SQL_ASCII") as url, pytest.raises(ReadStoreUnavailable, match="encoding is SQL_ASCII"):
        async with of(url, name):
            pass


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgresql://billing:secret%@db/x", "percent-encoded"),
        ("postgresql://billing:/secret@db/x", "percent-encoded"),
        ("postgresql://billing:@secret@db/x", "percent-encoded"),
        ("postgresql://billing:secret@127.0.0.1:9/x", "127.0.0.1:9/x: .*refused"),
        ("postgresql://billing:secret@nowhere.invalid/x", "nowhere.invalid"),
    ],
)
async def test_an_address_where_nothing_is_is_told_without_its_password(
    address: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ReadStoreUnavailable, match=reason) as raised:
        async with of(address, "nothing"):
            pass
    assert "secret" not in str(raised.value)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("by", ["news", "looking"])
async def test_a_database_that_was_put_back_gets_again_what_it_lost(own_server: Postgres, name: str, by: str) -> None:
    """Whoever follows remembers more than the database has, and must not go on from there."""
    log = events(6)
    async with of(own_server.url, name) as store:
        follower = Follower(PLANS, ListFeed(log), store, PARTITIONS, shared=True)
        await follower.take([(log[0], 0), (log[1], log[0].position)])
        own_server.stop()
        own_server.keep()
        own_server.start()
        await follower.take([(log[2], log[1].position), (log[3], log[2].position)])
        own_server.kill()
        own_server.put_back()
        own_server.start()
        if by == "news":
            await follower.take([(log[4], log[3].position)])
            assert await positions(store, "plan-acme") == [each.position for each in log[:5]]
            assert await follower.wait_for("acme", log[4].position, READY_S)
            assert not await follower.wait_for("acme", log[5].position, 0)
        else:
            await follower.catch_up()
            assert await positions(store, "plan-acme") == [each.position for each in log]


async def test_after_a_long_outage_the_first_read_is_answered(own_server: Postgres, name: str) -> None:
    """However many reads have failed meanwhile, nothing is left that waits before it tries again."""
    async with of(own_server.url, name) as store:
        await take_in(store, PLANS, events(1))
        own_server.kill()
        for _ in range(5):  # each waits for a connection as long as it may
            with pytest.raises(ReadStoreUnavailable):
                await positions(store, "plan-acme")
        own_server.start()
        assert await positions(store, "plan-acme") == [1]


async def test_after_a_restart_the_first_read_is_answered(own_server: Postgres, name: str) -> None:
    """Every connection is dead then, and nobody has asked yet."""
    async with of(own_server.url, name) as store:
        await take_in(store, PLANS, events(1))
        await asyncio.gather(*(positions(store, "plan-acme") for _ in range(20)))
        own_server.kill()
        with pytest.raises(ReadStoreUnavailable, match=r"PostgreSQL at 127\.0\.0\.1"):
            await store.check()
        with pytest.raises(ReadStoreUnavailable):
            await positions(store, "plan-acme")
        own_server.start()
        await asyncio.gather(*(positions(store, "plan-acme") for _ in range(20)))
        own_server.stop()
        own_server.start()
        assert await positions(store, "plan-acme") == [1]
        assert await every_position(store) == {"plan-acme": [1]}
