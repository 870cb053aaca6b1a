"""Fills a read store from the owners' feeds: the short way for a new store, or one that was away for long.

A shortcut only: the consumer would come to the same rows, in smaller steps.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from contracts.envelope import Envelope
from contracts.topics import Owner
from services.chassis.consumer import Sink

BATCH_EVENTS = 10_000  # large, because a row that many events touch is then written once; a few 10 MB


class Feed(Protocol):
    """What chassis.feed.FeedClient offers."""

    def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]: ...

    async def head(self) -> int: ...


async def fill(store: Sink, feeds: Mapping[Owner, Feed], partitions: int, batch_events: int = BATCH_EVENTS) -> int:
    """Takes in what the feeds hold now beyond the store's checkpoints; how many events that were.

    An owner with parked streams is left out: what must wait there is for the consumer to know. Raises FeedUnavailable,
    CannotApply and what the store raises; what was taken in until then stays, with its checkpoints.
    """
    count = 0
    for owner, feed in feeds.items():
        if await store.parked_streams(owner):
            continue
        known = await store.checkpoints(owner)
        after, head = min(known.get(partition, 0) for partition in range(partitions)), await feed.head()
        async with aclosing(feed.read(after, head)) as blocks:
            async for events in _batches(blocks, batch_events):
                count += len(events)
                await store.apply(owner, events, _everywhere(events[-1].position, partitions), ())
        await store.apply(owner, (), _everywhere(head, partitions), ())
    return count


def _everywhere(position: int, partitions: int) -> dict[int, int]:
    """A feed leaves nothing out: every partition is complete up to where it was read."""
    return dict.fromkeys(range(partitions), position)


async def _batches(blocks: AsyncIterator[list[Envelope]], size: int) -> AsyncIterator[Sequence[Envelope]]:
    waiting: list[Envelope] = []
    async for block in blocks:
        waiting += block
        if len(waiting) >= size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
