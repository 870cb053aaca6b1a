"""The history of one account, of all owners at once: read from their feeds, and nothing else is asked of them."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import orjson

from contracts.envelope import Record
from contracts.topics import Owner
from services.chassis.event_store import START
from services.chassis.feed import FeedClient
from services.chassis.selection import Selection

SELLER = "seller"  # the account that price books are recorded under
LOOKS = 20

History = dict[Owner, list[Record]]


class NeverStill(Exception):
    """So much happens in the account that its owners' logs could not be read as of one moment."""


async def history_of(account_id: str, feeds: Mapping[Owner, FeedClient]) -> History:
    """Every event of the account and of the price books, as they were at one moment: effects in one log never without
    their causes in another. Raises FeedUnavailable or NeverStill."""
    read_to = dict.fromkeys(feeds, START)
    found: History = {owner: [] for owner in feeds}
    for _ in range(LOOKS):
        news = 0
        for owner, feed in feeds.items():
            head = await feed.head()
            accounts = (SELLER, account_id) if owner is Owner.PLANS else (account_id,)
            for account in accounts if head > read_to[owner] else ():
                records = await _read(feed, read_to[owner], head, Selection(account=account))
                found[owner] += records
                news += len(records)
            read_to[owner] = head
        if not news:  # nothing was recorded between the last look at each owner and this one
            return {owner: sorted(records, key=lambda record: record.position) for owner, records in found.items()}
    raise NeverStill(f"{account_id} was changed at every one of {LOOKS} looks")


async def _read(feed: FeedClient, after: int, until: int, selection: Selection) -> list[Record]:
    async with aclosing(feed.lines(after, until, selection)) as blocks:
        return [_record(line) async for lines in blocks for line in lines.splitlines()]


def _record(line: bytes) -> Record:
    members: dict[str, Any] = orjson.loads(line)
    return Record(**{**members, "metadata": orjson.dumps(members["metadata"]), "data": orjson.dumps(members["data"])})
