"""The gateway as it is wired: real consumer, real feeds over HTTP, whatever else is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis.auth import Authenticator
from services.chassis.event_store import EventStore, NewEvent
from services.chassis.feed import feed_router
from services.chassis.http import create_app
from services.chassis.memory_store import MemoryEventStore
from services.chassis.metrics import Metrics
from services.gateway.app import gateway_app
from services.gateway.read_store import ReadStoreUnavailable
from services.gateway.settings import GatewaySettings
from services.plans.commands import EditPlan
from tests.chassis.test_feed import served
from tests.chassis.tokens import AUDIENCE, ISSUER
from tests.engines import free_port
from tests.engines.postgres import Postgres

from .gateway import ISSUED_BY, token
from .history import History, asked, started

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens
TIMEOUT_S = 20.0
CARD = "/api/v1/accounts/acme/product-cards/b1"


def settings(
    folder: Path, plans_url: str = NOWHERE, renewals_url: str = NOWHERE, devices_url: str = NOWHERE, **different: Any
) -> GatewaySettings:
    token_file = folder / "service.token"
    token_file.write_text(ISSUED_BY.token(sub="gateway", role="service", grants={"*": ["Audit:Read"]}))
    plain: dict[str, Any] = {
        "environment": "development",
        "port": 1,
        "data_dir": folder / "gateway",
        "jwks": str(ISSUED_BY.jwks_file(folder)),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "kafka_bootstrap": f"127.0.0.1:{free_port()}",
        "service_token_file": token_file,
        "plans_url": plans_url,
        "renewals_url": renewals_url,
        "devices_url": devices_url,
    }
    return GatewaySettings(**{**plain, **different})


@asynccontextmanager
async def running(of: GatewaySettings) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {token('editor')}"}
    async with served(gateway_app(of)) as url, httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        yield client


@asynccontextmanager
async def owner(name: Owner, store: EventStore, folder: Path) -> AsyncIterator[str]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    authenticator = Authenticator(str(ISSUED_BY.jwks_file(folder)), ISSUER, AUDIENCE)
    async with served(create_app(name, lifespan, [feed_router(store, name)], authenticator, {}, Metrics())) as url:
        yield url


async def record(history: History, owner: Owner, store: EventStore) -> int:
    """Appends what is not yet in the store; the position of the last event."""
    position = known = await store.head()
    for envelope in history.logs[owner][known:]:  # an in-memory log counts its events
        event = NewEvent(
            envelope.event_id,
            envelope.type,
            envelope.version,
            orjson.dumps(envelope.metadata),
            orjson.dumps(envelope.data),
        )
        position = (await store.append(envelope.stream, [event], envelope.revision - 1)).position
    return position


async def readiness(client: httpx2.AsyncClient) -> dict[str, str]:
    """The reason of every check that is not well."""
    answer = await client.get("/health/ready")
    reasons = {check["name"]: check["reason"] for check in answer.json()["checks"] if not check["ok"]}
    assert (answer.status_code == 200) == (not reasons)
    return reasons


async def until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while await readiness(client):  # noqa: ASYNC110  what is awaited is in another task's hands
            await asyncio.sleep(0.02)


async def test_with_everything_away_it_lives_and_says_what_it_waits_for(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as client:
        assert (await client.get("/health/live")).status_code == 200
        reasons = await readiness(client)
        assert set(reasons) == {"plans_followed", "devices_followed", "renewals_followed"}
        assert all("not caught up with" in reason for reason in reasons.values())
        assert (await client.get(CARD)).json()["code"] == "account_not_found"
        command = await client.post("/api/v1/accounts/acme/plans", content=b"{}")
        assert (command.status_code, command.json()["code"]) == (503, "owner_unavailable")


async def test_without_kafka_it_follows_the_feeds_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    history = started()
    plans, renewals = MemoryEventStore(), MemoryEventStore()
    await record(history, Owner.PLANS, plans)
    await record(history, Owner.RENEWALS, renewals)
    async with (
        owner(Owner.PLANS, plans, tmp_path) as plans_url,
        owner(Owner.RENEWALS, renewals, tmp_path) as renewals_url,
        owner(Owner.DEVICES, MemoryEventStore(), tmp_path) as devices_url,
    ):
        of = settings(tmp_path, plans_url, renewals_url, devices_url, read_wait_s=TIMEOUT_S)
        async with running(of) as client:
            await until_ready(client)
            assert (await client.get(CARD)).json()["revision"] == 0
            summary = (await client.get("/api/v1/accounts/acme/plan-summary")).json()
            assert summary["monthly"]["next"]["amount_minor"] == 5000
        history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
        position = await record(history, Owner.PLANS, plans)
        async with running(of) as client:
            answer = await client.get(f"{CARD}?min_position=plans:{position}")
            assert (answer.json()["revision"], answer.json()["licences"]["total"]) == (1, 8)
            await until_ready(client)
            assert "billing_consumer_lag_positions" in (await client.get("/metrics")).text


async def test_with_the_owners_away_it_shows_what_it_has(tmp_path: Path) -> None:
    history, plans = started(), MemoryEventStore()
    await record(history, Owner.PLANS, plans)
    async with (
        owner(Owner.PLANS, plans, tmp_path) as url,
        running(settings(tmp_path, url, read_wait_s=TIMEOUT_S)) as client,
    ):
        assert (await client.get(f"{CARD}?min_position=plans:{await plans.head()}")).status_code == 200
    async with running(settings(tmp_path)) as client:
        assert (await client.get(CARD)).json()["name"] == "Workplace Pro"


async def test_a_read_store_in_use_keeps_a_second_gateway_from_starting(tmp_path: Path) -> None:
    first, second = gateway_app(settings(tmp_path)), gateway_app(settings(tmp_path))
    async with first.router.lifespan_context(first):
        with pytest.raises(ReadStoreUnavailable, match="in use by another process"):
            await second.router.lifespan_context(second).__aenter__()


async def test_two_gateways_over_one_database_both_show_what_was_asked_for(
    own_server: Postgres, tmp_path: Path
) -> None:
    history = started()
    plans, renewals = MemoryEventStore(), MemoryEventStore()
    await record(history, Owner.RENEWALS, renewals)
    async with owner(Owner.PLANS, plans, tmp_path) as plans_url, owner(Owner.RENEWALS, renewals, tmp_path) as other_url:
        of = settings(tmp_path, plans_url, other_url, read_wait_s=TIMEOUT_S, database=own_server.url)
        async with running(of) as one, running(of) as other:
            await record(history, Owner.PLANS, plans)
            for quantity in range(6, 10):
                history.do("acme", EditPlan(**asked("b1", history, quantity=quantity)))
                position = await record(history, Owner.PLANS, plans)
                for client in (one, other):
                    answer = await client.get(f"{CARD}?min_position=plans:{position}")
                    assert answer.json()["licences"]["total"] == quantity
            assert not of.data_dir.exists()


async def test_a_database_that_is_away_is_told_and_reads_go_on_when_it_is_back(
    own_server: Postgres, tmp_path: Path
) -> None:
    history, plans = started(), MemoryEventStore()
    position = await record(history, Owner.PLANS, plans)
    async with owner(Owner.PLANS, plans, tmp_path) as url:
        of = settings(tmp_path, url, read_wait_s=TIMEOUT_S, database=own_server.url)
        async with running(of) as client:
            assert (await client.get(f"{CARD}?min_position=plans:{position}")).status_code == 200
            own_server.kill()
            answer = await client.get(CARD)
            assert (answer.status_code, answer.json()["code"]) == (503, "read_store_unavailable")
            assert answer.headers["retry-after"]
            assert "PostgreSQL at 127.0.0.1" in (await readiness(client))["read_store"]
            own_server.start()
            history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
            position = await record(history, Owner.PLANS, plans)
            answer = await client.get(f"{CARD}?min_position=plans:{position}")
            assert answer.json()["licences"]["total"] == 8
