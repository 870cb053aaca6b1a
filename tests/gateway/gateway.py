"""A gateway for tests: its real routes over a real read store, with an owner behind it that the test plays."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
from aiohttp import web
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from contracts.envelope import Envelope
from contracts.topics import Owner
from deploy.local.launcher import TAX_RATES
from services.chassis.auth import Authenticator
from services.chassis.feed import FeedUnavailable
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.gateway.forwarding import Forwarder, connections
from services.gateway.mover import Mover
from services.gateway.past import Pasts
from services.gateway.portal.changes import Changes
from services.gateway.portal.routes import portal_routes
from services.gateway.portal.sessions import Sealer
from services.gateway.readings import Readings
from services.gateway.reads import Reads
from services.gateway.routes import routes
from services.gateway.sqlite_read_store import SqliteReadStore
from services.gateway.waiting import Waiter
from services.gateway.what_if.forks import Forks
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer

from .history import TODAY, History

ISSUED_BY = Issuer()
READ, EDIT = "BillingSubscription:Read", "BillingSubscription:Edit"
GRANTS = {
    "editor": {"acme": [READ, EDIT]},
    "owner": {"acme": [READ, EDIT, "BillingInformation:Read", "BillingInformation:Edit"]},
    "overseer": {"acme": [READ, EDIT, "BillingInformation:Read", "BillingInformation:Edit", "Audit:Read"]},
    "viewer": {"acme": [READ]},
    "auditor": {"acme": ["Audit:Read"]},
    "stranger": {"globex": [READ, EDIT]},
    "support": {"*": [READ]},
    "operator": {"*": ["Clock:Edit"]},
}
WAIT_S = 0.2
PARTITIONS = 3
SEALER = Sealer(b"a secret of tests")


def token(user: str) -> str:
    return ISSUED_BY.token(sub=user, grants=GRANTS[user])


@dataclass
class FixedClock:
    at: datetime = datetime(TODAY.year, TODAY.month, TODAY.day, 11, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Following:
    """Takes events in when the test says so, and lets readers wait for them as the consumer does."""

    def __init__(self, store: SqliteReadStore) -> None:
        self._store = store
        self._reached: dict[Owner, int] = {}
        self._moved = asyncio.Condition()

    async def take_in(self, owner: Owner, events: list[Envelope]) -> None:
        position = events[-1].position
        await self._store.apply(owner, events, dict.fromkeys(range(PARTITIONS), position), ())
        async with self._moved:
            self._reached[owner] = max(position, self._reached.get(owner, 0))
            self._moved.notify_all()

    async def wait_for(self, owner: Owner, account_id: str, position: int, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._reached.get(owner, 0) >= position)
        except TimeoutError:
            return False
        return True


@dataclass
class Log:
    """An owner's log, as its feed has it. away: it cannot be asked. stalls: it never answers."""

    events: list[Envelope] = field(default_factory=list)
    away: bool = False
    stalls: bool = False

    async def head(self) -> int:
        if self.stalls:
            await asyncio.Event().wait()
        if self.away:
            raise FeedUnavailable("it is away")
        return self.events[-1].position if self.events else 0

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        yield [event for event in self.events if after < event.position <= (until or await self.head())]


@dataclass
class Upstream:
    """An owner played by the test: what it was asked, and what it shall answer. It is a real server."""

    asked: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answer: Any = None
    readings: list[tuple[str, str]] = field(default_factory=list)
    refuses_readings: str = ""
    url: str = ""
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self.runner, listener).start()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        assert self.runner is not None
        await self.runner.cleanup()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/history-readings"):  # beside what a test asks for
            self.readings.append((request.path, (await request.json())["way"]))
            if self.refuses_readings:
                document = {"code": self.refuses_readings}
                return web.json_response(document, status=503, content_type="application/problem+json")
            return web.json_response({})
        self.asked.append(request)
        self.bodies.append(await request.read())
        self.was_asked.set()
        answer = self.answer(request) if callable(self.answer) else self.answer
        if asyncio.iscoroutine(answer):
            answer = await answer
        assert isinstance(answer, web.StreamResponse)
        return answer


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    owner = Upstream()
    await owner.start()
    try:
        yield owner
    finally:
        await owner.stop()


@dataclass
class Gateway:
    store: SqliteReadStore
    following: Following
    clock: FixedClock
    client: httpx2.AsyncClient
    plans: Upstream
    renewals: Upstream
    devices: Upstream
    app: FastAPI
    logs: dict[Owner, Log]

    async def show(self, history: History) -> None:
        for owner, log in history.logs.items():
            self.logs[owner].events = log
            if log:
                await self.following.take_in(owner, log)

    async def get(self, path: str, user: str = "editor", **headers: str) -> httpx2.Response:
        sent = {"Authorization": f"Bearer {token(user)}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await self.client.get(path, headers=sent)

    async def post(self, path: str, body: bytes = b"{}", user: str = "editor", **headers: str) -> httpx2.Response:
        sent = {"Authorization": f"Bearer {token(user)}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await self.client.post(path, content=body, headers=sent)


@asynccontextmanager
async def gateway(folder: Path, mover: Mover | None = None) -> AsyncIterator[Gateway]:
    async with AsyncExitStack() as opened:
        plans, renewals, devices = [await opened.enter_async_context(upstream()) for _ in range(3)]
        store = await SqliteReadStore.open(folder / "read.sqlite3")
        opened.push_async_callback(store.close)
        session: aiohttp.ClientSession = await opened.enter_async_context(connections())
        urls = {Owner.PLANS: plans.url, Owner.RENEWALS: renewals.url, Owner.DEVICES: devices.url}
        following, clock = Following(store), FixedClock()
        logs = {owner: Log() for owner in Owner}
        pasts = Pasts(store, logs, PARTITIONS)
        forwarder = Forwarder(session, plans.url, Owner.PLANS)
        state = {
            "readings": Readings(forwarder),
            "reads": Reads(store, Waiter(following, session, renewals.url, WAIT_S), clock, pasts),
            "mover": mover,
            "forks": Forks(urls, lambda: token("auditor"), TAX_RATES, 3),
            "forwarders": {
                Owner.PLANS: forwarder,
                Owner.RENEWALS: Forwarder(session, renewals.url, Owner.RENEWALS),
                Owner.DEVICES: Forwarder(session, devices.url, Owner.DEVICES),
            },
        }

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield

        authenticator = Authenticator(str(ISSUED_BY.jwks_file(folder)), ISSUER, AUDIENCE)
        app = create_app("gateway", lifespan, [], authenticator, {}, Metrics(), routes=[*routes(), *portal_routes()])
        app.state.sealer, app.state.changes, app.state.sign_in = SEALER, Changes(), None
        await opened.enter_async_context(app.router.lifespan_context(app))

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx2.ASGITransport(with_state)
        client = await opened.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://gateway"))
        yield Gateway(store, following, clock, client, plans, renewals, devices, app, logs)
