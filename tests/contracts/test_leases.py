"""The months of a lease and the fee for a device that stays (DOMAIN B14)."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.leases import MONTHS, ends_on, fee_minor, month, months_begun, next_month_on, return_due_on

days = st.dates(date(2000, 1, 1), date(2200, 1, 1))


def test_a_lease_has_36_months_that_follow_each_other() -> None:
    started_on = date(2026, 1, 31)
    assert (ends_on(started_on), return_due_on(ends_on(started_on))) == (date(2029, 1, 31), date(2029, 2, 21))
    assert (month(started_on, 1).start, month(started_on, 2).start) == (date(2026, 2, 28), date(2026, 3, 31))


@given(days)
def test_the_months_fill_the_lease_without_gap_or_overlap(started_on: date) -> None:
    months = [month(started_on, number) for number in range(MONTHS)]
    assert months[0].start == started_on
    assert months[-1].end == ends_on(started_on)
    assert all(first.end == second.start for first, second in pairwise(months))


@given(days, st.integers(0, 2000))
def test_a_month_is_charged_when_it_begins(started_on: date, later: int) -> None:
    on = started_on + timedelta(days=later)
    begun = months_begun(started_on, on)
    assert month(started_on, begun - 1).start <= on
    assert begun == MONTHS or on < month(started_on, begun).start


@pytest.mark.parametrize(
    ("ended_on", "months"),
    [(date(2026, 6, 20), 1), (date(2026, 7, 5), 1), (date(2026, 7, 6), 2), (date(2026, 7, 7), 2), (date.max, 36)],
)
def test_the_month_that_has_begun_is_charged_and_no_later_one(ended_on: date, months: int) -> None:
    charged = 1
    while next_month_on(date(2026, 6, 6), ended_on, charged):
        charged += 1
    assert charged == months


@pytest.mark.parametrize(("months", "fee"), [(0, 8900), (1, 8301), (14, 514), (15, 0), (36, 0)])
def test_the_fee_is_the_list_price_less_the_rentals_and_never_below_nothing(months: int, fee: int) -> None:
    assert fee_minor(8900, 599, months) == fee
