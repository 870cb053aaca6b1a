"""Logs of owners on a KurrentDB double, for tests of several folders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis.kurrent_store import KurrentEventStore
from tests.doubles.kurrent_log import KurrentLog
from tests.doubles.kurrentdb import KurrentDouble


@asynccontextmanager
async def running(log: KurrentLog | None = None) -> AsyncIterator[KurrentDouble]:
    """A double that holds somebody else's event already."""
    double = KurrentDouble(log)
    double.log.append_as_a_stranger()
    await double.start()
    try:
        yield double
    finally:
        await double.stop()


@asynccontextmanager
async def opened(server: KurrentDouble, owner: str = "plans") -> AsyncIterator[KurrentEventStore]:
    store = await KurrentEventStore.open(server.uri, owner)
    try:
        yield store
    finally:
        await store.close()
