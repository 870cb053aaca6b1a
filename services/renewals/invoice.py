"""One invoice: issued for good, then paid, refunded, or reminded of until it is given up. Pure (DOMAIN 3, B16)."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import assert_never

from contracts.problems import Refused
from contracts.proration import earned
from contracts.renewals import (
    Invoice,
    InvoiceCollected,
    InvoiceCut,
    InvoiceEvent,
    InvoiceIssued,
    PaymentFailed,
    PaymentSucceeded,
    RefundGranted,
)
from contracts.tax import tax_minor

TRY_ON_DAYS = (0, 2, 7, 14, 21)  # after the invoice was issued (DOMAIN B16)
SUSPEND_AFTER = 4  # tries in vain; the last one is still to come


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """remains_minor: what is left to pay. attempts: how often payment was tried. next_try_on: None when no
    try is due. given_up_on: when the last reminder was in vain."""

    issued: Invoice
    remains_minor: int
    attempts: int = 0
    next_try_on: date | None = None
    given_up_on: date | None = None
    collected: bool = False


def issue(state: InvoiceState | None, invoice: Invoice) -> list[InvoiceEvent]:
    if state is not None:
        return []
    events: list[InvoiceEvent] = [InvoiceIssued(invoice=invoice)]
    if invoice.due_minor == 0 and not invoice.refund:
        events.append(InvoiceCollected(invoice_id=invoice.invoice_id, by="credit"))
    return events


def paid(state: InvoiceState | None, attempt: int, reference: str) -> list[InvoiceEvent]:
    """Empty when it was collected meanwhile, or this very attempt is recorded."""
    if state is None or state.collected or state.attempts >= attempt:
        return []
    name = state.issued.invoice_id
    return [
        PaymentSucceeded(invoice_id=name, attempt=attempt, amount_minor=state.remains_minor, reference=reference),
        InvoiceCollected(invoice_id=name, by="payment"),
    ]


def declined(state: InvoiceState | None, attempt: int, reason: str, on: date) -> list[InvoiceEvent]:
    """The next reminder, or after the last one the invoice cut to the days that were served (DOMAIN B16). Empty as in
    `paid`."""
    if state is None or state.collected or state.attempts >= attempt:
        return []
    name = state.issued.invoice_id
    try_on = _next_try(state, on)
    failed = PaymentFailed(
        invoice_id=name, attempt=attempt, amount_minor=state.remains_minor, reason=reason, next_try_on=try_on
    )
    if try_on or state.given_up_on:
        return [failed]
    owed = max(0, min(state.remains_minor, _served_minor(state.issued, on) - state.issued.credit_minor))
    cut = InvoiceCut(invoice_id=name, served_until=on, cut_minor=state.remains_minor - owed, remains_minor=owed)
    return [failed, cut]


def refunded(state: InvoiceState | None, reference: str) -> list[InvoiceEvent]:
    if state is None or state.collected:
        return []
    name = state.issued.invoice_id
    return [
        RefundGranted(invoice_id=name, amount_minor=-state.issued.total_minor, reference=reference),
        InvoiceCollected(invoice_id=name, by="refund"),
    ]


def payable(state: InvoiceState | None) -> int:
    """The number of the next attempt. Raises Refused invoice_not_found or invoice_collected."""
    if state is None:
        raise Refused("invoice_not_found")
    if state.collected or state.remains_minor == 0:
        raise Refused("invoice_collected")
    return state.attempts + 1


def evolve(state: InvoiceState | None, event: InvoiceEvent, _effective_on: date) -> InvoiceState:
    if isinstance(event, InvoiceIssued):
        invoice = event.invoice
        first = invoice.issued_on if invoice.due_minor else None
        return InvoiceState(invoice, invoice.due_minor, next_try_on=first)
    if state is None:
        raise ValueError(f"{type(event).__name__} of an invoice that was never issued")
    match event:
        case PaymentSucceeded():
            return replace(state, attempts=event.attempt, remains_minor=0, next_try_on=None)
        case PaymentFailed():
            return replace(state, attempts=event.attempt, next_try_on=event.next_try_on)
        case InvoiceCollected():
            return replace(state, collected=True, next_try_on=None)
        case InvoiceCut():
            return replace(state, remains_minor=event.remains_minor, given_up_on=event.served_until)
        case RefundGranted():
            return state
        case _:
            assert_never(event)


def _next_try(state: InvoiceState, on: date) -> date | None:
    """The next day of the reminders after `on`; tries somebody made in between put none of them off."""
    if state.given_up_on:
        return None
    days = (state.issued.issued_on + timedelta(days=day) for day in TRY_ON_DAYS)
    return next((day for day in days if day > on), None)


def _served_minor(invoice: Invoice, until: date) -> int:
    """What the invoice's lines have earned until a day, with tax at the invoice's rates, code by code."""
    served: Counter[str] = Counter()
    nets: Counter[str] = Counter()
    for line in invoice.lines:
        charged_from = line.days_served  # the line charges what comes after these days of its period
        gone = max(charged_from, min(line.days, (until - line.period_start).days))
        part = earned(line.full_minor, gone, line.days) - earned(line.full_minor, charged_from, line.days)
        # A credit may have been less than the rest (DOMAIN M8): no more of it is taken off than was given.
        served[line.tax_code] += part if line.part == "charge" else -min(part, -line.amount_minor)
        nets[line.tax_code] += line.amount_minor
    rates = {tax.code: tax.rate_bp for tax in invoice.taxes}
    due = {code: _between(0, minor, nets[code]) for code, minor in served.items()}
    return sum(minor + tax_minor(minor, rates.get(code, 0)) for code, minor in due.items())


def _between(one: int, minor: int, other: int) -> int:
    """`minor`, but no further than `one` or `other`."""
    return max(min(one, other), min(minor, max(one, other)))
