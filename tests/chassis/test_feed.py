"""The feed over real HTTP: whole, in order, for auditors only, and never half an answer that looks whole."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI, Response
from structlog.testing import capture_logs

from contracts.envelope import Envelope, Record, feed_line, opened
from contracts.topics import Owner
from services.chassis.auth import Authenticator
from services.chassis.event_store import NO_STREAM, START, EventStore, StoreUnavailable
from services.chassis.feed import FeedClient, FeedUnavailable, feed_router
from services.chassis.http import create_app
from services.chassis.memory_store import MemoryEventStore
from services.chassis.metrics import Metrics

from .event_store_contract import TIMEOUT_S, batch, event, everything, new_stream
from .tokens import AUDIENCE, ISSUER, Issuer

ISSUED_BY = Issuer()
GRANTS = {
    "auditor": {"*": ["Audit:Read"]},
    "editor": {"*": ["BillingSubscription:Edit"]},
    "customer": {"acme": ["Audit:Read"]},
}


def token(role: str = "auditor") -> str:
    return ISSUED_BY.token(role=role, grants=GRANTS[role]) if role in GRANTS else role


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The address of `app` on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http="httptools", ws="none", log_config=None, timeout_graceful_shutdown=1)
    )
    serving = asyncio.ensure_future(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, TIMEOUT_S)


@asynccontextmanager
async def feed_of(store: EventStore, folder: Path) -> AsyncIterator[str]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield None

    authenticator = Authenticator(str(ISSUED_BY.jwks_file(folder)), ISSUER, AUDIENCE)
    router = feed_router(store, Owner.PLANS)
    async with served(create_app("plans", lifespan, [router], authenticator, {}, Metrics())) as url:
        yield url


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def url(store: MemoryEventStore, tmp_path: Path) -> AsyncIterator[str]:
    async with feed_of(store, tmp_path) as url:
        yield url


@pytest.fixture
def client(url: str, session: aiohttp.ClientSession) -> FeedClient:
    return FeedClient(url, session, token)


async def read(client: FeedClient, after: int, until: int | None = None) -> list[Envelope]:
    async with asyncio.timeout(TIMEOUT_S):
        return [envelope async for envelopes in client.read(after, until) for envelope in envelopes]


async def collect(reading: AsyncIterator[list[Envelope]], seen: list[Envelope]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        async for envelopes in reading:
            seen += envelopes


async def filled(store: EventStore, streams: int, events: int = 10) -> list[Envelope]:
    for number in range(streams):
        await store.append(new_stream("plan" if number % 2 else "lease"), batch(events), NO_STREAM)
    return [opened(record) for record in await everything(store)]


async def test_an_empty_log_is_a_whole_feed(client: FeedClient) -> None:
    assert await read(client, START) == []
    assert await client.head() == START


async def test_the_feed_is_the_log(store: MemoryEventStore, client: FeedClient) -> None:
    log = await filled(store, 900)
    assert await client.head() == 9000
    assert await read(client, START) == log
    assert await read(client, 8_990) == log[8_990:]
    assert await read(client, 9_000) == []
    assert await read(client, 40, until=1_234) == log[40:1_234]
    assert await read(client, 40, until=40) == []


async def test_large_events_pass(store: MemoryEventStore, client: FeedClient) -> None:
    for _ in range(12):
        await store.append(new_stream(), [event(b'"%b"' % ("é" * 120_000).encode()), event()], NO_STREAM)
    assert await read(client, START) == [opened(record) for record in await everything(store)]


async def test_anybody_can_read_it_line_by_line(
    store: MemoryEventStore, url: str, session: aiohttp.ClientSession
) -> None:
    log = await filled(store, 4)

    async def lines(query: str) -> tuple[list[int], dict[str, object]]:
        async with session.get(f"{url}/events?{query}", headers={"Authorization": f"Bearer {token()}"}) as answer:
            assert answer.content_type == "application/x-ndjson"
            *events, end = map(json.loads, (await answer.text()).splitlines())
            return [event["position"] for event in events], end

    assert await lines("after=37") == ([38, 39, 40], {"end": True, "position": 40})
    assert await lines("limit=3") == ([1, 2, 3], {"end": True, "position": 3})
    assert await lines("after=3&limit=3&until=5") == ([4, 5], {"end": True, "position": 5})
    assert await lines("until=99&after=40") == ([], {"end": True, "position": 40})
    leases = [envelope.position for envelope in log if envelope.stream.startswith("lease-")]
    assert await lines("categories=lease") == (leases, {"end": True, "position": 40})
    assert await lines("categories=lease,plan") == (list(range(1, 41)), {"end": True, "position": 40})
    assert await lines("categories=catalogue") == ([], {"end": True, "position": 40})


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=", "after=1.0", "after=2", f"after={10**30}", "after=%D9%A3", "until=x"]
)
async def test_what_is_no_position_of_the_log_is_refused(
    store: MemoryEventStore, url: str, session: aiohttp.ClientSession, query: str
) -> None:
    await store.append(new_stream(), batch(1), NO_STREAM)
    async with session.get(f"{url}/events?{query}", headers={"Authorization": f"Bearer {token()}"}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, "event_position_invalid")


async def test_more_categories_than_any_owner_has_are_refused(url: str, session: aiohttp.ClientSession) -> None:
    query = ",".join(f"c{number}" for number in range(600))
    headers = {"Authorization": f"Bearer {token()}"}
    async with session.get(f"{url}/events?categories={query}", headers=headers) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("who", "code"), [("auditor!", "unauthenticated"), ("editor", "forbidden"), ("customer", "account_not_found")]
)
async def test_it_is_for_auditors_of_everything(url: str, session: aiohttp.ClientSession, who: str, code: str) -> None:
    client = FeedClient(url, session, lambda: token(who))
    for attempt in (client.head(), read(client, START)):
        with pytest.raises(FeedUnavailable) as refused:
            await attempt
        assert refused.value.code == code


async def test_a_position_beyond_the_log_is_the_readers_trouble_to_know(client: FeedClient) -> None:
    with pytest.raises(FeedUnavailable) as refused:
        await read(client, 5)
    assert refused.value.code == "event_position_invalid"


async def test_a_log_that_ends_before_what_was_asked_for_is_an_error(
    store: MemoryEventStore, client: FeedClient
) -> None:
    await filled(store, 1)
    with pytest.raises(FeedUnavailable, match="ends at 10, before 11"):
        await read(client, START, until=11)


class BreaksOff(MemoryEventStore):
    """Fails after 2,000 events of a reading."""

    async def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record, None]:
        async for record in super().read_all(after, categories):
            if record.position == 2_000:
                raise StoreUnavailable("the disk is gone")
            yield record


async def test_a_feed_that_fails_midway_does_not_look_whole(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    store = BreaksOff()
    for _ in range(400):
        await store.append(new_stream(), [event(b'"%b"' % (b"x" * 1000)) for _ in range(10)], NO_STREAM)
    seen: list[Envelope] = []
    async with feed_of(store, tmp_path) as url:
        reading = FeedClient(url, session, token).read(START)
        with capture_logs() as said, pytest.raises(FeedUnavailable):
            await collect(reading, seen)
    assert "answer_broken_off" in [entry["event"] for entry in said]
    assert [envelope.position for envelope in seen] == list(range(1, len(seen) + 1))
    assert 0 < len(seen) < 2_000


def line(position: int) -> bytes:
    return feed_line(Record(position, "plan-1", position - 1, f"e{position}", "plans.PlanEdited", 1, b"{}", b"{}"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        line(1) + line(2),
        line(1) + line(2)[:-20],
        line(1) + b'{"end":true,"position":1}',
        line(1) + b'{"end":true,"position":1}\n' + line(2),
        line(1) + b'{"end":true,"position":1}\n' + line(2)[:-20],
        b"<html>it works</html>\n",
        b'["position"]\n',
        b'{"position":1}\n{"end":true,"position":1}\n',
        b"\n",
    ],
)
async def test_an_answer_without_its_end_is_not_whole_however_politely_it_ends(
    session: aiohttp.ClientSession, body: bytes
) -> None:
    app = FastAPI()
    app.add_api_route("/events", lambda: Response(body))
    app.add_api_route("/events/head", lambda: Response(body))
    async with served(app) as url:
        client = FeedClient(url, session, token)
        for attempt in (read(client, START), client.head()):
            with pytest.raises(FeedUnavailable):
                await attempt


async def test_nobody_there_is_the_same_error(session: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = FeedClient(f"http://127.0.0.1:{port}", session, token)
    for attempt in (client.head(), read(client, START)):
        with pytest.raises(FeedUnavailable):
            await attempt


class NoticesLeaving(MemoryEventStore):
    def __init__(self) -> None:
        super().__init__()
        self.read, self.left = 0, asyncio.Event()

    async def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record, None]:
        try:
            async for record in super().read_all(after, categories):
                self.read += 1
                await asyncio.sleep(0)  # as an engine with a disk gives way
                yield record
        finally:
            self.left.set()


async def test_a_reader_who_leaves_early_stops_the_reading(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    store = NoticesLeaving()
    for _ in range(300):  # more than all the buffers in between
        await store.append(new_stream(), [event(b'"%b"' % (b"x" * 200_000))], NO_STREAM)
    async with feed_of(store, tmp_path) as url:
        client = FeedClient(url, session, token)
        async with aclosing(client.read(START)) as reading:
            assert (await anext(reading))[0].position == 1
        await asyncio.wait_for(store.left.wait(), TIMEOUT_S)
        assert store.read < 300
        assert await client.head() == 300  # and the session is of use for the next


@pytest.mark.parametrize("text", ["plain", 'quoted "', "back\\slash", "é😀", "line\nbreak", "\x00\x1f", "\ud800"])
def test_a_feed_line_escapes_as_json_does(text: str) -> None:
    record = Record(7, text, 0, text, text, 1, b'{"a": 1}', b"[]")
    assert feed_line(record) == json.dumps(
        {
            "position": 7, "stream": text, "revision": 0, "event_id": text, "type": text, "version": 1,
            "metadata": "M", "data": "D",
        },
        separators=(",", ":"),
    ).replace('"M"', '{"a": 1}').replace('"D"', "[]").encode() + b"\n"  # fmt: skip


async def test_who_reads_a_feed_is_logged_unless_it_is_a_service(url: str, session: aiohttp.ClientSession) -> None:
    for role, logged in (("auditor", [("auditor", "after=0&account=acme")]), ("service", [])):
        bearer = ISSUED_BY.token(role=role, grants=GRANTS["auditor"])
        with capture_logs() as said:
            async with session.get(
                f"{url}/events?after=0&account=acme", headers={"Authorization": f"Bearer {bearer}"}
            ) as answer:
                assert answer.status == 200
        assert [(each["role"], each["asked"]) for each in said if each["event"] == "feed_read"] == logged
