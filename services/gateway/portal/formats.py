"""Money, dates and numbers as the reader's locale writes them (Accept-Language); the words are English."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, format_percent

from contracts.money import EXPONENTS, Currency

FALLBACK = "en_US"
MAX_TAGS = 10


@dataclass(frozen=True, slots=True)
class Formats:
    locale: Locale
    time_zone: ZoneInfo

    def money(self, amount_minor: int, currency: str) -> str:
        """A credit is in parentheses, as invoices show it."""
        amount = Decimal(abs(amount_minor)).scaleb(-EXPONENTS[Currency(currency)])
        text = format_currency(amount, currency, locale=self.locale)
        return f"({text})" if amount_minor < 0 else text

    def number(self, value: int) -> str:
        return format_decimal(value, locale=self.locale)

    def percent(self, rate_bp: int) -> str:
        """Of hundredths of a per cent."""
        return format_percent(Decimal(rate_bp).scaleb(-4), "0.##%", locale=self.locale)

    def day(self, on: str | date) -> str:
        return format_date(date.fromisoformat(on) if isinstance(on, str) else on, "medium", self.locale)

    def month(self, on: date) -> str:
        return format_date(on, "LLL", self.locale)

    def instant(self, at: str) -> str:
        """In the account's time zone."""
        then = datetime.fromisoformat(at).astimezone(self.time_zone)
        return f"{self.day(then.date())}, {format_time(then.timetz(), 'short', locale=self.locale)}"


@lru_cache(256)
def formats(accepted: str, time_zone: str = "UTC") -> Formats:
    """accepted: an Accept-Language header; what nobody knows is passed over."""
    return Formats(_locale(accepted), ZoneInfo(time_zone))


def _locale(accepted: str) -> Locale:
    tags = [part.partition(";") for part in accepted.split(",")[:MAX_TAGS]]
    for tag, _, _ in sorted(tags, key=_weight, reverse=True):
        try:
            return Locale.parse(tag.strip()[:35], sep="-")
        except (ValueError, UnknownLocaleError, TypeError):
            continue
    return Locale.parse(FALLBACK)


def _weight(part: tuple[str, str, str]) -> float:
    try:
        return float(part[2].strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0
