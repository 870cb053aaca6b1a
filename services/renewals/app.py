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
from services.chassis.clock import clock_of
from services.chassis.command_handler import CommandHandler
from services.chassis.consumer import Consumer, consuming
from services.chassis.due import Settler, punctual
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
from .payments import EmbeddedPayments
from .reactions import OwnReactions, Reactions
from .routes import router
from .settings import RenewalsSettings


def renewals_app(settings: RenewalsSettings) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    if settings.role == "relay":
        return relay_app(Owner.RENEWALS, settings)
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        clock = clock_of(settings.clock_file)
        async with (
            open_store(Owner.RENEWALS, settings, checks) as store,
            DueIndex.open(store, settings.data_dir / "due.sqlite3") as index,
            relaying(Owner.RENEWALS, store, settings, checks, metrics) as notary,
            aiohttp.ClientSession() as session,
        ):
            ledger = Ledger(
                accounts=CommandHandler(store, account.evolve),
                invoices=CommandHandler(store, invoice.evolve),
                payments=EmbeddedPayments(),
                rates=table_in(settings.tax_rates),
                clock=clock,
            )
            token = ServiceToken(settings.service_token_file)
            feeds = {
                Owner.PLANS: FeedClient(settings.plans_url, session, token),
                Owner.DEVICES: FeedClient(settings.devices_url, session, token),
            }
            async with (
                open_checkpoints("renewals", settings) as progress,
                open_checkpoints("renewals_own_log", settings, own_log.PARTITIONS) as own_progress,
            ):
                reactions = Reactions(ledger, lambda: consumer.followers[Owner.PLANS].catch_up())
                sink = PolicySink(reactions.react, progress)
                bootstrap, partitions = settings.kafka, settings.partitions
                consumer = Consumer(sink, feeds, bootstrap, "renewals", partitions, progress.shared)
                checks.update({f"{owner}_followed": partial(consumer.check, owner) for owner in feeds})
                plans, devices = consumer.followers[Owner.PLANS], consumer.followers[Owner.DEVICES]
                own_sink = PolicySink(OwnReactions(ledger).react, own_progress)
                async with (
                    own_log.following_itself(Owner.RENEWALS, store, own_sink, own_progress.shared) as itself,
                    consuming(consumer, metrics),
                ):
                    calendar = Calendar(index, ledger, plans, devices, clock)
                    settler = Settler(store, clock, [calendar], [plans, devices, itself])
                    async with punctual(settler):
                        yield {
                            "consumer": consumer,
                            "store": store,
                            "notary": notary,
                            "settler": settler,
                            "ledger": ledger,
                        }

    feed = feed_router(lambda request: request.state.store, Owner.RENEWALS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    routers = [router, feed, parked.router, due.router, audit_router]
    return create_app("renewals", lifespan, routers, authenticator, checks, metrics)
