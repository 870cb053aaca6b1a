"""Money lines of devices: what is charged once, and the first month of what is rented. Pure (DOMAIN 4)."""

from collections.abc import Iterable
from datetime import date, timedelta

from contracts.devices import DeviceLine
from contracts.leases import LINE, month
from contracts.money import Currency, within_range
from contracts.plans import Money, MoneyLine
from contracts.proration import Period


def once(line: DeviceLine, on: date) -> MoneyLine:
    """What is bought is paid for on a day, whole."""
    amount_minor = line.quantity * line.unit_minor
    return _line(line.line_id, line.sku, line.name, line.quantity, amount_minor, line.tax_code, _day(on))


def fee(sku: str, name: str, fee_minor: int, tax_code: str, on: date) -> MoneyLine:
    """For a leased device that did not come back."""
    return _line(LINE, sku, name, 1, fee_minor, tax_code, _day(on))


def first_month(line: DeviceLine, units: int, started_on: date) -> MoneyLine:
    """The first month of some units of a rented line."""
    amount_minor = units * line.unit_minor
    return _line(line.line_id, line.sku, line.name, units, amount_minor, line.tax_code, month(started_on, 0))


def money(currency: Currency, lines: Iterable[MoneyLine]) -> Money:
    """One net amount that opens into its parts; parts of nothing are left out (DOMAIN M12). Raises AmountTooLarge."""
    charged = tuple(line for line in lines if line.amount_minor)
    net_minor = within_range(sum(line.amount_minor for line in charged))
    return Money(currency=currency, net_minor=net_minor, lines=charged)


def _day(on: date) -> Period:
    return Period(on, on + timedelta(days=1))


def _line(
    line_id: str, sku: str, name: str, quantity: int, amount_minor: int, tax_code: str, period: Period
) -> MoneyLine:
    return MoneyLine(
        line_id=line_id,
        sku=sku,
        name=name,
        part="charge",
        quantity=quantity,
        full_minor=within_range(amount_minor),
        days_served=0,
        days=period.days,
        period_start=period.start,
        period_end=period.end,
        amount_minor=amount_minor,
        tax_code=tax_code,
    )
