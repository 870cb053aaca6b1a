"""Tax after netting, per tax code, half up (DOMAIN M10): the one computation behind a quote's tax and an invoice's.

A term is taxed for good as on its first day, as its prices are that day's (B10): by where the account is taxed then and
by the rate then. So what is credited or refunded of a term carries the tax that was charged for it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .money import Minor, within_range
from .plans import STANDARD_TAX, Body, Id, MoneyLine, TaxTerms

RateBp = Annotated[int, Field(ge=0, le=10_000, description="A rate of tax, in hundredths of a per cent")]


class TaxLine(Body):
    """Tax on the net of one code (DOMAIN M10); of a credit both are negative. exemption: why the rate is 0.

    jurisdiction: whose rate it is, None where nobody said, on invoices from before there were any.
    """

    code: str
    rate_bp: RateBp
    net_minor: Minor
    tax_minor: Minor
    jurisdiction: Annotated[Id | None, Field(exclude_if=lambda name: name is None)] = None
    exemption: Annotated[Id | None, Field(exclude_if=lambda name: name is None)] = None


class TaxRates(Protocol):
    """The tax port. An adapter to a provider keeps the provider's table and never asks while something is decided."""

    def knows(self, jurisdiction: str) -> bool: ...

    def rate_bp(self, jurisdiction: str, code: str, on: date) -> int:
        """Raises ValueError for a jurisdiction it does not know: nothing goes untaxed by mistake."""
        ...


class TaxRate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    valid_from: date
    rate_bp: RateBp


class TaxTable(BaseModel):
    """The embedded adapter: rates by jurisdiction and code, each from a day on. A code that a jurisdiction does not
    name is taxed there as the standard one, which every jurisdiction has; before the first day the rate is 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jurisdictions: Mapping[Id, Mapping[str, tuple[TaxRate, ...]]] = {}

    @model_validator(mode="after")
    def _have_a_standard(self) -> Self:
        for name, codes in self.jurisdictions.items():
            if STANDARD_TAX not in codes:
                raise ValueError(f"{name} has no rate for {STANDARD_TAX}")
            for code, rates in codes.items():
                days = [rate.valid_from for rate in rates]
                if not days or sorted(set(days)) != days:
                    raise ValueError(f"the rates of {code} in {name} need days that rise")
        return self

    def knows(self, jurisdiction: str) -> bool:
        return jurisdiction in self.jurisdictions

    def rate_bp(self, jurisdiction: str, code: str, on: date) -> int:
        if jurisdiction not in self.jurisdictions:
            raise ValueError(f"no rate of tax is known for {jurisdiction}")
        codes = self.jurisdictions[jurisdiction]
        rates = codes.get(code, codes[STANDARD_TAX])
        return next((rate.rate_bp for rate in reversed(rates) if rate.valid_from <= on), 0)


def table_in(file: Path | None) -> TaxTable:
    """The table in a JSON file; an empty one without. Raises OSError, pydantic.ValidationError."""
    return TaxTable.model_validate_json(file.read_bytes()) if file else TaxTable()


def terms_on(terms: Iterable[TaxTerms], on: date) -> TaxTerms | None:
    """terms: as they were recorded. Of two from one day on the later one counts."""
    begun = [each for each in terms if each.effective_from <= on]
    return max(reversed(begun), key=lambda each: each.effective_from, default=None)


def taxes(lines: Sequence[MoneyLine], terms: Iterable[TaxTerms], rates: TaxRates) -> tuple[TaxLine, ...]:
    """One line per code of what is charged together. None where the account is not taxed, nor for a code whose charges
    and credits come to nothing. Of two terms, as after a change of cycle, the new one's first day counts.

    Raises ValueError for a jurisdiction without rates, AmountTooLarge.
    """
    on = max((line.period_start for line in lines), default=date.min)
    now = terms_on(terms, on)
    if now is None or now.jurisdiction is None:
        return ()
    nets: Counter[str] = Counter()
    for line in lines:
        nets[line.tax_code] += line.amount_minor
    found = []
    for code, net_minor in sorted(nets.items()):
        rate_bp = 0 if now.exemption else rates.rate_bp(now.jurisdiction, code, on)
        found.append(
            TaxLine(
                code=code,
                rate_bp=rate_bp,
                net_minor=within_range(net_minor),
                tax_minor=tax_minor(net_minor, rate_bp),
                jurisdiction=now.jurisdiction,
                exemption=now.exemption,
            )
        )
    return tuple(line for line in found if line.net_minor)


def tax_minor(net_minor: int, rate_bp: int) -> int:
    """Half up, away from nothing, so that a credit gives back what its charge took."""
    size = (abs(net_minor) * rate_bp * 2 + 10_000) // 20_000
    return within_range(-size if net_minor < 0 else size)
