"""A subscription to KurrentDB outlives restarts, leaders and lost connections: each event once."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.envelope import Record
from services.chassis import kurrent_connection
from services.chassis.event_store import (
    NO_STREAM,
    START,
    CaughtUp,
    EventStore,
    PositionInvalid,
    StoreUnavailable,
    SubscriptionDropped,
)
from services.chassis.kurrent_store import KurrentEventStore
from tests.doubles.kurrent_log import KurrentLog
from tests.doubles.kurrentdb import KurrentDouble

from .event_store_contract import TIMEOUT_S, batch, everything, new_stream, take
from .kurrent import opened, running

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def server() -> AsyncIterator[KurrentDouble]:
    async with running() as double:
        yield double


@pytest.fixture
async def store(server: KurrentDouble) -> AsyncIterator[KurrentEventStore]:
    async with opened(server) as store:
        yield store


@asynccontextmanager
async def cluster() -> AsyncIterator[tuple[KurrentDouble, KurrentDouble]]:
    """Two nodes with one log; the first leads."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running())
        second = await stack.enter_async_context(running(first.log))
        for node in (first, second):
            node.members, node.leader = [first, second], first
        yield first, second


async def persistently(store: EventStore, stream: str, appends: int) -> None:
    """Appends in twos, again and again until it is done: as somebody who repeats a command until it is answered."""
    for number in range(appends):
        events = batch(2)
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                try:
                    await store.append(stream, events, 2 * number - 1)
                    break
                except Exception:
                    await asyncio.sleep(0.02)


async def seen_while(store: EventStore, trouble: Callable[[], Awaitable[None]]) -> list[Record | CaughtUp]:
    """What a subscription yields while others append and there is trouble, up to the end of the log."""
    streams = [new_stream() for _ in range(4)]
    seen: list[Record | CaughtUp] = []
    async with aclosing(store.subscribe(START)) as subscription:
        seen += await take(subscription, 1)
        writing = [asyncio.ensure_future(persistently(store, stream, 12)) for stream in streams]
        seen += await take(subscription, 8)
        await trouble()
        await asyncio.gather(*writing)
        seen += await take(subscription, 4 * 12 * 2 - 8)
    return seen


