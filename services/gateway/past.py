"""An account as it was: its events up to a cut, folded by the projections that fold what is read today.

They are taken from the history, where each is kept whole, so this costs what the account has, however long the owners'
logs are. What the read models have not taken in yet is read from the end of the owners' feeds: nothing is missing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import orjson
import structlog

from contracts.envelope import Envelope
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis.clock import instant
from services.chassis.feed import FeedUnavailable
from services.chassis.sink import CannotApply, Feed, current

from .as_of import AsOf
from .memory_read_store import MemoryReadStore, folded
from .projections import account, history
from .projections.history import NOBODY, Place
from .read_store import ReadStore

MOST_EVENTS = 50_000  # of an account: about 2 s; 10,000 take 0.3 s and 12 MB
MOST_BEHIND = 10_000  # events of anybody that the read models have not taken in
AT_ONCE, MOST_WAITING = 2, 64  # accounts folded at a time, and reads that wait for their turn
ASK_S = 5.0  # for where a log ends, and for what is not taken in of it
PAGE_EVENTS = 500  # a few ms of everybody's time
KEPT_EVENTS, KEPT_S = MOST_EVENTS, 60.0  # of all accounts together
# An event is recorded when it is decided, and in the log a moment later; of two at once the later one may come first.
SETTLED = timedelta(minutes=1)

log = structlog.get_logger(__name__)

Rows = Mapping[str, bytes]  # of the history, by key


@dataclass(frozen=True, slots=True)
class Past:
    """account: its row then. at: the instant that was asked for or, when positions were, that of the newest event.

    positions: of the last event of each owner that is in it, 0 for none. It is a clock, too, that stands still.
    """

    store: MemoryReadStore
    account: bytes
    at: datetime
    positions: Mapping[Owner, int]

    def now(self) -> datetime:
        return self.at

    def said(self) -> str:
        """As `as_of` takes them."""
        return ",".join(f"{owner}:{position}" for owner, position in sorted(self.positions.items()))


class Pasts:
    """store: of the read models as they are. What was folded is kept for a moment: a page asks several times."""

    def __init__(self, store: ReadStore, feeds: Mapping[Owner, Feed], partitions: int) -> None:
        self._store, self._feeds, self._partitions = store, feeds, partitions
        self._turn, self._waiting = asyncio.Semaphore(AT_ONCE), 0
        self._kept: OrderedDict[tuple[str, AsOf], tuple[float, int, Past]] = OrderedDict()

    async def of(self, account_id: str, as_of: AsOf, now: datetime) -> Past:
        """Raises Refused: as_of_in_the_future, as_of_before_account, history_too_long, log_unavailable,
        read_model_behind, overloaded; ReadStoreUnavailable."""
        if known := self._known(account_id, as_of):
            return known
        if self._waiting >= MOST_WAITING:
            raise Refused("overloaded")
        self._waiting += 1
        try:
            async with self._turn:
                # Somebody else may just have made it.
                return self._known(account_id, as_of) or await self._made(account_id, as_of, now)
        finally:
            self._waiting -= 1

    async def _made(self, account_id: str, as_of: AsOf, now: datetime) -> Past:
        rows = await self._rows(account_id, as_of)
        store, positions, at = await asyncio.to_thread(_folded, as_of, rows)  # others' reads go on meanwhile
        row = await store.row(account.TABLE, account_id)
        if row is None:
            raise Refused("as_of_before_account")
        past = Past(store, row, at, positions)
        if settled(at, now):
            self._keep(account_id, as_of, past, len(rows))
        return past

    def _known(self, account_id: str, as_of: AsOf) -> Past | None:
        at_s, _, past = self._kept.get((account_id, as_of), (0.0, 0, None))
        return past if monotonic() - at_s < KEPT_S else None

    def _keep(self, account_id: str, as_of: AsOf, past: Past, count: int) -> None:
        self._kept.pop((account_id, as_of), None)
        self._kept[account_id, as_of] = monotonic(), count, past
        while sum(each for _, each, _ in self._kept.values()) > KEPT_EVENTS:
            self._kept.popitem(last=False)

    async def _rows(self, account_id: str, as_of: AsOf) -> Rows:
        """Of the account and the price books: what may be of that time, and perhaps some that is younger."""
        # Asked first: what is taken in meanwhile is read twice, and not left out.
        named = dict(as_of.positions)
        behind = await asyncio.gather(*(self._behind(owner, named.get(owner)) for owner in self._feeds))
        before = instant(as_of.at + SETTLED) if as_of.at else "~"
        rows: dict[str, bytes] = {}
        for of in (NOBODY, account_id):
            prefix = history.prefix(of)
            rows.update(await self._kept_rows(prefix, f"{prefix}{before}"))
            rows.update((key, row) for of_owner in behind for key, row in of_owner if key.startswith(prefix))
        return rows

    async def _kept_rows(self, after: str, before: str) -> Rows:
        rows: dict[str, bytes] = {}
        while page := await self._store.page(history.TABLE, after, before, PAGE_EVENTS):
            rows.update(page)
            if len(rows) > MOST_EVENTS:
                raise Refused("history_too_long", limit=MOST_EVENTS)
            before = page[-1][0]
            await asyncio.sleep(0)  # others' turn
        return rows

    async def _behind(self, owner: Owner, wanted: int | None) -> list[tuple[str, bytes]]:
        """What the read models have not taken in of an owner's log yet, as rows of the history."""
        known, feed = await self._store.checkpoints(owner), self._feeds[owner]
        after = min(known.get(partition, 0) for partition in range(self._partitions))
        rows: list[tuple[str, bytes]] = []
        try:
            async with asyncio.timeout(ASK_S):
                head = await feed.head()
                if wanted is not None and wanted > head:
                    raise Refused("as_of_in_the_future", head=f"{owner}:{head}")
                if head <= after:
                    return rows
                async with aclosing(feed.read(after, head)) as blocks:
                    async for events in blocks:
                        rows += map(_row, events)
                        if len(rows) > MOST_BEHIND:
                            raise Refused("read_model_behind", wanted=f"{owner}:{head}")
        except (FeedUnavailable, OSError) as error:  # a time-out among them, and a token that is not there
            log.warning("log_unavailable", owner=owner, reason=str(error) or type(error).__name__)
            raise Refused("log_unavailable", owner=owner) from error
        return rows


