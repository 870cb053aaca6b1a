"""The read models built anew from the feeds beside those in use, compared with them, and put into their place.

Readers and commands go on meanwhile. A projection is a pure function: two rows that were equal once stay equal when
both take in the same events. So rows are compared while they change, and differ only if they still do, unchanged, after
both stores have taken in all there is.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from contracts.topics import Owner
from services.chassis.consumer import Consumer
from services.chassis.follower import Follower
from services.chassis.running import running
from services.chassis.sink import Feed

from .projections import PROJECTIONS
from .read_store import ReadStore, Row

PAGE_ROWS = 1_000
SHOW_EVERY_S = 0.2
MOST_SHOWN = 100

News = dict[str, Any]
Differing = dict[tuple[str, str], tuple[Row | None, Row | None]]  # by table and key: as it is, and built anew


async def rebuild(
    store: ReadStore, consumer: Consumer, feeds: Mapping[Owner, Feed], partitions: int, compare_only: bool
) -> AsyncGenerator[News, None]:
    """Says how it goes on: how far each owner is; what was compared; how many rows differ, and the first of them; that
    the new rows are in place. Raises ReadStoreUnavailable, FeedUnavailable; then all is as it was."""
    async with store.beside() as fresh:
        followers = [Follower(owner, feed, fresh, partitions, fresh.shared) for owner, feed in feeds.items()]

        async def catch_up() -> None:
            for follower in followers:
                await follower.catch_up()

        async with running(catch_up()) as (filling,):
            while not filling.done():
                await asyncio.wait([filling], timeout=SHOW_EVERY_S)
                yield {"filled": {each.owner.value: _reached(each) for each in followers}}
            filling.result()
        differing: Differing = {}
        for table in (projection.TABLE for projection in PROJECTIONS):
            async with aclosing(_compared(store, fresh, table)) as pages:
                async for count, page in pages:
                    differing |= page
                    yield {"compared": table, "rows": count}
        if differing:
            await consumer.catch_up()
            await catch_up()
            differing = await _still(differing, store, fresh)
        yield {"different": len(differing), "first": [_shown(*each) for each in sorted(differing.items())[:MOST_SHOWN]]}
        if not compare_only:
            await store.replace(fresh, catch_up)
            for each in consumer.followers.values():
                await each.reload()  # what was parked may be parked no longer
            yield {"replaced": True}


def _reached(follower: Follower) -> tuple[int, int]:
    """How far it is, and how far it is to come."""
    return min(follower.checkpoints.values()), follower.head


async def _compared(one: ReadStore, other: ReadStore, table: str) -> AsyncGenerator[tuple[int, Differing], None]:
    """In pages, by key: how many rows, and those that are not the same in both."""
    after = ""
    while True:
        pages = [await store.every_row(table, after, PAGE_ROWS) for store in (one, other)]
        last = min((page[-1][0] for page in pages if len(page) == PAGE_ROWS), default=None)
        mine, others = ({row[0]: row for row in page if last is None or row[0] <= last} for page in pages)
        keys = mine.keys() | others.keys()
        found = ((key, mine.get(key), others.get(key)) for key in keys)
        yield len(keys), {(table, key): (row, new) for key, row, new in found if row != new}
        if last is None:
            return
        after = last


async def _still(differing: Differing, one: ReadStore, other: ReadStore) -> Differing:
    """Those that are now as they were."""
    again: Differing = {}
    for table in {table for table, _ in differing}:
        async with aclosing(_compared(one, other, table)) as pages:
            async for _, page in pages:
                again |= page
    return {of: rows for of, rows in differing.items() if again.get(of) == rows}


def _shown(of: tuple[str, str], rows: Sequence[Row | None]) -> News:
    """Where a row is in one store only, or which positions they are of, or that they say something else."""
    table, key = of
    was, new = rows
    return {"table": table, "key": key, "position": was and was[2], "anew": new and new[2]}
