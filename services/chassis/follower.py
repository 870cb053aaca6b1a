"""Follows one owner's log into a sink: what Kafka brings, in order, and from the owner's feed what Kafka left out.

At least once on the wire, exactly once in effect: a sink commits effects and checkpoint together, and what lies at or
before the checkpoint is dropped. `prevposition` shows a hole at once; a quiet owner is looked up in its feed now and
then. So a broker that is away, or has lost everything, costs nothing but time.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from time import monotonic

import structlog

from contracts.envelope import Envelope
from contracts.topics import Owner, partition_of

from .sink import WAITS, Behind, CannotApply, Feed, Overtaken, Parked, ReplayableSink, Sink, current

POISON_TRIES = 3
MAX_PAUSE_S = 5.0
QUIET_S = 1.0  # without news for this long, the owner's feed is asked
LOOK_EVERY_S = 0.01  # at a shared sink, while somebody waits
VERIFY_EVERY_S = 10.0  # and this often when there is news: a hole at the end of one busy topic's quiet partition

log = structlog.get_logger(__name__)

Read = tuple[Envelope, int]  # an event and its prevposition


class Follower:
    """One owner's. checkpoints, parked_streams: as in the sink. head: the end of the log as far as known. trouble: why
    it stands still. caught_up: it once was at the end. applied, by where from, repeated, holes, foreign: counts.

    shared: other processes write to the sink too. What it has of a partition may then be more than we know of.
    """

    def __init__(self, owner: Owner, feed: Feed, sink: Sink, partitions: int, shared: bool = False) -> None:
        self.owner = owner
        self.checkpoints = dict.fromkeys(range(partitions), 0)
        self.parked_streams: set[str] = set()
        self.head = 0
        self.caught_up = False
        self.trouble = ""
        self.applied = {"kafka": 0, "feed": 0}
        self.repeated = self.holes = self.foreign = 0
        self._feed = feed
        self._sink = sink
        self._shared = shared
        self._waiting = 0
        self._looker: asyncio.Task[None] | None = None
        self._seen: dict[int, int] = {}  # of a shared sink's checkpoints; what we follow on from are `checkpoints`
        self._turn = asyncio.Lock()  # one at a time reads on: neither rows nor checkpoints ever go back
        self._moved = asyncio.Condition()
        self._news_at_s = self._verified_at_s = 0.0
        self._last_recorded_at = ""

    async def load(self) -> None:
        """Returns when it is known where the sink stands, however long the sink is away. Comes before all else."""
        async with self._turn:
            await self._load()

    async def take(self, read: Sequence[Read]) -> None:
        """Applies what came from Kafka, and what the feed has in between. Returns when it is committed."""
        async with self._turn:
            try:
                await self._take(read)
            except Behind:
                await self._fill(max(event.position for event, _ in read))

    async def verify(self) -> None:
        """Once at the start and then whenever the owner is quiet: whatever its feed has and we have not. For ever."""
        failures = 0
        while True:
            try:
                await self._verify_once()
            except Exception as error:  # the owner or the sink is away: Kafka may still have its events
                failures += 1
                self._failed("not_verified", error)
                await pause(failures)
                continue
            self.caught_up, self.trouble, failures = True, "", 0
            await self._until_time_to_verify()

    async def catch_up(self) -> None:
        """Applies, now, all that the owner's feed has. Raises what keeps it from that."""
        await self._verify_once()

    async def reload(self) -> None:
        """Takes over what another process has committed to a sink shared with it."""
        async with self._turn:
            await self._reload()

    async def replay(self, stream: str) -> int:
        """Applies what was parked of a stream, which then goes on as every other; how many events that were.

        Raises CannotApply, with the stream still parked; TypeError when this sink cannot replay.
        """
        if not isinstance(self._sink, ReplayableSink):
            raise TypeError(f"{type(self._sink).__name__} cannot replay what it parked")
        async with self._turn:
            events = await self._sink.parked_events(self.owner, stream)
            await self._sink.unpark(self.owner, stream, [current(event) for event in events])
            self.parked_streams = await self._sink.parked_streams(self.owner)
        return len(events)

    async def wait_for(self, account_id: str, position: int, timeout_s: float) -> bool:
        """Whether everything of an account up to a position is applied, after waiting for it."""
        partition = partition_of(account_id, len(self.checkpoints))

        def reached() -> bool:
            return max(self.checkpoints[partition], self._seen.get(partition, 0)) >= position

        if not reached():
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s), self._looking(), self._moved:
                    await self._moved.wait_for(reached)
        return reached()

    def lag_positions(self) -> int:
        return max(0, self.head - max(self.checkpoints.values()))

    def lag_seconds(self) -> float:
        """The age of the newest event applied, while newer ones are known; else 0."""
        if not self._last_recorded_at or not self.lag_positions():
            return 0.0
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(self._last_recorded_at)).total_seconds())

    # What others commit

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[None]:
        """Looks at a shared sink's checkpoints again and again, once for all who wait.

        Turned down: being told (LISTEN and NOTIFY). It wakes every process for every batch though hardly ever anybody
        waits, has all commits of the database wait for each other, needs a connection of its own that poolers do not
        give, and to look as well, for what was said while that connection was lost.
        """
        self._waiting += 1
        if self._shared and (self._looker is None or self._looker.done()):
            self._looker = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._waiting -= 1  # the last one: looking ends by itself; cancelled, it would leave a query behind

    async def _look(self) -> None:
        while self._waiting:
            with suppress(Exception):  # the sink is away: whoever waits, waits on
                self._seen = await self._sink.checkpoints(self.owner)
                async with self._moved:
                    self._moved.notify_all()
            await asyncio.sleep(LOOK_EVERY_S)

    # Kafka

    async def _take(self, read: Sequence[Read]) -> None:
        events: list[Envelope] = []
        marks: dict[int, int] = {}
        for event, prevposition in read:
            partition = self._partition(event)
            reached = marks.get(partition, self.checkpoints[partition])
            if event.position <= reached:
                self.repeated += 1
            elif prevposition > reached:
                self.holes += 1
                await self._apply(events, marks, "kafka")
                events, marks = [], {}
                if not await self._fill(event.position):
                    self.foreign += 1
                    log.warning("foreign_position", owner=self.owner, position=event.position, head=self.head)
            else:
                events.append(event)
                marks[partition] = event.position
        await self._apply(events, marks, "kafka")

    # The feed

    async def _verify_once(self) -> None:
        head = await self._feed.head()
        self.head = max(self.head, head)
        async with self._turn:
            await self._reload()
            if head > min(self.checkpoints.values()):
                await self._fill_once(head)
        self._verified_at_s = monotonic()

    async def _until_time_to_verify(self) -> None:
        """News puts it off, but not for ever."""
        while True:
            now_s = monotonic()
            since_news_s, since_verified_s = now_s - self._news_at_s, now_s - self._verified_at_s
            pause_s = min(VERIFY_EVERY_S - since_verified_s, QUIET_S - min(since_news_s, since_verified_s))
            if pause_s <= 0:
                return
            await asyncio.sleep(pause_s)

    async def _fill(self, until: int) -> bool:
        """Applies the feed up to a position, however long its owner takes to answer. It is our turn.

        False, with nothing applied, when the log does not reach that far: whoever spoke of it was not the owner, which
        publishes what it has recorded."""
        failures = 0
        while min(self.checkpoints.values()) < until:
            try:
                if until > self.head:
                    self.head = max(self.head, await self._feed.head())
                if until > self.head:
                    return False
                await self._fill_once(until)
            except Exception as error:  # nothing may be skipped, so nothing else can be done
                failures += 1
                self._failed("hole_not_filled", error)
                await pause(failures)
        return True

    async def _fill_once(self, until: int) -> None:
        """A feed leaves nothing out: every partition is complete up to where it was read."""
        async with aclosing(self._feed.read(min(self.checkpoints.values()), until)) as blocks:
            async for read in blocks:
                events = [event for event in read if event.position > self.checkpoints[self._partition(event)]]
                await self._apply(events, self._everywhere(read[-1].position), "feed")
        await self._apply([], self._everywhere(until), "feed")

    def _everywhere(self, position: int) -> dict[int, int]:
        return {number: position for number, reached in self.checkpoints.items() if reached < position}

    def _partition(self, event: Envelope) -> int:
        return partition_of(event.account_id, len(self.checkpoints))

    # The sink

    async def _load(self) -> None:
        failures = 0
        while True:
            try:
                return await self._reload()
            except Exception as error:
                failures += 1
                self._failed("not_loaded", error)
                await pause(failures)

    async def _reload(self) -> None:
        """What the sink says counts, even where it is less than it was."""
        self._seen = stored = await self._sink.checkpoints(self.owner)
        self.parked_streams = await self._sink.parked_streams(self.owner)
        await self._move({number: stored.get(number, 0) for number in self.checkpoints})

    async def _apply(self, read: Sequence[Envelope], marks: Mapping[int, int], source: str) -> None:
        """Commits events and checkpoints, however long the machine takes; parks what cannot be applied.

        Raises Behind, with nothing done but that it is known again where the sink stands."""
        if not marks:
            return
        after = {partition: self.checkpoints[partition] for partition in marks}
        events, parked = self._sorted(read)
        failures = tries = 0
        overtaken = False
        while True:
            try:
                if overtaken:
                    self.parked_streams = await self._sink.parked_streams(self.owner)
                    (events, parked), overtaken = self._sorted(read), False
                await self._sink.apply(self.owner, [current(event) for event in events], marks, parked, after)
                break
            except Behind as by:
                log.warning("behind", owner=self.owner, reason=str(by))
                await self._load()
                raise
            except Overtaken as by:
                overtaken = True
                log.info("overtaken", owner=self.owner, reason=str(by))
            except CannotApply as poison:
                tries += 1
                if tries == POISON_TRIES:
                    events, parked, tries = *_set_aside(events, parked, poison), 0
                    log.error("stream_parked", owner=self.owner, stream=poison.envelope.stream, exc_info=poison)
                else:
                    await pause(tries)
            except Exception as error:
                failures += 1
                self._failed("not_committed", error)
                await pause(failures)
        self.parked_streams |= {each.envelope.stream for each in parked}
        self.applied[source] += len(events)
        self.trouble = ""
        if events:
            self._last_recorded_at = events[-1].metadata["recorded_at"]
            self._news_at_s = monotonic()
        await self._move(marks)

    def _sorted(self, read: Sequence[Envelope]) -> tuple[list[Envelope], list[Parked]]:
        """Those to be applied, and those whose stream is parked."""
        events = [event for event in read if event.stream not in self.parked_streams]
        return events, [Parked(event, WAITS) for event in read if event.stream in self.parked_streams]

    async def _move(self, marks: Mapping[int, int]) -> None:
        async with self._moved:
            self.checkpoints.update(marks)
            self.head = max(self.head, *self.checkpoints.values())
            self._moved.notify_all()

    def _failed(self, what: str, error: Exception) -> None:
        self.trouble = f"{what}: {error or type(error).__name__}"
        log.warning(what, owner=self.owner, reason=str(error) or type(error).__name__)


def _set_aside(
    events: Sequence[Envelope], parked: Sequence[Parked], poison: CannotApply
) -> tuple[list[Envelope], list[Parked]]:
    """The poisonous event and everything after it in its stream moves from `events` to `parked`."""
    stream, position = poison.envelope.stream, poison.envelope.position
    reason = repr(poison.__cause__ or poison)
    aside = [event for event in events if event.stream == stream and event.position >= position]
    rest = [event for event in events if event.stream != stream or event.position < position]
    return rest, [*parked, *(Parked(event, reason) for event in aside)]


async def pause(failures: int) -> None:
    """Exponential back-off with jitter, bounded by MAX_PAUSE_S."""
    await asyncio.sleep(min(MAX_PAUSE_S, 0.05 * 2 ** min(failures, 10)) * random.uniform(0.5, 1))
