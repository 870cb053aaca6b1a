"""Amounts: integers of minor units in a currency with a fixed exponent (DOMAIN M1). No floats anywhere."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

MAX_MINOR = 10**12


class Currency(StrEnum):
    USD = "USD"
    EUR = "EUR"
    JPY = "JPY"
    KWD = "KWD"


EXPONENTS = {Currency.USD: 2, Currency.EUR: 2, Currency.JPY: 0, Currency.KWD: 3}

Minor = Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR, description="Minor units of the currency, e.g. cents")]


class AmountTooLarge(ValueError):
    """An amount left the range every store, wire and client agrees on: |amount| <= 10**12 minor units."""


def within_range(amount_minor: int) -> int:
    """`amount_minor` itself. Raises AmountTooLarge outside |amount| <= MAX_MINOR (DOMAIN M1)."""
    if abs(amount_minor) > MAX_MINOR:
        raise AmountTooLarge(f"{amount_minor} is beyond {MAX_MINOR} minor units")
    return amount_minor


def format_minor(amount_minor: int, currency: Currency) -> str:
    """`123456, USD` → `1,234.56 USD`; a negative amount in parentheses, as invoices show credits."""
    exponent = EXPONENTS[currency]
    whole, part = divmod(abs(amount_minor), 10**exponent)
    digits = f"{whole:,}" + (f".{part:0{exponent}d}" if exponent else "")
    return f"({digits} {currency})" if amount_minor < 0 else f"{digits} {currency}"
