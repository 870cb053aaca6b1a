"""The months of leases: every one after the first is invoiced on the day it begins, those of one day together. Pure
(DOMAIN B14).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

from contracts.devices import DeviceLeaseStarted, DeviceReturned
from contracts.leases import month
from contracts.money import within_range
from contracts.renewals import InvoiceKind, InvoiceLine, RenewalEvent, RentalEnded, RentalNoted, RentalsCharged
from contracts.tax import TaxRates

from .account import AccountRenewals, Rental
from .billing import invoice_id, invoiced


def note(account: AccountRenewals | None, lease: DeviceLeaseStarted) -> list[RenewalEvent]:
    if account and lease.lease_id in account.rentals:
        return []
    kept = {name: getattr(lease, name) for name in RentalNoted.model_fields}
    return [RentalNoted(**kept)]


def end(account: AccountRenewals | None, returned: DeviceReturned) -> list[RenewalEvent]:
    """Empty when no month is left to charge anyway."""
    rental = account.rentals.get(returned.lease_id) if account else None
    if rental is None or rental.ended_on < date.max:
        return []
    return [RentalEnded(lease_id=returned.lease_id, ended_on=returned.ended_on)]


def charge(account: AccountRenewals | None, account_id: str, on: date, rates: TaxRates) -> list[RenewalEvent]:
    """The months that begin on a day, on one invoice. Empty when they are charged."""
    if account is None:
        return []
    begins = {name: rental for name, rental in sorted(account.rentals.items()) if rental.next_on == on}
    if not begins:
        return []
    charged = RentalsCharged(charged_on=on, lease_ids=tuple(begins))
    lines = tuple(_lines(begins.values()))
    if not lines:
        return [charged]
    # The leases are in the id: one that is heard of late does not take the place of those charged that day.
    name = invoice_id(account_id, "rentals", on.isoformat(), *begins)
    return [charged, *invoiced(account, name, name, lines, InvoiceKind.RENTAL, on, rates)]


def _lines(rentals: Iterable[Rental]) -> Iterator[InvoiceLine]:
    """One for the units of a line of an order that began together, as their first month was."""
    together: dict[tuple[RentalNoted, int], int] = defaultdict(int)
    for rental in rentals:
        together[rental.noted.model_copy(update={"lease_id": ""}), rental.months] += 1
    for (noted, number), units in together.items():
        period = month(noted.started_on, number)
        amount_minor = within_range(units * noted.monthly_minor)
        if amount_minor:
            yield InvoiceLine(
                bundle_id=noted.order_id,
                line_id=noted.line_id,
                sku=noted.sku,
                name=noted.name,
                part="charge",
                quantity=units,
                full_minor=amount_minor,
                days_served=0,
                days=period.days,
                period_start=period.start,
                period_end=period.end,
                amount_minor=amount_minor,
                tax_code=noted.tax_code,
            )
