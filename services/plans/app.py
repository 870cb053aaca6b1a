"""Wiring of the plans service: event store → index and handlers → relay → what it follows → what is due, drained in
reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI

from contracts.tax import table_in
from contracts.topics import Owner
from services.chassis import due, parked
from services.chassis.auth import Authenticator, ServiceToken
from services.chassis.clock import Clock, clock_of
from services.chassis.command_handler import CommandHandler
from services.chassis.consumer import Consumer, Feed, consuming
from services.chassis.derived_file import within
from services.chassis.due import Agenda, Settler, punctual
from services.chassis.event_store import EventStore
from services.chassis.feed import FeedClient, feed_router
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.chassis.notary import router as audit_router
from services.chassis.owner import open_store, relay_app, relaying
from services.chassis.policies import PolicySink
from services.chassis.shared_checkpoints import open_checkpoints

from . import account, account_routes, catalogue, plan, readings
from .application import BOOK, Application
from .billing_management import BillingAccounts
from .bundle_index import BundleIndex
from .calendar import Edits, Endings, Requotes, Warnings
from .comments import Comments
from .personal import open_records
from .quotes import QuoteTokens
from .reactions import RenewalReactions
from .readings import Readings
from .role_index import RoleIndex
from .routes import router
from .settings import PlansSettings

COMMANDS = (router, account_routes.router)


@asynccontextmanager
async def at_rest(
    settings: PlansSettings, store: EventStore, renewals: Feed, secret: bytes, clock: Clock
) -> AsyncIterator[Mapping[str, Any]]:
    """All of the service but what goes on by itself: it answers commands, and does what is due when it is asked to."""
    async with (
        BundleIndex.open(store, within(settings.data_dir, "bundles.sqlite3")) as index,
        RoleIndex.open(store, within(settings.data_dir, "roles.sqlite3")) as roles,
        open_records(settings) as records,
        open_checkpoints("plans", settings) as progress,
    ):
        application = Application(
            plans=CommandHandler(store, plan.evolve),
            accounts=CommandHandler(store, account.evolve),
            catalogue=CommandHandler(store, catalogue.evolve),
            tokens=QuoteTokens(secret),
            rates=table_in(settings.tax_rates),
            clock=clock,
            comments=Comments(records, b"comments" + secret),
            account_bases=index.bases,
        )
        plans, accounts, books = application.plans, application.accounts, application.catalogue
        edits = Edits(index, plans, accounts, books, f"catalogue-{BOOK}", clock)
        reactions = RenewalReactions(plans, accounts, books, f"catalogue-{BOOK}", edits, clock)
        # Renewals follow plans, and plans renewals: neither waits for the other to be ready.
        consumer = Consumer(
            PolicySink(reactions.react, progress),
            {Owner.RENEWALS: renewals},
            settings.kafka,
            "plans",
            settings.partitions,
            progress.shared,
        )
        agendas: list[Agenda] = [
            Warnings(index, plans, clock),
            edits,
            Endings(index, plans, clock),
            Requotes(index, plans, books, clock),
        ]
        yield {
            "application": application,
            "accounts": BillingAccounts(accounts, records, clock, b"personal records" + secret),
            "readings": Readings(CommandHandler(store, readings.evolve), accounts, clock),
            "roles": roles,
            "store": store,
            "consumer": consumer,
            "settler": Settler(store, clock, agendas, [consumer.followers[Owner.RENEWALS]]),
        }


def plans_app(settings: PlansSettings, clock: Clock | None = None) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    if settings.role == "relay":
        return relay_app(Owner.PLANS, settings)
    checks: dict[str, Check] = {}
    metrics = Metrics()
    clock = clock or clock_of(settings.clock_file)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        secret = settings.quote_secret_file.read_bytes()
        async with open_store(Owner.PLANS, settings, checks) as store, aiohttp.ClientSession() as session:
            renewals = FeedClient(settings.renewals_url, session, ServiceToken(settings.service_token_file))
            async with (
                at_rest(settings, store, renewals, secret, clock) as state,
                relaying(Owner.PLANS, store, settings, checks, metrics) as notary,
                consuming(state["consumer"], metrics),
                punctual(state["settler"]),
            ):
                yield {**state, "notary": notary}

    feed = feed_router(lambda request: request.state.store, Owner.PLANS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    routers = [*COMMANDS, feed, parked.router, due.router, audit_router]
    return create_app("plans", lifespan, routers, authenticator, checks, metrics)
