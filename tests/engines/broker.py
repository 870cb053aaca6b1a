"""What every Kafka broker for tests can do, and what its topics hold."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.broker import HOST

READY_S = 60.0  # a bound for a busy machine, not an expectation
POLL_S = 0.01


class Broker(Protocol):
    """bootstrap: host:port, the same after each start. forgets: it has lost everything each time it starts."""

    forgets: bool

    @property
    def bootstrap(self) -> str: ...

    async def start(self) -> None:
        """Returns when clients are answered."""
        ...

    def kill(self) -> None:
        """As `kill -9` does."""
        ...

    def close(self) -> None:
        """Leaves nothing behind."""
        ...


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        return int(bound.getsockname()[1])


async def until(condition: Callable[[], object], timeout_s: float = READY_S) -> None:
    """Returns when the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def answers(bootstrap: str) -> bool:
    host, _, port = bootstrap.partition(":")
    try:
        _, connection = await asyncio.open_connection(host, int(port))
    except OSError:  # aiokafka would log it as an error
        return False
    connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=500)
    try:
        async with asyncio.timeout(2):
            await admin.start()
            await admin.list_topics()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        with suppress(KafkaError, OSError):
            await admin.close()
    return True


async def records_in(bootstrap: str, topic: str, partitions: int) -> list[list["ConsumerRecord[bytes, bytes]"]]:
    """Everything each partition holds now."""
    every = [TopicPartition(topic, number) for number in range(partitions)]
    found: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]] = {partition: [] for partition in every}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(every)
        consumer.assign(every)  # once: aiokafka never stops if it is stopped shortly after it was assigned anew
        async with asyncio.timeout(READY_S):
            while any([await consumer.position(each) < ends[each] for each in every]):
                for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[partition] += records
    finally:
        await consumer.stop()
    return list(found.values())
