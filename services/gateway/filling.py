"""Fills a read store from the owners' feeds: the short way for a new store, or one that was away for long.

A shortcut only: the consumer would come to the same rows, in smaller steps.
"""

import gc
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager

from contracts.envelope import Envelope
from contracts.topics import Owner
from services.chassis.sink import Feed, Sink

BATCH_EVENTS = 10_000  # large, because a row that many events touch is then written once; a few 10 MB


async def fill(store: Sink, feeds: Mapping[Owner, Feed], partitions: int, batch_events: int = BATCH_EVENTS) -> int:
    """Takes in what the feeds hold now beyond the store's checkpoints; how many events that were.

    An owner with parked streams is left out: what must wait there is for the consumer to know. Raises FeedUnavailable,
    CannotApply and what the store raises; what was taken in until then stays, with its checkpoints.
    """
    count = 0
    with _without_collecting():
        for owner, feed in feeds.items():
            if not await store.parked_streams(owner):
                count += await _fill(store, owner, feed, partitions, batch_events)
    return count


async def _fill(store: Sink, owner: Owner, feed: Feed, partitions: int, batch_events: int) -> int:
    known = await store.checkpoints(owner)
    after, head, count = min(known.get(partition, 0) for partition in range(partitions)), await feed.head(), 0
    async with aclosing(InBatches(feed, batch_events).read(after, head)) as batches:
        async for events in batches:
            count += len(events)
            # A feed leaves nothing out: every partition is complete up to where it was read.
            await store.apply(owner, events, dict.fromkeys(range(partitions), events[-1].position), ())
    await store.apply(owner, (), dict.fromkeys(range(partitions), head), ())
    return count


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Events and rows are millions of containers and not one cycle: looking for cycles takes half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class InBatches:
    """A feed that hands over large batches, so that a consumer far behind writes a row once for many events."""

    def __init__(self, feed: Feed, batch_events: int = BATCH_EVENTS) -> None:
        self._feed, self._batch_events = feed, batch_events

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        async with aclosing(self._feed.read(after, until)) as blocks:
            async for events in _batches(blocks, self._batch_events):
                yield events

    async def head(self) -> int:
        return await self._feed.head()


async def _batches(blocks: AsyncIterator[list[Envelope]], size: int) -> AsyncIterator[list[Envelope]]:
    waiting: list[Envelope] = []
    async for block in blocks:
        waiting += block
        if len(waiting) >= size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
