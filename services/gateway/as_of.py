"""`?as_of=`: the instant, or the places in the owners' logs, at which a read shall look."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError

from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis.clock import midnight

PARAMETER = "as_of"
NOW = "now"
LONGEST = 128
LAST = 2**63 - 1  # no log has a later position

_POSITION = re.compile(r"(plans|devices|renewals):(0|[1-9][0-9]{0,18})")
_OFFSET_AS_SENT = re.compile(r"(T.*) (\d\d:\d\d)$")  # a plus that was not encoded arrives as a space
_TICK = timedelta(microseconds=1)  # events say when to the microsecond


@dataclass(frozen=True, slots=True)
class AsOf:
    """at: everything recorded up to then, and then. positions: everything up to these, and of the owners that are not
    named everything up to the instant of the newest event of those that are. One of the two is said."""

    at: datetime | None = None
    positions: tuple[tuple[Owner, int], ...] = ()


def parsed(text: str, zone: str, now: datetime) -> AsOf:
    """`2026-05-01` (to the end of that day in the account's zone; of today: to now), `2026-05-01T12:00+02:00` (in UTC
    if it says no offset), `now`, or positions: `plans:42`, `plans:42,devices:17`.

    Raises RequestValidationError; Refused as_of_in_the_future.
    """
    if text == NOW:
        return AsOf(at=now)
    if positions := _positions(text):
        return AsOf(positions=positions)
    try:
        at = _instant(text, zone, now) if len(text) <= LONGEST else None
    except (ValueError, OverflowError):  # no date at all, or one beyond the calendar in UTC
        at = None
    if at is None:
        raise _malformed()
    if at > now:
        raise Refused("as_of_in_the_future", now=now.isoformat())
    return AsOf(at=at)


def _positions(text: str) -> tuple[tuple[Owner, int], ...]:
    """Empty when the text is something else."""
    found = [_POSITION.fullmatch(part) for part in text.split(",", len(Owner))]
    if not all(found):
        return ()
    positions = {Owner(each[1]): int(each[2]) for each in found if each}
    if len(positions) < len(found) or max(positions.values()) > LAST:
        raise _malformed()
    return tuple(sorted(positions.items()))


def _instant(text: str, zone: str, now: datetime) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        at = datetime.fromisoformat(_OFFSET_AS_SENT.sub(r"\1+\2", text))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if day == now.astimezone(ZoneInfo(zone)).date():
        return now
    return midnight(day + timedelta(days=1), zone) - _TICK


def _malformed() -> RequestValidationError:
    message = "a day, an instant such as 2026-05-01T12:00Z, now, or positions such as plans:42,devices:17"
    return RequestValidationError([{"type": "as_of_malformed", "loc": ("query", PARAMETER), "msg": message}])
