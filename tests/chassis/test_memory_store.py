"""The memory engine keeps every promise of the port but durability."""

import pytest

from services.chassis.memory_store import MemoryEventStore

from .event_store_contract import EventStoreContract


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> MemoryEventStore:
        return MemoryEventStore()
