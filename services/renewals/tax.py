"""Tax after netting, half up, per code (DOMAIN M10). The rates come from a port; the embedded one knows fixed rates."""

from collections.abc import Mapping

from contracts.renewals import TaxLine

TaxRates = Mapping[str, int]  # by tax code, in hundredths of a per cent

STANDARD = "standard"  # the code of everything that is sold so far


def taxes(net_minor: int, rates: TaxRates) -> tuple[TaxLine, ...]:
    """No line for a code without tax."""
    rate_bp = rates.get(STANDARD, 0)
    if not rate_bp:
        return ()
    size = (abs(net_minor) * rate_bp * 2 + 10_000) // 20_000
    return (TaxLine(code=STANDARD, rate_bp=rate_bp, net_minor=net_minor, tax_minor=-size if net_minor < 0 else size),)
