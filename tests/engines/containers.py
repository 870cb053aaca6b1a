"""Engines as containers (testcontainers), of pinned images. Raises Missing where no Docker daemon answers."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import HttpWaitStrategy

from .broker import POLL_S, answers, free_port
from .missing import Missing

KURRENTDB = "kurrentplatform/kurrentdb:26.1"
KAFKA = "apache/kafka:4.3.1"
POSTGRES = "postgres:18.1"
START_S = 120

# Whoever sets one setting of that image has to set them all.
KAFKA_SETTINGS = {
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_NODE_ID": "1",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_NUM_PARTITIONS": "3",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_BROKER_SESSION_TIMEOUT_MS": "1000",
    "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "100",
    "KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS": "200",
    "KAFKA_LOG_INITIAL_TASK_DELAY_MS": "0",
}


class KafkaContainer:
    """Apache's own image; the class of testcontainers knows another vendor's only."""

    forgets = False

    def __init__(self) -> None:
        port = free_port()  # chosen before it starts: a broker must be told the address that its clients know
        self.bootstrap = f"{_host()}:{port}"
        self._container = DockerContainer(KAFKA).with_envs(**KAFKA_SETTINGS).with_bind_ports(9092, port)
        self._container.with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://{self.bootstrap}")
        self._made = False

    async def start(self) -> None:
        with _had():
            await asyncio.to_thread(self._wrapped().start if self._made else self._container.start)
        self._made = True
        deadline = time.monotonic() + START_S
        while not await answers(self.bootstrap):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Apache Kafka did not start: {self._container.get_logs()!r}")
            await asyncio.sleep(POLL_S)

    def kill(self) -> None:
        if self._made and self._wrapped().attrs["State"]["Running"]:
            self._wrapped().kill()

    def close(self) -> None:
        if self._made:
            self._container.stop()

    def _wrapped(self) -> Any:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return wrapped


@contextmanager
def kurrentdb() -> Iterator[str]:
    _host()
    settings = {"KURRENTDB_INSECURE": "true", "KURRENTDB_RUN_PROJECTIONS": "None"}
    ready = HttpWaitStrategy(2113, "/health/live").for_status_code_matching(lambda code: 200 <= code < 300)
    ready.with_startup_timeout(START_S)
    container = DockerContainer(KURRENTDB).with_envs(**settings).with_exposed_ports(2113).waiting_for(ready)
    with _running(container):
        yield f"kurrentdb://{container.get_container_host_ip()}:{container.get_exposed_port(2113)}?Tls=false"


@contextmanager
def postgres() -> Iterator[str]:
    _host()
    container = PostgresContainer(POSTGRES, driver=None)
    with _running(container):
        yield container.get_connection_url()


@contextmanager
def _running(container: DockerContainer) -> Iterator[None]:
    try:
        with _had():
            container.start()
        yield
    finally:
        container.stop()


@contextmanager
def _had() -> Iterator[None]:
    """An image that cannot be had is an engine that cannot be had."""
    try:
        yield
    except DockerException as error:
        raise Missing(f"its container cannot be started ({str(error)[:200]})") from None


def _host() -> str:
    """Where the ports of containers are. Raises Missing."""
    try:
        docker.from_env(timeout=10).ping()
        return DockerClient().host()
    except (DockerException, OSError) as error:
        raise Missing(f"no Docker daemon answers ({str(error)[:200]})") from None