def settled(at: datetime, now: datetime) -> bool:
    """Whether no event can come any more that was recorded by then."""
    return at <= now - SETTLED


def _row(event: Envelope) -> tuple[str, bytes]:
    event = current(event)
    return history.key(event), orjson.dumps(history.apply(None, event))


def _folded(as_of: AsOf, rows: Rows) -> tuple[MemoryReadStore, Mapping[Owner, int], datetime]:
    """The rows up to the cut; the position of each owner's last one; the instant it is. Raises Refused."""
    places = {key: Place.of(key) for key in rows}
    cut, at = _cut(as_of, list(places.values()))
    within = [key for key, place in places.items() if place.position <= cut[place.owner]]
    within.sort(key=lambda key: (places[key].owner, places[key].position))
    positions = {**dict.fromkeys(Owner, 0), **{places[key].owner: places[key].position for key in within}}
    try:
        return folded([(key, rows[key]) for key in within]), positions, at
    except CannotApply as error:  # its stream is parked, or will be
        log.warning("past_not_folded", reason=str(error), exc_info=error.__cause__)
        raise Refused("read_model_behind", wanted=str(error)) from error


def _cut(as_of: AsOf, places: Sequence[Place]) -> tuple[Mapping[Owner, int], datetime]:
    """How far each owner's log is read, and the instant it is then. An instant is a place in a log as well: that of the
    last event recorded by then, so that of no stream a part is missing."""
    named = dict(as_of.positions)
    recorded = [place.recorded_at for place in places if place.position <= named.get(place.owner, -1)]
    if as_of.at is None and not recorded:
        raise Refused("as_of_before_account")
    until = instant(as_of.at) if as_of.at else max(recorded)
    cut = {
        owner: max((p.position for p in places if p.owner is owner and p.recorded_at <= until), default=0)
        for owner in Owner
    }
    return {**cut, **named}, datetime.fromisoformat(until)
