"""The broker's own round trip: one record produced, then consumed, with the settings the services use."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.chassis import kafka
from services.chassis.consumer import FETCH_WAIT_MS

TOPIC = "bench.trip.v1"


async def measured(bootstrap: str, count: int) -> list[float]:
    """Seconds from `send` to the record in a consumer's hands, `count` times."""
    await kafka.ensure_topic(bootstrap, TOPIC, 1)
    producer = kafka.producer(bootstrap)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(TOPIC, 0)])
    trips = []
    try:
        for _ in range(count + 20):
            begun = time.perf_counter()
            await producer.send(TOPIC, b"x" * 1000, partition=0)
            await asyncio.wait_for(consumer.getone(), 10)
            trips.append(time.perf_counter() - begun)
            await asyncio.sleep(0.01)
    finally:
        await consumer.stop()
        await producer.stop()
    return trips[20:]
