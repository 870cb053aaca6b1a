"""Wiring of the gateway: read store → connections to the owners → consumer of their events, drained in reverse."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from contracts.topics import Owner
from services.chassis import parked
from services.chassis.auth import Authenticator, ServiceToken
from services.chassis.clock import SetClock, clock_of
from services.chassis.consumer import Consumer, consuming
from services.chassis.feed import FeedClient
from services.chassis.health import Check
from services.chassis.http import create_app
from services.chassis.metrics import Metrics

from . import rebuild_routes
from .filling import InBatches
from .forwarding import Forwarder, connections
from .mover import Mover, moving
from .past import Pasts
from .portal.changes import Changes
from .portal.routes import portal_routes
from .portal.sessions import Sealer
from .portal.sign_in import SignIn
from .postgres_read_store import open_postgres_read_store
from .read_store import ReadStore, ReadStoreUnavailable
from .readings import Readings
from .reads import Reads, unavailable
from .rebuilding import rebuild
from .routes import routes
from .settings import GatewaySettings
from .settling import SettlingOwner
from .sqlite_read_store import open_sqlite_read_store
from .waiting import Waiter
from .what_if.forks import Forks


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
        token = ServiceToken(settings.service_token_file)
        async with (
            _open_read_store(settings) as store,
            connections() as session,
            connections() as waiting,  # their own: reads that wait must not keep commands from a connection
        ):
            checks["read_store"] = store.check
            logs = {owner: FeedClient(url, session, token) for owner, url in urls.items()}
            feeds = {owner: InBatches(log) for owner, log in logs.items()}
            consumer = Consumer(store, feeds, settings.kafka, store.group, settings.partitions, store.shared)
            checks.update({f"{owner}_followed": partial(consumer.check, owner) for owner in feeds})
            waiter = Waiter(consumer, waiting, settings.renewals_url, settings.read_wait_s)
            clock, mover = clock_of(settings.clock_file), None
            if isinstance(clock, SetClock):
                owners = [SettlingOwner(owner, url, session, token) for owner, url in urls.items()]
                mover = Mover(clock, owners, consumer.catch_up)
            async with consuming(consumer, metrics), moving(mover):
                forwarders = {owner: Forwarder(session, url, owner) for owner, url in urls.items()}
                yield {
                    "consumer": consumer,
                    "mover": mover,
                    "logs": logs,
                    "reads": Reads(store, waiter, clock, Pasts(store, feeds, settings.partitions)),
                    "rebuild": partial(rebuild, store, consumer, feeds, settings.partitions),
                    "forks": Forks(urls, token, settings.tax_rates, settings.device_ratio),
                    "readings": Readings(forwarders[Owner.PLANS]),
                    "forwarders": forwarders,
                }

    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    with_portal = settings.portal_secret_file is not None
    addresses = [*routes(), *(portal_routes() if with_portal else ())]
    app = create_app(
        "gateway", lifespan, [parked.router, rebuild_routes.router], authenticator, checks, metrics, routes=addresses
    )
    if settings.portal_secret_file:
        app.state.sealer = Sealer.from_file(settings.portal_secret_file)
        app.state.changes = Changes()
        sign_in = settings.openid_configuration
        app.state.sign_in = SignIn(sign_in, settings.openid_client) if sign_in else None
    app.add_exception_handler(ReadStoreUnavailable, unavailable)
    return app


def _open_read_store(settings: GatewaySettings) -> AbstractAsyncContextManager[ReadStore]:
    if settings.database:
        return open_postgres_read_store(settings.database.get_secret_value(), settings.partitions)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return open_sqlite_read_store(settings.data_dir / "read.sqlite3")
