"""Moves a clock that can be set. It stops at every instant at which something is due anywhere, until all that follows
from it is done in every service: a renewal at noon has had all its effects before what is due at one o'clock.

Where it is going stands in the clock's file. So an owner that is away, a full disk and a gateway that was killed are
all the same: it goes on from where the clock stands.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from contracts.problems import Refused
from services.chassis.clock import SetClock, Setting, instant
from services.chassis.follower import pause
from services.chassis.running import ended

FARTHEST = timedelta(days=7305)  # 20 years, in one move: further is a typing error
ROUNDS = 500  # of settling at one instant. A renewal takes a handful; without a bound, two that answer each other go on

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """head: where an owner's log ends. next_due_at: when it goes on by itself; None when nothing is due."""

    head: int
    next_due_at: datetime | None


class Settling(Protocol):
    """An owner that does what is due when it is asked (chassis.due)."""

    @property
    def name(self) -> str: ...

    async def settle(self) -> Settled:
        """Raises Exception, with a sentence on who cannot be asked and why."""
        ...


class Stuck(Exception):
    """An owner does not come to rest, however often it is asked; the text says which one, and when."""


class Rest:
    """Brings owners to rest at an instant. told: called after each round in which all could be asked."""

    def __init__(self, owners: Sequence[Settling], told: Callable[[], None] = lambda: None) -> None:
        self._owners = owners
        self._told = told
        self._heads: dict[str, int] = {}

    async def at(self, now: datetime) -> datetime | None:
        """Asks every owner to settle until a whole round has recorded nothing; when something is due next.

        Raises Stuck when what is due stays due, and what an owner raises that cannot be asked.
        """
        overdue: Mapping[str, datetime] = {}
        for _ in range(ROUNDS):
            due, moved = await self._round()
            before, overdue = overdue, {} if moved else {name: at for name, at in due.items() if at <= now}
            if overdue and overdue == before:
                name, at = next(iter(overdue.items()))
                raise Stuck(f"{name} was asked to do what is due at {instant(at)}, and it is still due.")
            if not moved and not overdue:
                return min(due.values(), default=None)
        raise Stuck(f"{' and '.join(sorted(moved))} did not come to rest at {instant(now)} within {ROUNDS} rounds.")

    async def _round(self) -> tuple[dict[str, datetime], set[str]]:
        """When each owner goes on, and who has recorded something since it was asked before."""
        settled = {owner.name: await owner.settle() for owner in self._owners}
        self._told()
        moved = {name for name, each in settled.items() if each.head != self._heads.get(name)}
        self._heads = {name: each.head for name, each in settled.items()}
        return {name: each.next_due_at for name, each in settled.items() if each.next_due_at}, moved


class Mover:
    """owners: all that must rest before time goes on. catch_up: brings the read models to the ends of their logs.

    steps: instants it has stopped at in this move. next_due_at: the first one to come, when that was last known.
    reason: why it waits, or why it has stopped on the way; else empty.
    """

    def __init__(self, clock: SetClock, owners: Sequence[Settling], catch_up: Callable[[], Awaitable[None]]) -> None:
        self.clock = clock
        self.steps = 0
        self.next_due_at: datetime | None = None
        self.reason = ""
        self._rest = Rest(owners, self._nothing_stands_in_the_way)
        self._catch_up = catch_up
        self._going: asyncio.Task[None] | None = None

    @property
    def until(self) -> datetime | None:
        """Where it is going; None when it is not being moved."""
        setting = self.clock.setting()
        return setting.until if setting else None

    def move(self, until: datetime, stand_still: bool) -> None:
        """Sets out. Raises Refused clock_moving, clock_backwards or clock_too_far; OSError."""
        self._refuse_while_moving()
        now = self.clock.now()
        if until < now:
            raise Refused("clock_backwards", now=instant(now))
        if until > now + FARTHEST:
            raise Refused("clock_too_far", now=instant(now), farthest=instant(now + FARTHEST))
        self.clock.set(Setting(now, None, until.astimezone(UTC), stand_still))
        self.steps, self.reason = 0, ""
        self.go_on()

    def run(self) -> None:
        """Lets time go by from here on. Raises Refused clock_moving, OSError."""
        self._refuse_while_moving()
        self.clock.set(Setting.running(self.clock.now()))
        self.reason = ""

    async def stand_still(self) -> None:
        """Here, wherever it was going. Raises OSError."""
        await self.pause()
        self.clock.set(Setting(self.clock.now(), since=None))
        self.reason = ""

    def go_on(self) -> None:
        """With the move that the clock's file tells of, if any."""
        self._going = asyncio.create_task(self._go_on())

    async def pause(self) -> None:
        """Leaves the clock where it is, to go on another time."""
        if self._going is not None:
            await ended(self._going)

    def _refuse_while_moving(self) -> None:
        if (until := self.until) is not None:
            raise Refused("clock_moving", moving_to=instant(until))

    async def _go_on(self) -> None:
        failures = 0
        while True:
            try:
                return await self._move()
            except Exception as error:  # whatever keeps it, nothing may be skipped
                failures = failures + 1 if self.reason else 1
                self.reason = str(error) or type(error).__name__
                log.warning("clock_waits", reason=self.reason, exc_info=None if isinstance(error, OSError) else error)
                await pause(failures)

    async def _move(self) -> None:
        while (setting := self.clock.setting()) and setting.until:
            try:
                self.next_due_at = await self._rest.at(setting.at)
            except Stuck as stuck:
                self.clock.set(Setting(setting.at, since=None))
                self.reason = str(stuck)
                log.error("clock_stuck", reason=self.reason)
                return
            if setting.at < setting.until:
                self._step(setting, setting.until)
            else:
                await self._catch_up()
                self.reason = ""
                self.clock.set(replace(setting, until=None) if setting.stand_still else Setting.running(setting.at))

    def _nothing_stands_in_the_way(self) -> None:
        self.reason = ""

    def _step(self, setting: Setting, until: datetime) -> None:
        if self.next_due_at and self.next_due_at <= until:
            self.clock.set(replace(setting, at=self.next_due_at))
            self.steps += 1
        else:
            self.clock.set(replace(setting, at=until))


@asynccontextmanager
async def moving(mover: Mover | None) -> AsyncIterator[None]:
    """Goes on meanwhile with a move that was begun before. None: this clock is nobody's to move."""
    if mover is None:
        yield
        return
    mover.go_on()
    try:
        yield
    finally:
        await mover.pause()
