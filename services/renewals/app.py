"""Wiring of the renewals service: event store → commands → relay → consumer of plans, drained in reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis import due, parked
from services.chassis.auth import Authenticator, ServiceToken
from services.chassis.checkpoints import Checkpoints
from services.chassis.clock import clock_of
from services.chassis.command_handler import CommandHandler
from services.chassis.consumer import Consumer, consuming
from services.chassis.due import Settler
from services.chassis.feed import FeedClient, feed_router
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.chassis.owner import open_store, relaying

from . import decider
from .routes import router
from .settings import RenewalsSettings
from .sink import PolicySink


def renewals_app(settings: RenewalsSettings) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        clock = clock_of(settings.clock_file)
        async with (
            open_store(Owner.RENEWALS, settings, checks) as store,
            relaying(Owner.RENEWALS, store, settings, metrics),
            aiohttp.ClientSession() as session,
        ):
            feed = FeedClient(settings.plans_url, session, ServiceToken(settings.service_token_file))
            with Checkpoints.open(settings.data_dir / "checkpoints.sqlite3") as progress:
                sink = PolicySink(CommandHandler(store, decider.evolve), progress, clock)
                consumer = Consumer(
                    sink, {Owner.PLANS: feed}, settings.kafka_bootstrap, "renewals", settings.partitions
                )
                checks["plans_followed"] = partial(consumer.check, Owner.PLANS)
                async with consuming(consumer, metrics):
                    settler = Settler(store, clock, [], list(consumer.followers.values()))
                    yield {"consumer": consumer, "store": store, "settler": settler}

    feed = feed_router(lambda request: request.state.store, Owner.RENEWALS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    return create_app("renewals", lifespan, [router, feed, parked.router, due.router], authenticator, checks, metrics)
