"""What every service that owns events opens: its event store, its relay and its notary.

BILLING_ROLE splits a service into replicas that answer commands (`api`) and a process that publishes (`relay`). With
SQLite both live on one machine and one data folder, the relay reads the file only, and one `api` can have it open. With
KurrentDB (BILLING_EVENT_STORE) there are as many as one likes, wherever they are, each with a data folder of its own.
"""

from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI

from contracts.topics import Owner

from .auth import Authenticator
from .clock import clock_of
from .event_store import EventStore, StoreError, StoreUnavailable
from .health import Check
from .http import create_app
from .metrics import Metrics
from .notary import Notary, notarising
from .notary import router as audit_router
from .relay import Relay
from .running import running
from .settings import OwnerSettings
from .sqlite_store import SqliteEventStore

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_store(
    owner: Owner, settings: OwnerSettings, checks: MutableMapping[str, Check]
) -> AsyncIterator[EventStore]:
    """The owner's event store. Raises StoreUnavailable with one sentence on what stands in the way."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        store = await _opened(owner, settings)
    except StoreError as error:
        log.error("event_store_not_opened", reason=str(error))
        raise
    checks["event_store"] = store.check
    try:
        yield store
    finally:
        await store.close()


async def _opened(owner: Owner, settings: OwnerSettings) -> EventStore:
    file = settings.data_dir / f"{owner}.sqlite3"
    if settings.event_store is None:
        return await SqliteEventStore.open(file, settings.role == "relay")
    if file.exists():  # what was made from it, here and elsewhere, speaks of other positions
        raise StoreUnavailable(f"{file} is a log already, and does not move to another engine: use an empty folder")
    from .kurrent_store import KurrentEventStore  # here: gRPC is 14 MB that an embedded portal need not load

    return await KurrentEventStore.open(settings.event_store.get_secret_value(), owner)


@asynccontextmanager
async def relaying(
    owner: Owner,
    store: EventStore,
    settings: OwnerSettings,
    checks: MutableMapping[str, Check],
    metrics: Metrics,
) -> AsyncIterator[Notary | None]:
    """A relay that runs meanwhile, unless that is another process's role, and a notary if heads are to be signed. Kafka
    being away is told by metrics and logs; it is no reason to refuse commands, so it makes only a process unready that
    has nothing else to do."""
    if settings.role == "api":
        yield None
        return
    frontier = settings.data_dir / f"{owner}.frontier"
    relay = Relay(owner, store, settings.kafka, frontier, settings.partitions, settings.kafka_forgets)
    metrics.gauge(
        "billing_relay_lag_positions",
        "Positions not yet published to Kafka: events on SQLite, bytes on KurrentDB",
        relay.lag_positions,
    )
    metrics.gauge("billing_relay_lag_seconds", "Age of the oldest event not yet published", relay.lag_seconds)
    if settings.role == "relay":
        checks["publishing"] = relay.check
    async with running(relay.run()), _notarising(owner, store, settings, metrics) as notary:
        yield notary


@asynccontextmanager
async def _notarising(
    owner: Owner, store: EventStore, settings: OwnerSettings, metrics: Metrics
) -> AsyncIterator[Notary | None]:
    if settings.audit_heads is None or settings.audit_key_file is None:
        yield None
        return
    ledger = settings.data_dir / f"{owner}.ledger.sqlite3"
    clock = clock_of(settings.clock_file)
    notary = Notary(owner, store, ledger, settings.audit_heads, settings.audit_key_file, clock)
    metrics.gauge("billing_audit_trouble", "1 while the log's head cannot be signed", lambda: bool(notary.trouble))
    async with notarising(notary):
        yield notary


def relay_app(owner: Owner, settings: OwnerSettings) -> FastAPI:
    """Publishes an owner's log, signs its head and does nothing else. Opens nothing until its lifespan begins."""
    checks: dict[str, Check] = {}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with (
            open_store(owner, settings, checks) as store,
            relaying(owner, store, settings, checks, metrics) as notary,
        ):
            yield {"notary": notary}

    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    return create_app(f"{owner}-relay", lifespan, [audit_router], authenticator, checks, metrics)
