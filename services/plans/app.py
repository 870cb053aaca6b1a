"""Wiring of the plans service: event store → index and handlers → relay, drained in reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis.auth import Authenticator
from services.chassis.clock import Clock, SystemClock
from services.chassis.command_handler import CommandHandler
from services.chassis.feed import feed_router
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.chassis.owner import open_store, relay_app, relaying

from . import account, catalogue, plan
from .account_bases import AccountBases
from .application import Application
from .quotes import QuoteTokens
from .routes import router
from .settings import PlansSettings


def plans_app(settings: PlansSettings, clock: Clock | None = None) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    if settings.role == "relay":
        return relay_app(Owner.PLANS, settings)
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        tokens = QuoteTokens(settings.quote_secret_file.read_bytes())
        async with (
            open_store(Owner.PLANS, settings, checks) as store,
            AccountBases.open(store, settings.data_dir / "account_bases.sqlite3") as bases,
            relaying(Owner.PLANS, store, settings, checks, metrics),
        ):
            application = Application(
                plans=CommandHandler(store, plan.evolve),
                accounts=CommandHandler(store, account.evolve),
                catalogue=CommandHandler(store, catalogue.evolve),
                tokens=tokens,
                clock=clock or SystemClock(),
                account_bases=bases.of,
            )
            yield {"application": application, "store": store}

    feed = feed_router(lambda request: request.state.store, Owner.PLANS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    return create_app("plans", lifespan, [router, feed], authenticator, checks, metrics)
