"""A replay into a topic of a team's own: the records that the relay publishes, chained anew for what was asked for."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import orjson

from contracts.envelope import Record, kafka_headers
from contracts.topics import Owner, partition_of
from services.chassis import kafka
from services.chassis.event_store import START
from services.chassis.kafka_access import Address

from .formats import record_of

CHUNK_EVENTS = 250
CHUNK_BYTES = 400_000  # of bodies; headers come on top, and a batch may have 1,000,000


class Topic:
    """Made by `opened`. What is in the topic already is not sent again: an interrupted replay goes on there."""

    def __init__(self, sender: kafka.Sender, partitions: int, tails: dict[int, int]) -> None:
        self._sender, self._partitions = sender, partitions
        self._tails = defaultdict(lambda: START, tails)

    async def take(self, owner: Owner, lines: bytes) -> None:
        for chunk in _chunks([record_of(line) for line in lines.splitlines()]):
            messages: dict[int, list[kafka.Message]] = defaultdict(list)
            for record in chunk:
                account_id = orjson.loads(record.metadata)["account_id"]
                partition = partition_of(account_id, self._partitions)
                if record.position > self._tails[partition]:
                    headers = kafka_headers(record, owner, self._tails[partition], orjson.loads)
                    messages[partition].append((account_id.encode(), record.data, headers))
                    self._tails[partition] = record.position
            if messages:
                await self._sender.send(messages)


@asynccontextmanager
async def opened(kafka_address: Address, topic: str, partitions: int, forgets: bool) -> AsyncIterator[Topic]:
    """Makes the topic unless it is there. Raises as `kafka.ensure_topic` and `kafka.tail_positions`."""
    await kafka.ensure_topic(kafka_address, topic, partitions, forgets)
    tails = await kafka.tail_positions(kafka_address, topic, partitions, forgets)
    async with kafka.sending(kafka_address, topic) as sender:
        yield Topic(sender, partitions, tails)


def _chunks(records: list[Record]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    for record in records:
        if len(chunk) == CHUNK_EVENTS or sum(len(each.data) for each in chunk) + len(record.data) > CHUNK_BYTES:
            yield chunk
            chunk = []
        chunk.append(record)
    yield chunk
