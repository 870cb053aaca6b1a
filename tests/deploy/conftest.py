"""Apache Kafka as deploy/ starts it."""

from collections.abc import AsyncIterator

import pytest

from tests.engines.missing import Missing, go_without, used
from tests.engines.secured_kafka import SecuredKafka


@pytest.fixture(scope="session")
async def secured_kafka(engines: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredKafka]:
    """Always started here: it is our own settings that are tried."""
    try:
        kafka = SecuredKafka(tmp_path_factory.mktemp("secured"))
    except Missing as missing:
        go_without("kafka", str(missing))
    try:
        await kafka.start()
        used["secured kafka"] = "Apache Kafka, with TLS, SCRAM and access lists as deploy/ sets them"
        yield kafka
    finally:
        kafka.close()
