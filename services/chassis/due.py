"""What a service does by itself because its time has come, and how it is brought to rest under a clock that is moved.

Time passes for everybody at once, but a renewal at noon must have had all its effects, in every service, before what
is due at one o'clock. Who moves the clock therefore stops at every instant at which something is due anywhere, and
asks every service to settle, again and again, until none records anything more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Protocol

import structlog
from fastapi import APIRouter, Depends, Request

from contracts.plan_actions import Privilege
from contracts.problems import Refused

from . import http
from .auth import EVERYWHERE, Caller
from .clock import Clock, instant
from .event_store import EventStore
from .feed import FeedUnavailable
from .follower import Follower, pause
from .running import running

LOOK_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class Agenda(Protocol):
    """What is to be done when. Everything on it is done exactly once in effect, however often it is tried."""

    async def next_at(self) -> datetime | None:
        """The earliest instant at which something is due; None when nothing is."""
        ...

    async def carry_out(self, now: datetime) -> None:
        """Does what is due by `now`, earliest first."""
        ...


class Settler:
    """agendas: the service's own. followers: how it follows other owners."""

    def __init__(self, store: EventStore, clock: Clock, agendas: Sequence[Agenda], followers: Sequence[Follower]):
        self._store = store
        self._clock = clock
        self._agendas = agendas
        self._followers = followers
        self._turn = asyncio.Lock()

    async def settle(self) -> tuple[int, datetime | None]:
        """Takes in what the others have recorded and does what is due; where the log ends then, and when it goes on.

        Raises Refused owner_unavailable, with the owner that cannot be followed.
        """
        for follower in self._followers:
            try:
                await follower.catch_up()
            except FeedUnavailable as error:
                raise Refused("owner_unavailable", owner=follower.owner) from error
        await self.carry_out()
        due = [at for agenda in self._agendas if (at := await agenda.next_at())]
        return await self._store.head(), min(due, default=None)

    async def carry_out(self) -> None:
        async with self._turn:
            for agenda in self._agendas:
                await agenda.carry_out(self._clock.now())

    async def run(self) -> None:
        """Does what is due as time goes by. For ever."""
        failures = 0
        while True:
            try:
                await self.carry_out()
                failures = 0
            except Exception as error:  # whatever it is, what is due stays due
                failures += 1
                log.warning("due_work_failed", exc_info=error)
                await pause(failures)
            await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def punctual(settler: Settler) -> AsyncIterator[None]:
    """Runs it meanwhile."""
    async with running(settler.run()):
        yield


router = APIRouter()


@router.post("/settle", summary="Take in what others recorded and do what is due now")
async def settle(request: Request, caller: Annotated[Caller, Depends(http.caller)]) -> dict[str, Any]:
    """{head, next_due_at}: where the log ends now, and the instant at which something is due next, or null."""
    caller.require(EVERYWHERE, Privilege.CLOCK_EDIT)
    settler: Settler = request.state.settler
    head, next_at = await settler.settle()
    return {"head": head, "next_due_at": instant(next_at) if next_at else None}
