"""The arithmetic of a lease: its months, what they cost, and what a device costs that does not come back (DOMAIN B14).

Devices and renewals must agree on it: devices say when a lease begins and ends, renewals invoice its months. The first
one is charged with the delivery, every other one on the day it begins.
"""

from datetime import date, timedelta

from .money import within_range
from .proration import Period
from .terms import Cycle, add_months, term

MONTHS = 36
RETURN_DAYS = 21

LINE = "line-1"  # a lease has one


def ends_on(started_on: date) -> date:
    """The first day that is no longer leased."""
    return add_months(started_on, MONTHS)


def return_due_on(lease_ends_on: date) -> date:
    """The last day on which the device may come back without a fee."""
    return lease_ends_on + timedelta(days=RETURN_DAYS)


def month(started_on: date, number: int) -> Period:
    """Month `number` (0 is the first) of a lease; it is charged when it begins."""
    return term(started_on, Cycle.MONTHLY, number)


def months_begun(started_on: date, on: date) -> int:
    """How many months of the lease have been charged by the end of a day, at most MONTHS."""
    return sum(1 for number in range(MONTHS) if month(started_on, number).start <= on)


def next_month_on(started_on: date, ended_on: date, charged: int) -> date | None:
    """When the next month begins that is charged, after so many; None after the last one. ended_on: date.max while
    the unit is not back. The month that has begun by then stays charged, no other is (DOMAIN B14)."""
    begins = month(started_on, charged).start
    return None if charged == MONTHS or begins > ended_on else begins


def fee_minor(list_minor: int, monthly_minor: int, months: int) -> int:
    """The list price less the rentals of so many months, not below 0."""
    return within_range(max(0, list_minor - monthly_minor * months))
