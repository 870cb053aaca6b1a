"""Kafka as this project uses it: topics with a fixed number of partitions, and the last position each one holds."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

REQUEST_TIMEOUT_MS = 10_000
TAIL_TIMEOUT_MS = 5_000
FORGETFUL_TAIL_TIMEOUT_MS = 500
MAX_BATCH_BYTES = 1_000_000  # above what the relay puts into one batch; below brokers' usual limit of 1 MiB
REPLICATION = 1  # of a topic we have to make ourselves; in a cluster the operator makes them
KEEP_FOR_EVER = {"retention.ms": "-1"}


class WrongPartitions(Exception):
    """The topic has another number of partitions than we are set to; accounts would change partition and lose order."""


async def ensure_topic(bootstrap: str, topic: str, partitions: int, forgets: bool = False) -> None:
    """Makes the topic unless it is there. Raises WrongPartitions, or KafkaError when the broker is away.

    forgets: the broker is the embedded one, which loses everything with each restart and then makes topics itself, as
    soon as anyone asks for them, with a number of partitions of its own: such a topic is made anew.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        found = await _create(admin, topic, partitions)
        if found != partitions and forgets:
            await admin.delete_topics([topic])
            found = await _create(admin, topic, partitions)
    finally:
        await admin.close()
    if found != partitions:
        raise WrongPartitions(f"{topic} has {found} partitions, not {partitions}")


async def _create(admin: AIOKafkaAdminClient, topic: str, partitions: int) -> int:
    """The number of partitions the topic has now."""
    wanted = NewTopic(topic, partitions, REPLICATION, topic_configs=KEEP_FOR_EVER)
    answer = await admin.create_topics([wanted])
    for _, code, *_ in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise for_code(code)(f"{topic} cannot be made")
    (described,) = await admin.describe_topics([topic])
    return len(described["partitions"])


def producer(bootstrap: str) -> AIOKafkaProducer:
    """Durable, without idempotence: it dedupes within one session only, and readers drop repetitions by position."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=False,
        linger_ms=0,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=4 * MAX_BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


async def tail_positions(bootstrap: str, topic: str, partitions: int, forgets: bool = False) -> dict[int, int]:
    """The position of the last event in every partition that holds one. Raises KafkaError or TimeoutError.

    forgets: the embedded broker acknowledges the first batch for a topic it has lost and drops it; what cannot be read
    back there is nothing. Elsewhere it is a failure.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    await consumer.start()
    tails = {}
    try:
        all_of_it = [TopicPartition(topic, number) for number in range(partitions)]
        begins, ends = await consumer.beginning_offsets(all_of_it), await consumer.end_offsets(all_of_it)
        for partition in all_of_it:
            if ends[partition] > begins[partition]:
                consumer.assign([partition])
                consumer.seek(partition, ends[partition] - 1)
                timeout_ms = FORGETFUL_TAIL_TIMEOUT_MS if forgets else TAIL_TIMEOUT_MS
                records = (await consumer.getmany(partition, timeout_ms=timeout_ms)).get(partition)
                if records:
                    tails[partition.partition] = _position_of(records[-1].headers)
                elif not forgets:
                    raise KafkaError(f"the tail of {partition} could not be read")
    finally:
        await consumer.stop()
    return tails


def _position_of(headers: Sequence[tuple[str, bytes]]) -> int:
    """Raises KafkaError for a record that is none of ours: then nobody knows where this partition stands."""
    for name, value in headers:
        if name == "ce_position":
            return int(value)
    raise KafkaError("a record without ce_position: something else writes to this topic")
