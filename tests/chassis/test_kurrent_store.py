"""The KurrentDB engine: the contract, on the double and on a real server, and what only a network can get wrong."""

import uuid
from collections.abc import AsyncIterator

import pytest

from services.chassis.kurrent_store import KurrentEventStore
from tests.doubles.kurrentdb import KurrentDouble

from .event_store_contract import EventStoreContract


@pytest.fixture
async def server() -> AsyncIterator[KurrentDouble]:
    double = KurrentDouble()
    double.log.append_as_a_stranger()
    await double.start()
    yield double
    await double.stop()


@pytest.fixture
async def store(server: KurrentDouble) -> AsyncIterator[KurrentEventStore]:
    store = await KurrentEventStore.open(server.uri, "plans")
    yield store
    await store.close()


class TestKurrentEventStore(EventStoreContract):
    pass


class TestKurrentEventStoreOnARealServer(EventStoreContract):
    @pytest.fixture
    async def store(self, kurrentdb_uri: str) -> AsyncIterator[KurrentEventStore]:
        """A log of its own for each test: nobody can empty a server."""
        store = await KurrentEventStore.open(kurrentdb_uri, f"test{uuid.uuid4().hex}")
        yield store
        await store.close()
