"""The portal that the tests of the embedded one walk through here."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.doubles.in_a_thread import InAThread
from tests.engines import postgres
from tests.engines.apache_kafka import ApacheKafka
from tests.engines.missing import Missing, go_without

from .portal import ClusterPortal


@pytest.fixture(scope="package")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    try:
        broker = ApacheKafka.formatted(tmp_path_factory.mktemp("kafka"))
    except Missing as missing:
        go_without("kafka", str(missing))
    try:
        asyncio.run(broker.start())
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="package")
def event_store() -> Iterator[InAThread]:
    """The double of KurrentDB, with all owners in it."""
    with InAThread() as double:
        yield double


@pytest.fixture(scope="package")
def portal(
    kafka: ApacheKafka,
    postgres_url: str,
    event_store: InAThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterPortal]:
    with (
        postgres.database(postgres_url) as database,
        ClusterPortal(tmp_path_factory.mktemp("cluster") / "data", kafka, database, event_store.uri) as running,
    ):
        yield running
