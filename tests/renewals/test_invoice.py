"""An invoice after it is issued: paid, refunded, or reminded of on days 0, 2, 7, 14 and 21 (DOMAIN B16)."""

from datetime import date, timedelta

import pytest

from contracts.money import Currency
from contracts.problems import Refused
from contracts.renewals import (
    Invoice,
    InvoiceCollected,
    InvoiceCut,
    InvoiceEvent,
    InvoiceIssued,
    InvoiceKind,
    InvoiceLine,
    PaymentFailed,
    PaymentSucceeded,
    RefundGranted,
)
from contracts.tax import TaxLine
from services.renewals import invoice as invoices
from services.renewals.invoice import InvoiceState, evolve

JULY_1, AUGUST_1 = date(2026, 7, 1), date(2026, 8, 1)


def issued(amount: int = 3100, credit: int = 0, refund: bool = False, taxes: tuple[TaxLine, ...] = ()) -> Invoice:
    line = InvoiceLine(
        bundle_id="a",
        line_id="line-1",
        sku="s",
        name="S",
        part="charge",
        quantity=1,
        full_minor=amount,
        days_served=0,
        days=31,
        period_start=JULY_1,
        period_end=AUGUST_1,
        amount_minor=amount,
    )
    total = amount + sum(tax.tax_minor for tax in taxes)
    return Invoice(
        invoice_id="i1",
        number=1,
        kind=InvoiceKind.CHANGE,
        cause_id="event-1",
        cadence=None,
        issued_on=JULY_1,
        currency=Currency.USD,
        lines=(line,),
        net_minor=amount,
        taxes=taxes,
        total_minor=total,
        credit_minor=credit,
        due_minor=max(0, total - credit),
        refund=refund,
    )


def after(*events: InvoiceEvent) -> InvoiceState:
    state = None
    for event in events:
        state = evolve(state, event, JULY_1)
    assert state is not None
    return state


def declined_until_given_up() -> tuple[InvoiceState, list[InvoiceEvent]]:
    state = after(InvoiceIssued(invoice=issued()))
    recorded: list[InvoiceEvent] = []
    while state.next_try_on:
        events = invoices.declined(state, state.attempts + 1, "no", state.next_try_on)
        recorded += events
        for event in events:
            state = evolve(state, event, JULY_1)
    return state, recorded


def test_an_invoice_is_issued_once_and_paid_once() -> None:
    (first,) = invoices.issue(None, issued())
    assert isinstance(first, InvoiceIssued)
    state = after(first)
    assert invoices.issue(state, issued()) == []
    paid = invoices.paid(state, 1, "ref")
    assert [type(event) for event in paid] == [PaymentSucceeded, InvoiceCollected]
    collected = after(first, *paid)
    assert invoices.paid(collected, 2, "ref") == []
    assert invoices.declined(collected, 2, "no", JULY_1) == []


@pytest.mark.parametrize(("amount", "credit"), [(3100, 3100), (0, 0), (-3100, 0)])
def test_an_invoice_with_nothing_to_pay_is_collected_at_once(amount: int, credit: int) -> None:
    events = invoices.issue(None, issued(amount, credit))
    assert [type(event) for event in events] == [InvoiceIssued, InvoiceCollected]


def test_a_refund_is_paid_back_before_its_invoice_is_closed() -> None:
    (first,) = invoices.issue(None, issued(-3100, refund=True))
    granted, collected = invoices.refunded(after(first), "ref")
    assert isinstance(granted, RefundGranted)
    assert granted.amount_minor == 3100
    assert invoices.refunded(after(first, granted, collected), "ref") == []


def test_reminders_come_on_their_days_and_then_no_more() -> None:
    state, recorded = declined_until_given_up()
    tries = [event.next_try_on for event in recorded if isinstance(event, PaymentFailed)]
    days = [None if on is None else (on - JULY_1).days for on in tries]
    assert days == [2, 7, 14, 21, None]
    assert state.attempts == 5


def test_in_the_end_only_what_was_served_is_owed() -> None:
    """Served from July 1 until July 22: 21 of 31 days of 3100."""
    state, recorded = declined_until_given_up()
    cut = recorded[-1]
    assert isinstance(cut, InvoiceCut)
    assert (cut.served_until, cut.cut_minor, cut.remains_minor) == (JULY_1 + timedelta(21), 1000, 2100)
    assert state.remains_minor == 2100


