"""Days begin at midnight where the account is, and instants sort as text."""

from datetime import UTC, datetime, timedelta, timezone

from services.chassis.clock import SystemClock, instant, today


class Stopped:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


def test_the_day_is_that_of_the_accounts_time_zone() -> None:
    clock = Stopped(datetime(2026, 6, 30, 23, 30, tzinfo=UTC))
    assert today(clock, "Europe/Vienna").isoformat() == "2026-07-01"
    assert today(clock, "America/New_York").isoformat() == "2026-06-30"
    assert today(clock, "Pacific/Kiritimati").isoformat() == "2026-07-01"


def test_an_instant_has_always_the_same_form() -> None:
    assert instant(datetime(2026, 11, 22, 10, tzinfo=UTC)) == "2026-11-22T10:00:00.000000Z"
    east = timezone(timedelta(hours=2))
    assert instant(datetime(2026, 11, 22, 10, 0, 0, 5, tzinfo=east)) == "2026-11-22T08:00:00.000005Z"


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC
