"""Where engines are, by where --engines says they come from.

Whoever has an engine that can be embedded says how to start it: `address("postgres", source, started)`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from .apache_kafka import ApacheKafka
from .broker import Broker, answers
from .missing import Missing, go_without, used

SOURCES = ("embedded", "docker", "external")
VARIABLES = {"kafka": "KAFKA_BOOTSTRAP", "kurrentdb": "KURRENTDB_URI", "postgres": "POSTGRES_URL"}

Started = Callable[[], AbstractContextManager[str]]  # yields an address; raises Missing


@contextmanager
def address(name: str, source: str, embedded: Started | None = None) -> Iterator[str]:
    """A running engine's. Skips the test, or fails it, where it cannot be had."""
    with ExitStack() as held:
        try:
            where = held.enter_context(_starter(name, source, embedded)())
        except Missing as missing:
            go_without(name, str(missing))
        used[name] = source if source != "external" else f"external, at ${VARIABLES[name]}"
        yield where


def kafka(source: str, folder: Path) -> Broker:
    """Apache Kafka, to be started, with an empty log in a folder. An external one runs. Raises Missing."""
    if source == "embedded":
        return ApacheKafka.formatted(folder)
    if source == "docker":
        from .containers import KafkaContainer  # here: testcontainers and docker take a second to import

        return KafkaContainer()
    return ExternalKafka(_variable("kafka"))


async def made_new(broker: Broker) -> None:
    """Started, if a test left it killed, and without topics of ours."""
    if not await answers(broker.bootstrap):
        await broker.start()
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        if ours := [topic for topic in await admin.list_topics() if topic.startswith("billing.")]:
            await admin.delete_topics(ours)
    finally:
        await admin.close()


class ExternalKafka:
    """One that runs for tests somewhere: topics named billing.* are deleted in it."""

    forgets = False

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    async def start(self) -> None:
        pass

    def kill(self) -> None:
        pytest.skip("an external broker is not ours to kill")

    def close(self) -> None:
        pass


def _starter(name: str, source: str, embedded: Started | None) -> Started:
    if source == "embedded":
        return embedded or _not_embedded
    if source == "docker":
        from . import containers

        return {"kurrentdb": containers.kurrentdb, "postgres": containers.postgres}[name]
    return lambda: _given(name)


@contextmanager
def _not_embedded() -> Iterator[str]:
    raise Missing("there is none to embed; use --engines=docker or --engines=external")
    yield ""


@contextmanager
def _given(name: str) -> Iterator[str]:
    yield _variable(name)


def _variable(name: str) -> str:
    """Raises Missing."""
    if not (value := os.environ.get(VARIABLES[name], "")):
        raise Missing(f"${VARIABLES[name]} does not say where it is")
    return value
