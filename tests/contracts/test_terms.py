"""DOMAIN M9: period n counts from the original anchor, clamped to month end."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.terms import Cycle, add_months, term

days = st.dates(date(2000, 1, 1), date(2200, 1, 1))


def starts(anchor_on: date, cycle: Cycle, count: int) -> list[date]:
    return [term(anchor_on, cycle, number).start for number in range(count)]


def test_a_month_end_anchor_comes_back_after_a_short_month() -> None:
    assert starts(date(2026, 1, 31), Cycle.MONTHLY, 5) == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
        date(2026, 5, 31),
    ]


def test_a_leap_day_anchor_comes_back_in_the_next_leap_year() -> None:
    assert starts(date(2028, 2, 29), Cycle.ANNUAL, 5) == [
        date(2028, 2, 29),
        date(2029, 2, 28),
        date(2030, 2, 28),
        date(2031, 2, 28),
        date(2032, 2, 29),
    ]


def test_a_monthly_anchor_meets_the_leap_day() -> None:
    assert starts(date(2027, 12, 31), Cycle.MONTHLY, 3)[2] == date(2028, 2, 29)
    assert starts(date(2099, 12, 31), Cycle.MONTHLY, 3)[2] == date(2100, 2, 28)  # no leap year by the century rule


def test_a_year_over_a_leap_day_has_366_days() -> None:
    assert term(date(2027, 3, 1), Cycle.ANNUAL, 0).days == 366
    assert term(date(2026, 3, 1), Cycle.ANNUAL, 0).days == 365


def test_a_one_month_term_is_as_long_as_a_monthly_one() -> None:
    assert term(date(2026, 1, 31), Cycle.ONE_MONTH, 0) == term(date(2026, 1, 31), Cycle.MONTHLY, 0)


@given(days, st.sampled_from([Cycle.MONTHLY, Cycle.ANNUAL]), st.integers(0, 60))
def test_terms_follow_each_other_without_gap_and_keep_the_anchors_day(
    anchor_on: date, cycle: Cycle, number: int
) -> None:
    this, following = term(anchor_on, cycle, number), term(anchor_on, cycle, number + 1)
    assert this.end == following.start
    assert this.start.day <= anchor_on.day
    if this.start.day < anchor_on.day:  # clamped: then the month is over
        assert (date.fromordinal(this.start.toordinal() + 1)).day == 1


def test_a_term_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises(ValueError, match="year"):
        add_months(date(9999, 12, 31), 1)
