"""What tests of every folder may ask for."""

from collections.abc import AsyncIterator

import pytest

from .engines import Broker


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    """A Kafka broker of its own for each test: it is up in milliseconds, and topics are named by their owners."""
    broker = Broker()
    await broker.start()
    yield broker
    broker.kill()
