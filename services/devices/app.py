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
from services.chassis.consumer import Consumer, Feed, consuming
from services.chassis.derived_file import within
from services.chassis.due import Settler, punctual
from services.chassis.event_store import EventStore
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


@asynccontextmanager
async def at_rest(
    settings: DevicesSettings, store: EventStore, plans_feed: Feed, clock: Clock
) -> AsyncIterator[Mapping[str, Any]]:
    """All of the service but what goes on by itself: it answers commands, and does what is due when it is asked to."""
    carrier = EmbeddedCarrier()
    orders, leases = CommandHandler(store, order.evolve), CommandHandler(store, lease.evolve)
    with (
        PlansIndex.open(settings.data_dir, settings.device_ratio) as plans,
        DueIndex.open(within(settings.data_dir, "due.sqlite3"), store, orders, leases, carrier) as index,
    ):
        consumer = Consumer(plans, {Owner.PLANS: plans_feed}, settings.kafka, "devices", settings.partitions)
        follower = consumer.followers[Owner.PLANS]
        agenda = DevicesAgenda(store, index, orders, leases, carrier, clock)
        yield {
            "application": Application(orders, leases, plans, index, follower.catch_up, clock),
            "consumer": consumer,
            "settler": Settler(store, clock, [agenda], [follower]),
            "store": store,
        }


def devices_app(settings: DevicesSettings, clock: Clock | None = None) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    if settings.role == "relay":
        return relay_app(Owner.DEVICES, settings)
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        now = clock or clock_of(settings.clock_file)
        async with open_store(Owner.DEVICES, settings, checks) as store, aiohttp.ClientSession() as session:
            plans = FeedClient(settings.plans_url, session, ServiceToken(settings.service_token_file))
            async with at_rest(settings, store, plans, now) as state:
                checks["plans_followed"] = partial(state["consumer"].check, Owner.PLANS)
                async with (
                    relaying(Owner.DEVICES, store, settings, checks, metrics) as notary,
                    consuming(state["consumer"], metrics),
                    punctual(state["settler"]),
                ):
                    yield {**state, "notary": notary}

    feed = feed_router(lambda request: request.state.store, Owner.DEVICES)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    routers = [router, feed, parked.router, due.router, audit_router]
    return create_app("devices", lifespan, routers, authenticator, checks, metrics)
