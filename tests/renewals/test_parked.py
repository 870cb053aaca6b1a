"""An event that cannot be applied waits with its stream; once mended, an operator takes it in again over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from contracts.money import MAX_MINOR
from contracts.topics import Owner
from services.chassis import parked
from services.chassis.auth import Authenticator
from services.chassis.checkpoints import Checkpoints
from services.chassis.consumer import Consumer
from services.chassis.http import create_app
from services.chassis.memory_store import MemoryEventStore
from services.chassis.metrics import Metrics
from services.chassis.policies import PolicySink
from services.renewals.reactions import Reactions
from tests.chassis.ledger import StoreFeed
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer
from tests.renewals.test_sink import ledger, nobody_away, started

issuer = Issuer()
OPERATOR = {"Authorization": f"Bearer {issuer.token(grants={'*': ['Audit:Read']})}"}
STRANGER = {"Authorization": f"Bearer {issuer.token(grants={'acme': ['Audit:Read']})}"}
REPLAY = "/parked/plans/plan-bundle-2/replay"


@asynccontextmanager
async def renewals(folder: Path) -> AsyncIterator[tuple[Consumer, httpx2.AsyncClient]]:
    """A consumer with the routes beside it; news is handed to its follower by hand."""
    with Checkpoints.open(folder / "renewals_checkpoints.sqlite3") as progress:
        sink = PolicySink(Reactions(ledger(MemoryEventStore()), nobody_away).react, progress)
        consumer = Consumer(sink, {Owner.PLANS: StoreFeed(MemoryEventStore())}, "nowhere:1", "renewals", 1)

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
            yield {}

        authenticator = Authenticator(str(issuer.jwks_file(folder)), ISSUER, AUDIENCE)
        app = create_app("renewals", lifespan, [parked.router], authenticator, {}, Metrics())

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": {"consumer": consumer}}, receive, send)

        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(with_state), base_url="http://renewals")
        async with app.router.lifespan_context(app), http:
            yield consumer, http


async def test_a_parked_stream_is_seen_and_taken_in_again_once_it_is_mended(tmp_path: Path) -> None:
    async with renewals(tmp_path) as (consumer, http):
        follower = consumer.followers[Owner.PLANS]
        await follower.take([(started(1, MAX_MINOR), 0), (started(2, 1), 1)])
        assert (await http.get("/parked", headers=OPERATOR)).json() == [{"owner": "plans", "stream": "plan-bundle-2"}]
        still = await http.post(REPLAY, headers=OPERATOR)
        assert (still.status_code, still.json()["code"]) == (409, "still_parked")
        await follower.take([(started(3, 0, bundle=1), 2)])  # the plan that costs too much is cancelled
        assert (await http.post(REPLAY, headers=OPERATOR)).json() == {"replayed": 1}
        assert (await http.get("/parked", headers=OPERATOR)).json() == []
        assert (await http.post(REPLAY, headers=OPERATOR)).json()["code"] == "not_found"


async def test_what_is_parked_is_for_those_who_may_read_every_log(tmp_path: Path) -> None:
    async with renewals(tmp_path) as (_, http):
        assert (await http.get("/parked")).status_code == 401
        assert (await http.get("/parked", headers=STRANGER)).json()["code"] == "account_not_found"
        assert (await http.post(REPLAY, headers=STRANGER)).json()["code"] == "account_not_found"
