"""From what plans say has changed to invoices: numbered, netted against credit, one per renewal or change. Pure
(DOMAIN 3, M7, M10, B15, B16).
"""

import uuid
from collections.abc import Iterator
from datetime import date

from contracts.money import within_range
from contracts.plans import Money
from contracts.renewals import (
    AccountRestored,
    AccountSuspended,
    BillingTermsNoted,
    CreditApplied,
    CreditGranted,
    Invoice,
    InvoiceDrafted,
    InvoiceKind,
    InvoiceLine,
    RenewalAnswered,
    RenewalCompleted,
    RenewalDue,
    RenewalEvent,
    RenewalFailed,
    TaxTermsNoted,
)
from contracts.tax import TaxRates, taxes
from contracts.terms import Cycle

from .account import AccountRenewals, Due

_INVOICES = uuid.UUID("3b1f1f3e-7f4b-4c43-9a35-4d8f0d3f7c10")


def invoice_id(*parts: str) -> str:
    """The same for one renewal (account, cadence, due_on) or change (event id), and for no other (DOMAIN B15)."""
    return uuid.uuid5(_INVOICES, "\n".join(parts)).hex[:20]


def note_terms(account: AccountRenewals | None, terms: BillingTermsNoted) -> list[RenewalEvent]:
    return [] if account and account.terms == terms else [terms]


def note_tax(account: AccountRenewals | None, terms: TaxTermsNoted) -> list[RenewalEvent]:
    return [] if account and account.tax[-1:] == (terms,) else [terms]


def declare_due(account: AccountRenewals | None, due: Due) -> list[RenewalEvent]:
    """The renewal of a day that has begun. Empty when it was declared, or nothing renews that day any more."""
    shares = account.upcoming.get(due) if account else None
    return [RenewalDue(cadence=due[0], due_on=due[1], bundle_ids=tuple(sorted(shares)))] if shares else []


def answer(
    account: AccountRenewals | None, account_id: str, due: Due, bundle_id: str, money: Money | None, rates: TaxRates
) -> list[RenewalEvent]:
    """A bundle's part of a renewal; with the last answer comes the invoice. money: None when the bundle has
    ended. Empty when nobody waits for it."""
    running = account.running.get(due) if account else None
    if account is None or running is None or bundle_id not in running.waiting:
        return []
    cadence, due_on = due
    lines = _lines(bundle_id, money)
    answered = RenewalAnswered(cadence=cadence, due_on=due_on, bundle_id=bundle_id, lines=lines)
    if len(running.waiting) > 1:
        return [answered]
    every = (*running.lines, *lines)
    if not every:
        return [answered, RenewalCompleted(cadence=cadence, due_on=due_on, invoice_id=None)]
    name = invoice_id(account_id, cadence, due_on.isoformat())
    return [answered, *invoiced(account, name, name, every, InvoiceKind.RENEWAL, due_on, rates, cadence=cadence)]


def bill(
    account: AccountRenewals | None,
    bundle_id: str,
    money: Money,
    cause_id: str,
    on: date,
    refund: bool,
    rates: TaxRates,
) -> list[RenewalEvent]:
    """The invoice of a change in mid-term; none when it costs nothing and gives nothing back."""
    lines = _lines(bundle_id, money)
    if account is None or not any(line.amount_minor for line in lines):
        return []
    return list(invoiced(account, invoice_id(cause_id), cause_id, lines, InvoiceKind.CHANGE, on, rates, refund=refund))


def collected(account: AccountRenewals | None, of: str) -> list[RenewalEvent]:
    """What the account learns when nothing of an invoice is left to pay."""
    if account is None:
        return []
    events: list[RenewalEvent] = []
    if due := account.unpaid.get(of):
        events.append(RenewalCompleted(cadence=due[0], due_on=due[1], invoice_id=of))
    if of in account.suspended_for:
        events.append(AccountRestored(invoice_id=of))
    return events


def suspend(account: AccountRenewals | None, of: str) -> list[RenewalEvent]:
    return [] if account is None or of in account.suspended_for else [AccountSuspended(invoice_id=of)]


def fail(of: str, on: date, lines: tuple[InvoiceLine, ...]) -> list[RenewalEvent]:
    """The last reminder of an invoice was in vain: what it was for lapses."""
    bundle_ids = tuple(sorted({line.bundle_id for line in lines}))
    return [RenewalFailed(invoice_id=of, failed_on=on, bundle_ids=bundle_ids)]


def invoiced(
    account: AccountRenewals,
    name: str,
    cause_id: str,
    lines: tuple[InvoiceLine, ...],
    kind: InvoiceKind,
    on: date,
    rates: TaxRates,
    *,
    cadence: Cycle | None = None,
    refund: bool = False,
) -> Iterator[RenewalEvent]:
    """The invoice, then what it takes from the account's credit or adds to it (DOMAIN M7)."""
    if account.terms is None:
        raise ValueError("nobody has said in which currency the account is billed")
    net_minor = within_range(sum(line.amount_minor for line in lines))
    taxed = taxes(lines, account.tax, rates)
    total_minor = within_range(net_minor + sum(tax.tax_minor for tax in taxed))
    applied = list(_taken(account, total_minor))
    credit_minor = sum(minor for _, minor in applied)
    invoice = Invoice(
        invoice_id=name,
        number=account.invoices + 1,
        kind=kind,
        cause_id=cause_id,
        cadence=cadence,
        issued_on=on,
        currency=account.terms.currency,
        lines=lines,
        net_minor=net_minor,
        taxes=taxed,
        total_minor=total_minor,
        credit_minor=credit_minor,
        due_minor=max(0, total_minor - credit_minor),
        refund=refund and total_minor < 0,
    )
    yield InvoiceDrafted(invoice=invoice)
    for credit_id, minor in applied:
        yield CreditApplied(credit_id=credit_id, invoice_id=name, amount_minor=minor)
    if total_minor < 0 and not refund:
        yield CreditGranted(
            credit_id=name, currency=account.terms.currency, amount_minor=-total_minor, cause_id=cause_id
        )


def _taken(account: AccountRenewals, total_minor: int) -> Iterator[tuple[str, int]]:
    """From the oldest credits first, never more than there is."""
    left = total_minor
    for credit_id, minor in account.credits.items():
        if left <= 0:
            return
        yield credit_id, min(minor, left)
        left -= minor


def _lines(bundle_id: str, money: Money | None) -> tuple[InvoiceLine, ...]:
    lines = money.lines if money else ()
    return tuple(InvoiceLine(**line.model_dump(), bundle_id=bundle_id) for line in lines)
