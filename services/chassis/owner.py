"""What every service that owns events opens: its event store, and the relay that publishes it."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager

from contracts.topics import Owner

from .event_store import EventStore
from .health import Check
from .metrics import Metrics
from .relay import Relay
from .settings import ServiceSettings
from .sqlite_store import SqliteEventStore


@asynccontextmanager
async def open_store(
    owner: Owner, settings: ServiceSettings, checks: MutableMapping[str, Check]
) -> AsyncIterator[EventStore]:
    """The owner's event store. Raises StoreUnavailable with one sentence on what stands in the way."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = await SqliteEventStore.open(settings.data_dir / f"{owner}.sqlite3")
    checks["event_store"] = store.check
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def relaying(
    owner: Owner,
    store: EventStore,
    settings: ServiceSettings,
    metrics: Metrics,
) -> AsyncIterator[Relay]:
    """A relay that runs meanwhile. Kafka being away is told by metrics and logs; it is no reason to refuse commands,
    so it does not make the service unready."""
    frontier = settings.data_dir / f"{owner}.frontier"
    relay = Relay(owner, store, settings.kafka_bootstrap, frontier, settings.partitions, settings.kafka_forgets)
    metrics.gauge("billing_relay_lag_events", "Events not yet published to Kafka", relay.lag_events)
    metrics.gauge("billing_relay_lag_seconds", "Age of the oldest event not yet published", relay.lag_seconds)
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        running.cancel()
        await asyncio.wait([running])
