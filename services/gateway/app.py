"""Wiring of the gateway: read store → connections to the owners → consumer of their events, drained in reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis import parked
from services.chassis.auth import Authenticator, ServiceToken
from services.chassis.clock import clock_of
from services.chassis.consumer import Consumer, consuming
from services.chassis.feed import FeedClient
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics

from .filling import InBatches
from .forwarding import Forwarder, connections
from .read_store import open_read_store
from .reads import Reads
from .routes import routes
from .settings import GatewaySettings
from .waiting import Waiter


def gateway_app(settings: GatewaySettings) -> FastAPI:
    """Opens nothing until its lifespan begins."""
    checks: dict[str, Check] = {}
    metrics = Metrics()
    urls = {
        Owner.PLANS: settings.plans_url,
        Owner.DEVICES: settings.devices_url,
        Owner.RENEWALS: settings.renewals_url,
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        token = ServiceToken(settings.service_token_file)
        async with (
            open_read_store(settings.data_dir / "read.sqlite3") as store,
            connections() as session,
            connections() as waiting,  # their own: reads that wait must not keep commands from a connection
        ):
            checks["read_store"] = store.check
            feeds = {owner: InBatches(FeedClient(url, session, token)) for owner, url in urls.items()}
            consumer = Consumer(store, feeds, settings.kafka_bootstrap, "gateway", settings.partitions)
            checks.update({f"{owner}_followed": partial(consumer.check, owner) for owner in feeds})
            waiter = Waiter(consumer, waiting, settings.renewals_url, settings.read_wait_s)
            async with consuming(consumer, metrics):
                yield {
                    "consumer": consumer,
                    "reads": Reads(store, waiter, clock_of(settings.clock_file)),
                    "forwarders": {owner: Forwarder(session, url, owner) for owner, url in urls.items()},
                }

    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    return create_app("gateway", lifespan, [parked.router], authenticator, checks, metrics, routes=routes())
