"""Kafka as this project uses it: topics of a fixed number of partitions, what each one holds last, whole batches."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.envelope import Headers

from .kafka_access import Address, client, unreachable_because

REQUEST_TIMEOUT_MS = 10_000
TAIL_TIMEOUT_MS = 5_000
KNOWN_POLL_S = 0.02
FORGETFUL_TAIL_TIMEOUT_MS = 500
STOP_S = 2.0
MAX_BATCH_BYTES = 1_000_000  # above what the relay puts into one batch; below brokers' usual limit of 1 MiB
REPLICATION = 1  # of a topic we have to make ourselves; in a cluster the operator makes them
# Never compacted: the key is the account, and its last event alone says nothing.
KEEP_FOR_EVER = {"retention.ms": "-1", "cleanup.policy": "delete"}
NOT_OURS_TO_MAKE = (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno)

Message = tuple[bytes, bytes, Headers]  # key, value, headers


class WrongPartitions(Exception):
    """The topic has another number of partitions than we are set to; accounts would change partition and lose order."""


class TopicMissing(Exception):
    """There is no such topic, and we may not make it: the operator does."""


async def ensure_topic(
    bootstrap: Address, topic: str, partitions: int, forgets: bool = False, replication: int = REPLICATION
) -> None:
    """Makes the topic unless it is there, or is not ours to make.

    Raises WrongPartitions, TopicMissing; KafkaError, OSError, TimeoutError with a reason when the broker is away or
    turns us away.

    forgets: the broker is the embedded one, which loses everything with each restart and then makes topics itself, as
    soon as anyone asks for them, with a number of partitions of its own: such a topic is made anew.
    """
    admin = AIOKafkaAdminClient(**client(bootstrap), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await _started(admin, bootstrap)
        wanted = NewTopic(topic, partitions, replication, topic_configs=KEEP_FOR_EVER)
        found = await _create(admin, wanted)
        if found != partitions and forgets:
            await admin.delete_topics([topic])
            found = await _create(admin, wanted)
    finally:
        await admin.close()
    if found != partitions:
        raise WrongPartitions(f"{topic} has {found} partitions, not {partitions}")


async def _started(admin: AIOKafkaAdminClient, bootstrap: Address) -> None:
    try:
        await admin.start()
    except KafkaConnectionError as error:
        reason = await unreachable_because(bootstrap, REQUEST_TIMEOUT_MS)
        raise KafkaConnectionError(reason or str(error)) from error


async def _create(admin: AIOKafkaAdminClient, wanted: NewTopic) -> int:
    """The number of partitions the topic has now."""
    topic = wanted.name
    answer = await admin.create_topics([wanted])
    (code,) = (code for _, code, *_ in answer.topic_errors)
    if code in NOT_OURS_TO_MAKE:
        if found := await _partitions(admin, topic):
            return found
        raise TopicMissing(
            f"there is no {topic}, and this user may not make it: it wants {wanted.num_partitions} partitions"
        )
    if code not in (0, TopicAlreadyExistsError.errno):
        raise for_code(code)(f"{topic} cannot be made")
    async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000):
        while not (found := await _partitions(admin, topic)):  # noqa: ASYNC110
            await asyncio.sleep(KNOWN_POLL_S)
    return found


async def _partitions(admin: AIOKafkaAdminClient, topic: str) -> int:
    """0 when the broker that was asked does not know the topic: it hears of a new one a moment after it was made."""
    (described,) = await admin.describe_topics([topic])
    if described["error_code"] not in (0, UnknownTopicOrPartitionError.errno):
        raise for_code(described["error_code"])(f"{topic} cannot be described")
    return len(described["partitions"])


def producer(bootstrap: Address) -> AIOKafkaProducer:
    """Durable, without idempotence: it dedupes within one session only, and readers drop repetitions by position."""
    return AIOKafkaProducer(
        **client(bootstrap),
        acks="all",
        enable_idempotence=False,
        linger_ms=0,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=4 * MAX_BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


class SendFailed(Exception):
    """Nobody knows which of the batches are in the topic: look at its tails, and send with a new sender."""


class Sender:
    """Made by `sending`; of no use after a failure."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def send(self, messages: Mapping[int, Sequence[Message]]) -> dict[int, int]:
        """Each partition's messages as one batch, appended whole or not at all; returns when Kafka has all of them.

        The offset of each partition's first message. Raises SendFailed, and what else the client throws.
        """
        batches = {partition: self._batch(part) for partition, part in messages.items()}
        sent = {
            partition: await self._producer.send_batch(batch, self._topic, partition=partition)
            for partition, batch in batches.items()
        }
        outcomes = await asyncio.gather(*sent.values(), return_exceptions=True)
        offsets: dict[int, int] = {}
        for partition, outcome in zip(sent, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise SendFailed(f"partition {partition}: {outcome!r}") from outcome
            offsets[partition] = outcome.offset
        return offsets

    def _batch(self, messages: Sequence[Message]) -> BatchBuilder:
        batch = self._producer.create_batch()
        for key, value, headers in messages:
            if not batch.append(timestamp=None, key=key, value=value, headers=headers):
                raise SendFailed(f"{len(messages)} messages are more than {MAX_BATCH_BYTES} bytes")
        return batch


@asynccontextmanager
async def sending(bootstrap: Address, topic: str) -> AsyncIterator[Sender]:
    """Flushes what it can when it ends."""
    sender = producer(bootstrap)
    try:
        await sender.start()
        yield Sender(sender, topic)
    finally:
        await stopped(sender.stop(), STOP_S)


async def tail_positions(bootstrap: Address, topic: str, partitions: int, forgets: bool = False) -> dict[int, int]:
    """The position of the last event in every partition that holds one. Raises KafkaError or TimeoutError.

    forgets: the embedded broker acknowledges the first batch for a topic it has lost and drops it; what cannot be read
    back there is nothing. Elsewhere it is a failure.
    """
    consumer = AIOKafkaConsumer(
        **client(bootstrap),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    timeout_ms = FORGETFUL_TAIL_TIMEOUT_MS if forgets else TAIL_TIMEOUT_MS
    tails: dict[int, int] = {}
    try:
        await consumer.start()
        every = [TopicPartition(topic, number) for number in range(partitions)]
        begins, ends = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
        filled = [partition for partition in every if ends[partition] > begins[partition]]
        consumer.assign(filled)  # once: aiokafka never stops if it is stopped shortly after it was assigned anew
        steps = dict.fromkeys(filled, 1)
        for partition in filled:
            consumer.seek(partition, ends[partition] - 1)
        while steps:
            found = await consumer.getmany(*steps, timeout_ms=timeout_ms)
            for partition, records in found.items():
                positions = [each for record in records if (each := _position_of(record.headers)) is not None]
                if positions:
                    tails[partition.partition] = positions[-1]
                if positions or records[0].offset <= begins[partition]:
                    del steps[partition]
                else:  # something else wrote here last: our own last record lies before it
                    steps[partition] *= 2
                    consumer.seek(partition, max(begins[partition], ends[partition] - steps[partition]))
            if not found and not forgets:
                raise KafkaError(f"the tails of {topic} could not be read")
            if not found:
                break
    finally:
        await stopped(consumer.stop(), STOP_S)
    return tails


async def stopped(stop: Coroutine[Any, Any, None], timeout_s: float) -> None:
    """Waits until a client has stopped, well or badly, but not for ever.

    In a task of its own: aiokafka's `stop` may end with the CancelledError of a task inside it, and whoever awaited
    that would end without a word, as if cancelled."""
    stopping = asyncio.create_task(stop)
    await asyncio.wait((stopping,), timeout=timeout_s)
    if not stopping.cancel() and not stopping.cancelled():
        stopping.exception()  # looked at, so that nobody warns that it was not


def _position_of(headers: Sequence[tuple[str, bytes]]) -> int | None:
    """None for a record that is none of ours."""
    for name, value in headers:
        if name == "ce_position" and value.isdigit():
            return int(value)
    return None
