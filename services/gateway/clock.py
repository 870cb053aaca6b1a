"""The clock over HTTP, where it can be set: what time it is, and moving it on. Only a development portal has one."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self

import structlog
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from contracts.plan_actions import Privilege
from contracts.plan_commands import Request as Body
from contracts.problems import Refused
from services.chassis import http
from services.chassis.auth import EVERYWHERE

from .forwarded import API
from .mover import Mover

CLOCK = f"{API}/clock"
NOON = time(12, tzinfo=UTC)  # when it is the same day from Honolulu to Sydney

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}

log = structlog.get_logger(__name__)


class ClockBody(Body):
    """Exactly one of the first three. to: an instant with its offset, or a day, which means its noon in UTC. forward:
    days, hours or minutes from now. run: whether time goes by; false also ends a move, wherever it is.

    stand_still: with `to` or `forward`, that the clock stays where it arrives.
    """

    to: AwareDatetime | date | None = None
    forward: Annotated[str | None, Field(pattern=r"^[1-9][0-9]{0,7}[dhm]$", examples=["45d"])] = None
    run: bool | None = None
    stand_still: bool = False

    @model_validator(mode="after")
    def _wants_one_thing(self) -> Self:
        if sum(each is not None for each in (self.to, self.forward, self.run)) != 1:
            raise ValueError("exactly one of to, forward and run is needed")
        if self.stand_still and self.run is not None:
            raise ValueError("stand_still goes with to or forward")
        return self

    def until(self, now: datetime) -> datetime:
        """The instant it wants the clock to be moved to."""
        if self.forward is not None:
            return now + timedelta(**{_UNITS[self.forward[-1]]: int(self.forward[:-1])})
        assert self.to is not None
        return self.to if isinstance(self.to, datetime) else datetime.combine(self.to, NOON)


class ClockView(BaseModel):
    """standing_still: no time goes by, be it that the clock is being moved. moving_to: null when it is not.

    due_next_at: the first instant at which something is due, as of the last time the clock was moved; null when that is
    not known. steps: instants the last move has stopped at to let everything be done. reason: why it waits or, when it
    is not moving, why it stopped on its way.
    """

    now: AwareDatetime
    standing_still: bool
    moving_to: AwareDatetime | None
    due_next_at: AwareDatetime | None
    steps: int
    reason: str | None

    @classmethod
    def of(cls, mover: Mover) -> Self:
        now, setting, due = mover.clock.now(), mover.clock.setting(), mover.next_due_at
        return cls(
            now=now,
            standing_still=setting is not None and setting.since is None,
            moving_to=mover.until,
            due_next_at=due if due and due > now else None,
            steps=mover.steps,
            reason=mover.reason or None,
        )


_body = http.json_body(ClockBody)


async def read_clock(request: Request) -> Response:
    """For everybody with a token. Raises Refused: unauthenticated, not_found."""
    await http.caller(request)
    return _shown(_mover(request), 200)


async def move_clock(request: Request) -> Response:
    """202 and where it is: a move takes as long as what is due on the way. Raises Refused, RequestValidationError."""
    caller = await http.caller(request)
    mover = _mover(request)
    if Privilege.CLOCK_EDIT not in caller.grants.get(EVERYWHERE, ()):
        raise Refused("forbidden", privilege=Privilege.CLOCK_EDIT)
    body = await _body(request)
    match body.run:
        case None:
            mover.move(_until(body, mover.clock.now()), body.stand_still)
        case True:
            mover.run()
        case False:
            await mover.stand_still()
    log.info("clock_set", by=caller.subject, **body.model_dump(mode="json", exclude_defaults=True))
    return _shown(mover, 202)


def _until(body: ClockBody, now: datetime) -> datetime:
    try:
        return body.until(now)
    except OverflowError:
        raise Refused("clock_too_far") from None


def _mover(request: Request) -> Mover:
    """Raises Refused not_found where the time is the system's."""
    mover: Mover | None = request.state.mover
    if mover is None:
        raise Refused("not_found")
    return mover


def _shown(mover: Mover, status: int) -> Response:
    body = ClockView.of(mover).model_dump_json().encode()
    return Response(body, status, {"Cache-Control": "no-store"}, "application/json")
