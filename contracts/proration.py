"""Proration by day over half-open periods (DOMAIN M3, M4): exact, and cuts always add up to the whole."""

from dataclasses import dataclass
from datetime import date

from .money import within_range


@dataclass(frozen=True, slots=True)
class Period:
    """Days `[start, end)` in the account's time zone. The day of a change is served by the new state."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"a period ends after it starts: {self.start}..{self.end}")

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def __contains__(self, on: date) -> bool:
        return self.start <= on < self.end

    def days_before(self, on: date) -> int:
        """Days already served when `on` begins: 0 on the first day, `days` at the end. Raises ValueError outside."""
        if not self.start <= on <= self.end:
            raise ValueError(f"{on} is outside {self.start}..{self.end}")
        return (on - self.start).days


def earned(amount_minor: int, days_served: int, days: int) -> int:
    """The part of a line total that `days_served` of `days` have earned, half up and symmetric in sign (DOMAIN M4)."""
    if not 0 <= days_served <= days or days < 1:
        raise ValueError(f"{days_served} of {days} days cannot be served")
    size = (abs(amount_minor) * days_served * 2 + days) // (2 * days)
    return -size if amount_minor < 0 else size


def rest(amount_minor: int, period: Period, on: date) -> int:
    """What is left of a line total from `on` (inclusive) to the end of its period: the whole minus the earned part."""
    return within_range(amount_minor - earned(amount_minor, period.days_before(on), period.days))
