"""Terms: period n of a plan always counts from its original anchor, clamped to month end (DOMAIN M9)."""

from calendar import monthrange
from datetime import date
from enum import StrEnum

from .proration import Period


class Cycle(StrEnum):
    """How often a price is charged. ONCE has no term: it is what a device costs to buy, or to keep."""

    MONTHLY = "monthly"
    ANNUAL = "annual"
    ONE_MONTH = "one_month"
    ONCE = "once"


MONTHS = {Cycle.MONTHLY: 1, Cycle.ANNUAL: 12, Cycle.ONE_MONTH: 1}


def add_months(anchor_on: date, months: int) -> date:
    """The anchor's day that many months later, or the last day of a shorter month. Raises ValueError past year 9999."""
    year, month0 = divmod(anchor_on.year * 12 + anchor_on.month - 1 + months, 12)
    return date(year, month0 + 1, min(anchor_on.day, monthrange(year, month0 + 1)[1]))


def term(anchor_on: date, cycle: Cycle, number: int) -> Period:
    """Term `number` (0 is the first) of a plan anchored on `anchor_on`. Raises KeyError for ONCE, which has no term."""
    months = MONTHS[cycle]
    return Period(add_months(anchor_on, number * months), add_months(anchor_on, (number + 1) * months))
