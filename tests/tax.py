"""Tables of tax for tests: one place, with fixed rates, in which an account is taxed from long ago on."""

from datetime import date

from contracts.renewals import TaxTermsNoted
from contracts.tax import TaxRate, TaxTable

HERE = "HERE"
LONG_AGO = date(2000, 1, 1)
TAXED_HERE = TaxTermsNoted(jurisdiction=HERE, exemption=None, effective_from=LONG_AGO)


def table(standard: int = 0, **codes: int) -> TaxTable:
    """Rates in hundredths of a per cent, by code."""
    rates = {"standard": standard, **codes}
    return TaxTable(
        jurisdictions={HERE: {code: (TaxRate(valid_from=LONG_AGO, rate_bp=bp),) for code, bp in rates.items()}}
    )
