"""Wiring of the devices service: event store → indexes and handlers → relay → consumer of plans → agenda, drained in
reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis import due, parked
from services.chassis.auth import Authenticator, ServiceToken
from services.chassis.clock import Clock, clock_of
from services.chassis.command_handler import CommandHandler
from services.chassis.consumer import Consumer, consuming
from services.chassis.due import Settler, punctual
from services.chassis.feed import FeedClient, feed_router
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.chassis.notary import router as audit_router
from services.chassis.owner import open_store, relay_app, relaying

from . import lease, order
from .agenda import DevicesAgenda
from .application import Application
from .carrier import EmbeddedCarrier
from .due_index import DueIndex
from .plans_index import PlansIndex
from .routes import router
from .settings import DevicesSettings


def devices_app(settings: DevicesSettings, clock: Clock | None = None) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    if settings.role == "relay":
        return relay_app(Owner.DEVICES, settings)
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        now, carrier = clock or clock_of(settings.clock_file), EmbeddedCarrier()
        async with (
            open_store(Owner.DEVICES, settings, checks) as store,
            relaying(Owner.DEVICES, store, settings, checks, metrics) as notary,
            aiohttp.ClientSession() as session,
        ):
            orders, leases = CommandHandler(store, order.evolve), CommandHandler(store, lease.evolve)
            feed = FeedClient(settings.plans_url, session, ServiceToken(settings.service_token_file))
            with (
                PlansIndex.open(settings.data_dir, settings.device_ratio) as plans,
                DueIndex.open(settings.data_dir / "due.sqlite3", store, orders, leases, carrier) as index,
            ):
                consumer = Consumer(plans, {Owner.PLANS: feed}, settings.kafka, "devices", settings.partitions)
                follower = consumer.followers[Owner.PLANS]
                checks["plans_followed"] = partial(consumer.check, Owner.PLANS)
                application = Application(orders, leases, plans, index, follower.catch_up, now)
                agenda = DevicesAgenda(store, index, orders, leases, carrier, now)
                settler = Settler(store, now, [agenda], [follower])
                async with consuming(consumer, metrics), punctual(settler):
                    yield {
                        "application": application,
                        "consumer": consumer,
                        "settler": settler,
                        "store": store,
                        "notary": notary,
                    }

    feed = feed_router(lambda request: request.state.store, Owner.DEVICES)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    routers = [router, feed, parked.router, due.router, audit_router]
    return create_app("devices", lifespan, routers, authenticator, checks, metrics)
