"""Wiring of the renewals service: event store → commands → relay → what it follows → what is due, drained in
reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from fastapi import FastAPI

from contracts.tax import table_in
from contracts.topics import Owner
from services.chassis import due, own_log, parked
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
from services.chassis.policies import PolicySink
from services.chassis.shared_checkpoints import open_checkpoints

from . import account, invoice
from .calendar import Calendar
from .due_index import DueIndex
from .ledger import Ledger
from .payments import EmbeddedPayments, Payments
from .reactions import OwnReactions, Reactions
from .routes import router
from .settings import RenewalsSettings


@asynccontextmanager
async def at_rest(
    settings: RenewalsSettings, store: EventStore, feeds: Mapping[Owner, Feed], payments: Payments, clock: Clock
) -> AsyncIterator[Mapping[str, Any]]:
    """All of the service but what goes on by itself: it answers commands, and does what is due when it is asked to.

    feeds: of plans and devices.
    """
    async with (
        DueIndex.open(store, within(settings.data_dir, "due.sqlite3")) as index,
        open_checkpoints("renewals", settings) as progress,
        open_checkpoints("renewals_own_log", settings, own_log.PARTITIONS) as own_progress,
    ):
        ledger = Ledger(
            accounts=CommandHandler(store, account.evolve),
            invoices=CommandHandler(store, invoice.evolve),
            payments=payments,
            rates=table_in(settings.tax_rates),
            clock=clock,
        )
        reactions = Reactions(ledger, lambda: consumer.followers[Owner.PLANS].catch_up())
        sink = PolicySink(reactions.react, progress)
        consumer = Consumer(sink, feeds, settings.kafka, "renewals", settings.partitions, progress.shared)
        plans, devices = consumer.followers[Owner.PLANS], consumer.followers[Owner.DEVICES]
        own_sink = PolicySink(OwnReactions(ledger).react, own_progress)
        itself = own_log.follower_of_itself(Owner.RENEWALS, store, own_sink, own_progress.shared)
        calendar = Calendar(index, ledger, plans, devices, clock)
        yield {
            "consumer": consumer,
            "itself": itself,
            "store": store,
            "settler": Settler(store, clock, [calendar], [plans, devices, itself]),
            "ledger": ledger,
        }


def renewals_app(settings: RenewalsSettings) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    if settings.role == "relay":
        return relay_app(Owner.RENEWALS, settings)
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        clock, token = clock_of(settings.clock_file), ServiceToken(settings.service_token_file)
        async with open_store(Owner.RENEWALS, settings, checks) as store, aiohttp.ClientSession() as session:
            feeds = {
                Owner.PLANS: FeedClient(settings.plans_url, session, token),
                Owner.DEVICES: FeedClient(settings.devices_url, session, token),
            }
            async with at_rest(settings, store, feeds, EmbeddedPayments(), clock) as state:
                consumer: Consumer = state["consumer"]
                checks.update({f"{owner}_followed": partial(consumer.check, owner) for owner in feeds})
                async with (
                    relaying(Owner.RENEWALS, store, settings, checks, metrics) as notary,
                    own_log.following_itself(state["itself"], store),
                    consuming(consumer, metrics),
                    punctual(state["settler"]),
                ):
                    yield {**state, "notary": notary}

    feed = feed_router(lambda request: request.state.store, Owner.RENEWALS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    routers = [router, feed, parked.router, due.router, audit_router]
    return create_app("renewals", lifespan, routers, authenticator, checks, metrics)
