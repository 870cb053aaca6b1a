"""Days begin at midnight where the account is, and instants sort as text."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

from services.chassis.clock import SetClock, Setting, SystemClock, instant, midnight, today


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


def test_a_very_early_instant_is_one_as_well() -> None:
    assert instant(datetime(1, 1, 2, tzinfo=UTC)) == "0001-01-02T00:00:00.000000Z"


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_day_begins_at_midnight_where_the_account_is() -> None:
    assert instant(midnight(date(2026, 7, 1), "Europe/Vienna")) == "2026-06-30T22:00:00.000000Z"
    assert instant(midnight(date(2026, 12, 1), "America/New_York")) == "2026-12-01T05:00:00.000000Z"


def test_a_clock_that_was_never_set_shows_the_systems_time(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    assert before <= SetClock(tmp_path / "clock.json").now() <= datetime.now(UTC)


def test_a_set_clock_stands_still_or_goes_on_for_everybody(tmp_path: Path) -> None:
    mine, theirs = SetClock(tmp_path / "clock.json"), SetClock(tmp_path / "clock.json")
    noon = datetime(2026, 2, 1, 12, tzinfo=UTC)
    mine.set(Setting(noon, since=None))
    assert mine.now() == theirs.now() == noon
    mine.set(Setting(noon, since=datetime.now(UTC) - timedelta(hours=1)))
    assert timedelta(hours=1) <= theirs.now() - noon < timedelta(hours=1, minutes=1)


def test_two_settings_in_one_moment_are_told_apart(tmp_path: Path) -> None:
    """The kernel's stamps are coarse, and it gives a freed inode to the next file."""
    mine, theirs = SetClock(tmp_path / "clock.json"), SetClock(tmp_path / "clock.json")
    for minutes in range(500):
        at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        mine.set(Setting(at, since=None, until=at, stand_still=True))
        assert theirs.setting() == Setting(at, None, at, stand_still=True)