def test_what_is_owed_after_the_cut_has_its_tax_and_is_less_the_credit() -> None:
    tax = TaxLine(code="standard", rate_bp=1000, net_minor=3100, tax_minor=310)
    state = after(InvoiceIssued(invoice=issued(credit=100, taxes=(tax,))))
    *_, cut = invoices.declined(state, 5, "no", JULY_1 + timedelta(21))
    assert isinstance(cut, InvoiceCut)
    assert cut.remains_minor == 2100 + 210 - 100


def test_what_is_still_owed_may_be_paid_and_a_failure_then_cuts_nothing_again() -> None:
    state, _ = declined_until_given_up()
    failed = invoices.declined(state, 6, "no", AUGUST_1)
    assert [type(event) for event in failed] == [PaymentFailed]
    succeeded, _ = invoices.paid(state, 6, "ref")
    assert isinstance(succeeded, PaymentSucceeded)
    assert succeeded.amount_minor == 2100


def test_a_try_in_between_puts_no_reminder_off() -> None:
    state = after(InvoiceIssued(invoice=issued()))
    (failed,) = invoices.declined(state, 1, "no", JULY_1)
    (by_hand,) = invoices.declined(after(InvoiceIssued(invoice=issued()), failed), 2, "no", JULY_1 + timedelta(1))
    assert isinstance(by_hand, PaymentFailed)
    assert by_hand.next_try_on == JULY_1 + timedelta(2)


def test_only_an_open_invoice_can_be_paid() -> None:
    with pytest.raises(Refused, match="invoice_not_found"):
        invoices.payable(None)
    (first, collected) = invoices.issue(None, issued(0))
    with pytest.raises(Refused, match="invoice_collected"):
        invoices.payable(after(first, collected))
    assert invoices.payable(after(InvoiceIssued(invoice=issued()))) == 1


def test_an_upgrade_that_was_never_paid_owes_the_difference_of_the_days_served() -> None:
    """DOMAIN M6, B16: from 50 to 100 cents a day; what was had before is credited for the days served only, too."""
    year = {"days": 365, "period_end": date(2027, 7, 1)}
    (charge,) = issued(36500).lines
    before = {"part": "credit", "full_minor": 18250, "amount_minor": -18250}
    lines = (charge.model_copy(update={**year, **before}), charge.model_copy(update=year))
    upgrade = issued(18250).model_copy(update={"lines": lines})
    *_, cut = invoices.declined(after(InvoiceIssued(invoice=upgrade)), 5, "no", JULY_1 + timedelta(21))
    assert isinstance(cut, InvoiceCut)
    assert cut.remains_minor == 21 * (100 - 50)


def test_what_is_owed_after_the_cut_is_taxed_code_by_code() -> None:
    """Served 21 of 31 days: 2100 of software at 10 %, 630 of 930 of a phone at 20 %; half up per code."""
    software = TaxLine(code="standard", rate_bp=1000, net_minor=3100, tax_minor=310)
    phones = TaxLine(code="telephony", rate_bp=2000, net_minor=930, tax_minor=186)
    one = issued(taxes=(software, phones))
    phone = one.lines[0].model_copy(update={"tax_code": "telephony", "full_minor": 930, "amount_minor": 930})
    total = 3100 + 310 + 930 + 186
    two = one.model_copy(
        update={"lines": (*one.lines, phone), "net_minor": 4030, "total_minor": total, "due_minor": total}
    )
    *_, cut = invoices.declined(after(InvoiceIssued(invoice=two)), 5, "no", JULY_1 + timedelta(21))
    assert isinstance(cut, InvoiceCut)
    assert (cut.remains_minor, cut.cut_minor) == (2100 + 210 + 630 + 126, total - 3066)


def test_a_product_of_another_code_that_was_never_paid_owes_the_difference_of_both_with_their_taxes() -> None:
    """From 50 cents a day at 10 % to 100 cents a day at 20 %, for 21 days."""
    year = {"days": 365, "period_end": date(2027, 7, 1)}
    (charge,) = issued(36500).lines
    before = {"part": "credit", "full_minor": 18250, "amount_minor": -18250}
    after_it = charge.model_copy(update={**year, "tax_code": "telephony"})
    taxes = (
        TaxLine(code="standard", rate_bp=1000, net_minor=-18250, tax_minor=-1825),
        TaxLine(code="telephony", rate_bp=2000, net_minor=36500, tax_minor=7300),
    )
    upgrade = issued(18250, taxes=taxes).model_copy(
        update={"lines": (charge.model_copy(update={**year, **before}), after_it)}
    )
    *_, cut = invoices.declined(after(InvoiceIssued(invoice=upgrade)), 5, "no", JULY_1 + timedelta(21))
    assert isinstance(cut, InvoiceCut)
    assert cut.remains_minor == 21 * (100 - 50) + 420 - 105
