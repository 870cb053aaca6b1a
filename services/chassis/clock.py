"""The time, as an argument: rules never ask a machine's clock themselves."""

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def today(clock: Clock, zone: str) -> date:
    """The date it is now in an IANA time zone. Raises zoneinfo.ZoneInfoNotFoundError or ValueError for another name."""
    return clock.now().astimezone(ZoneInfo(zone)).date()


def instant(at: datetime) -> str:
    """An aware datetime as `2026-11-22T10:00:00.000000Z`: always six decimals, so text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