async def test_it_goes_on_when_the_server_was_restarted_among_appends(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    async def restart() -> None:
        await server.stop()
        await asyncio.sleep(0.1)  # nobody is told when a client notices
        await server.start()

    seen = await seen_while(store, restart)
    assert seen == [CaughtUp(), *await everything(store)]


async def test_it_goes_on_when_the_server_ended_it_politely(server: KurrentDouble, store: KurrentEventStore) -> None:
    async def end() -> None:
        server.end_subscriptions()

    seen = await seen_while(store, end)
    assert seen == [CaughtUp(), *await everything(store)]


async def test_what_is_sent_twice_is_yielded_once(server: KurrentDouble, store: KurrentEventStore) -> None:
    server.repeats = True
    await store.append(new_stream(), batch(3), NO_STREAM)
    async with aclosing(store.subscribe(START)) as subscription:
        assert len(await take(subscription, 4)) == 4
        await store.append(new_stream(), batch(3), NO_STREAM)
        assert await take(subscription, 3) == (await everything(store))[3:]


async def test_a_long_read_that_is_cut_goes_on_behind_what_it_gave(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    for _ in range(5):
        await store.append(new_stream(), batch(20), NO_STREAM)
    log = await everything(store)
    server.reads_cut_after.extend([-1, 7, 0, 50, 1])  # first the end is asked for
    assert await everything(store) == log
    server.reads_cut_after.extend([-1, 7, 0, 0])
    with pytest.raises(StoreUnavailable):
        await everything(store)
    server.reads_cut_after.extend([-1, 30, 0, 0, -1, 0, 2])
    async with aclosing(store.subscribe(START)) as subscription:
        assert await take(subscription, 101) == [*log, CaughtUp()]


async def test_a_slow_reader_is_in_nobodys_way(
    server: KurrentDouble, store: KurrentEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kurrent_connection, "LONG_READ_S", 0.2)
    for _ in range(5):
        await store.append(new_stream(), batch(800), NO_STREAM)
    subscription = store.subscribe(await store.head())
    await take(subscription, 1)
    following = asyncio.ensure_future(take(subscription, 1))
    async with aclosing(store.read_all(START)) as reading:
        begun = await take(reading, 10)
        await asyncio.sleep(0.3)  # longer than one request may take
        assert len(begun + [record async for record in reading]) == 4_000
    assert server.requests.count("count") > 3, "the end was asked for twice"
    assert server.requests.count("subscription") == 1
    await store.append(new_stream(), batch(1), NO_STREAM)
    assert await following == (await everything(store))[-1:]
    await subscription.aclose()


async def test_a_read_ends_where_the_log_ended_when_it_began(server: KurrentDouble, store: KurrentEventStore) -> None:
    await store.append(new_stream(), batch(5), NO_STREAM)
    log = await everything(store)
    server.reads_cut_after.extend([-1, 3])
    async with aclosing(store.read_all(START)) as reading:
        begun = await take(reading, 2)
        await store.append(new_stream(), batch(5), NO_STREAM)
        assert begun + [record async for record in reading] == log


@pytest.mark.parametrize("scheme", ["kurrentdb", "kurrentdb+discover"])
async def test_it_follows_the_leader(scheme: str) -> None:
    async with cluster() as (first, second):
        both = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        seeds = both if scheme == "kurrentdb" else f"127.0.0.1:{second.port}"
        uri = f"{scheme}://{seeds}?Tls=false"
        store = await KurrentEventStore.open(uri, "plans")

        async def another_leads() -> None:
            first.leader = second.leader = second
            await first.stop()

        seen = await seen_while(store, another_leads)
        assert seen == [CaughtUp(), *await everything(store)]
        assert "append" in second.requests
        assert "subscription" in second.requests
        await store.close()


async def test_a_long_read_goes_on_at_who_leads_now() -> None:
    async with cluster() as (first, second):
        uri = f"kurrentdb://127.0.0.1:{first.port},127.0.0.1:{second.port}?Tls=false"
        store = await KurrentEventStore.open(uri, "plans")
        for _ in range(5):
            await store.append(new_stream(), batch(800), NO_STREAM)
        async with aclosing(store.read_all(START)) as reading:
            begun = await take(reading, 10)
            first.leader = second.leader = second
            await first.stop()
            assert len(begun + [record async for record in reading]) == 4_000
        await store.close()


async def test_an_append_is_taken_to_who_leads_now() -> None:
    """The former leader is up and says who it is."""
    async with cluster() as (first, second):
        uri = f"kurrentdb://127.0.0.1:{first.port},127.0.0.1:{second.port}?Tls=false"
        store = await KurrentEventStore.open(uri, "plans")
        first.leader = second.leader = second
        stream, events = new_stream(), batch(2)
        result = await store.append(stream, events, NO_STREAM)
        assert second.requests.count("append") == 1
        assert (await store.read_stream(stream))[-1].position == result.position == await store.head()
        await store.close()


async def test_a_database_that_has_lost_events_is_not_followed_in_silence(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    """Restored from a backup, say: what is written now lies before what was read."""
    await store.append(new_stream(), batch(5), NO_STREAM)
    last = await store.head()
    subscription = store.subscribe(START)
    await take(subscription, 6)
    await server.stop()
    server.log = KurrentLog()
    await server.start()
    with pytest.raises(SubscriptionDropped) as dropped:
        await take(subscription, 1)
    assert dropped.value.last_position == last
    assert isinstance(dropped.value.__cause__, PositionInvalid)


async def test_a_connection_that_was_cut_without_a_word_is_noticed() -> None:
    """A server that stands still answers no ping; its log is there when it goes on."""
    command = (sys.executable, "-m", "tests.doubles")
    pipe = asyncio.subprocess.PIPE
    double = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert double.stdout
    try:
        uri = (await double.stdout.readline()).decode().strip()
        store = await KurrentEventStore.open(f"{uri}&KeepAliveInterval=1000&KeepAliveTimeout=1000", "plans")
        subscription = store.subscribe(START)
        await take(subscription, 1)
        following = asyncio.ensure_future(take(subscription, 2))
        stream = new_stream()
        await persistently(store, stream, 1)
        assert await following == await store.read_stream(stream)
        following = asyncio.ensure_future(take(subscription, 2))
        double.send_signal(signal.SIGSTOP)
        with capture_logs() as told:
            async with asyncio.timeout(TIMEOUT_S):
                while not any(each["event"] == "subscription_interrupted" for each in told):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        double.send_signal(signal.SIGCONT)
        stream = new_stream()
        await persistently(store, stream, 1)
        assert await following == await store.read_stream(stream)
        await subscription.aclose()
        await store.close()
    finally:
        double.kill()
        await double.wait()


async def test_closing_ends_it_while_the_server_is_away(server: KurrentDouble, store: KurrentEventStore) -> None:
    subscription = store.subscribe(START)
    await take(subscription, 1)
    await server.stop()
    waiting = asyncio.ensure_future(take(subscription, 1))
    await asyncio.sleep(0.05)
    await store.close()
    with pytest.raises(SubscriptionDropped):
        await waiting
