"""Wiring of the plans service: event store → index and handlers → relay, drained in reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis import due
from services.chassis.auth import Authenticator
from services.chassis.clock import Clock, clock_of
from services.chassis.command_handler import CommandHandler
from services.chassis.due import Settler
from services.chassis.feed import feed_router
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.chassis.owner import open_store, relaying

from . import account, catalogue, plan
from .account_bases import AccountBases
from .application import Application
from .quotes import QuoteTokens
from .routes import router
from .settings import PlansSettings


def plans_app(settings: PlansSettings, clock: Clock | None = None) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        tokens = QuoteTokens(settings.quote_secret_file.read_bytes())
        async with (
            open_store(Owner.PLANS, settings, checks) as store,
            AccountBases.open(store, settings.data_dir / "account_bases.sqlite3") as bases,
            relaying(Owner.PLANS, store, settings, metrics),
        ):
            application = Application(
                plans=CommandHandler(store, plan.evolve),
                accounts=CommandHandler(store, account.evolve),
                catalogue=CommandHandler(store, catalogue.evolve),
                tokens=tokens,
                clock=clock or clock_of(settings.clock_file),
                account_bases=bases.of,
            )
            settler = Settler(store, application.clock, [], [])
            yield {"application": application, "store": store, "settler": settler}

    feed = feed_router(lambda request: request.state.store, Owner.PLANS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    return create_app("plans", lifespan, [router, feed, due.router], authenticator, checks, metrics)
