"""The months of a lease and the fee for a device that stays (DOMAIN B14)."""

import json
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from contracts.devices import DeviceLeaseStarted
from contracts.leases import MONTHS, ends_on, fee_minor, month, months_begun, rental, return_due_on

days = st.dates(date(2000, 1, 1), date(2200, 1, 1))
SAMPLE = Path(codec.__file__).parent / "history" / "devices.DeviceLeaseStarted.v1.json"
LEASE = DeviceLeaseStarted.model_validate_json(json.dumps(json.loads(SAMPLE.read_bytes())))


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


def test_a_month_is_invoiced_with_one_line() -> None:
    line = rental(LEASE, 7)
    assert (line.quantity, line.amount_minor, line.full_minor) == (1, LEASE.monthly_minor, LEASE.monthly_minor)
    assert (line.period_start, line.period_end, line.days) == (date(2027, 1, 6), date(2027, 2, 6), 31)


@pytest.mark.parametrize(("months", "fee"), [(0, 8900), (1, 8301), (14, 514), (15, 0), (36, 0)])
def test_the_fee_is_the_list_price_less_the_rentals_and_never_below_nothing(months: int, fee: int) -> None:
    assert fee_minor(8900, 599, months) == fee
