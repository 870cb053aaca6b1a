"""Tables of tax for tests: one place with fixed rates, in which an account is taxed from long ago on, and another."""

from datetime import date

from contracts.renewals import TaxTermsNoted
from contracts.tax import TaxRate, TaxTable

HERE, THERE = "HERE", "THERE"
LONG_AGO = date(2000, 1, 1)
TAXED_HERE = TaxTermsNoted(jurisdiction=HERE, exemption=None, effective_from=LONG_AGO)


def table(standard: int = 0, **codes: int) -> TaxTable:
    """Rates in hundredths of a per cent, by code. THERE each is half of what it is HERE, and it rises in 2027."""
    rates = {"standard": standard, **codes}
    here = {code: (TaxRate(valid_from=LONG_AGO, rate_bp=bp),) for code, bp in rates.items()}
    there = {
        code: (TaxRate(valid_from=LONG_AGO, rate_bp=bp // 2), TaxRate(valid_from=date(2027, 1, 1), rate_bp=bp))
        for code, bp in rates.items()
    }
    return TaxTable(jurisdictions={HERE: here, THERE: there})
