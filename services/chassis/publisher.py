"""Publishes chunks of an owner's log to its topic, in order per partition, behind what the topic holds already."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from contracts.envelope import Record, kafka_headers
from contracts.topics import Owner, partition_of, topic_of

from . import kafka
from .event_store import START
from .kafka_access import Address


@dataclass(frozen=True, slots=True)
class Topic:
    """Where an owner's events go. forgets: see kafka.ensure_topic."""

    owner: Owner
    bootstrap: Address
    partitions: int
    forgets: bool = False

    async def ensure(self) -> None:
        await kafka.ensure_topic(self.bootstrap, topic_of(self.owner), self.partitions, self.forgets)

    async def tails(self) -> dict[int, int]:
        """The last position in every partition that holds one."""
        return await kafka.tail_positions(self.bootstrap, topic_of(self.owner), self.partitions, self.forgets)


class TopicLost(Exception):
    """The broker has forgotten what it acknowledged."""


class Publisher:
    """One session with the broker, made by `publishing`; of no use after a failure."""

    def __init__(self, topic: Topic, sender: kafka.Sender, tails: Mapping[int, int], frontier: int) -> None:
        self._topic = topic
        self._sender = sender
        self._tails = dict(tails)
        # What lies behind both the frontier and a tail was published once, if perhaps into a lost topic.
        self._previous = {number: max(frontier, tails.get(number, START)) for number in range(topic.partitions)}
        self._offsets: dict[int, int] = {}

    async def publish(self, chunk: list[Record]) -> None:
        """Returns when Kafka has all of it: no later chunk can overtake one that failed.

        Raises TopicLost, kafka.SendFailed, and what else the client throws.
        """
        offsets = await self._sender.send(self._messages(chunk))
        if begun_anew := [number for number, offset in offsets.items() if offset <= self._offsets.get(number, -1)]:
            raise TopicLost(f"partitions {begun_anew} begin anew")
        self._offsets.update(offsets)
        if self._topic.forgets:
            await self._read_back(offsets.keys() - self._tails.keys())

    def _messages(self, chunk: list[Record]) -> dict[int, list[kafka.Message]]:
        """By partition; without what the topic's tails show to be there."""
        messages: dict[int, list[kafka.Message]] = defaultdict(list)
        for record in chunk:
            key: str = orjson.loads(record.metadata)["account_id"]
            partition = partition_of(key, self._topic.partitions)
            if record.position > self._tails.get(partition, START):
                headers = kafka_headers(record, self._topic.owner, self._previous[partition], orjson.loads)
                messages[partition].append((key.encode(), record.data, headers))
                self._previous[partition] = record.position
        return messages

    async def _read_back(self, first: AbstractSet[int]) -> None:
        """What was just published into a partition that held nothing must be there; offsets alone cannot tell."""
        if first:
            found = await self._topic.tails()
            if any(found.get(number) != self._previous[number] for number in first):
                raise TopicLost("what was acknowledged is not there")
            self._tails.update({number: found[number] for number in first})


@asynccontextmanager
async def publishing(topic: Topic, tails: Mapping[int, int], frontier: int) -> AsyncIterator[Publisher]:
    """tails: what the topic holds. frontier: everything up to this position was published."""
    async with kafka.sending(topic.bootstrap, topic_of(topic.owner)) as sender:
        yield Publisher(topic, sender, tails, frontier)
