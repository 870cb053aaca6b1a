"""Asks for every engine; `tests/test_engines.py` runs it where one or the other cannot be had."""

from tests.engines import Broker


async def test_kafka(apache_kafka: Broker) -> None:
    assert not apache_kafka.forgets


def test_kurrentdb(kurrentdb_uri: str) -> None:
    assert kurrentdb_uri


def test_postgres(postgres_url: str) -> None:
    assert postgres_url
