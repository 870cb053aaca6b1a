"""From answers and changes to invoices: numbered without gaps, netted against credit (DOMAIN M7, M10, B15)."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import Currency
from contracts.plans import Money, MoneyLine, NextRenewal, RenewalLine
from contracts.renewals import (
    AccountRestored,
    AccountSuspended,
    BillingTermsNoted,
    CreditApplied,
    CreditGranted,
    Invoice,
    InvoiceDrafted,
    RenewalAnswered,
    RenewalCompleted,
    RenewalDue,
    RenewalEvent,
)
from contracts.tax import TaxTable
from contracts.terms import Cycle
from services.renewals import billing, forecast
from services.renewals.account import AccountRenewals, evolve
from services.renewals.commands import ForecastRenewal
from tests.tax import TAXED_HERE, table

JULY_1, AUGUST_1 = date(2026, 7, 1), date(2026, 8, 1)
DUE = (Cycle.MONTHLY, JULY_1)
TERMS = BillingTermsNoted(currency=Currency.USD, time_zone="UTC", payment_token=None)


def money(*amounts: int) -> Money:
    lines = tuple(
        MoneyLine(
            line_id="line-1",
            sku="workplace_pro",
            name="Pro",
            part="charge" if amount >= 0 else "credit",
            quantity=1,
            full_minor=abs(amount),
            days_served=0,
            days=31,
            period_start=JULY_1,
            period_end=AUGUST_1,
            amount_minor=amount,
        )
        for amount in amounts
    )
    return Money(currency=Currency.USD, net_minor=sum(amounts), lines=lines)


class Account:
    """An account that renews these bundles on July 1, and what is recorded of it."""

    def __init__(self, *bundles: str, rates: TaxTable | None = None) -> None:
        self.state: AccountRenewals | None = None
        self.rates = rates or TaxTable()
        self.record(billing.note_terms(None, TERMS))
        if rates:
            self.record(billing.note_tax(self.state, TAXED_HERE))
        for bundle in bundles:
            line = RenewalLine(line_id="line-1", sku="s", name="S", quantity=1, unit_minor=100, amount_minor=100)
            renewal = NextRenewal(
                cadence=Cycle.MONTHLY, due_on=JULY_1, currency=Currency.USD, amount_minor=100, lines=(line,)
            )
            self.record(forecast.decide(ForecastRenewal(bundle, 0, renewal), self.state))

    def record(self, events: list[RenewalEvent]) -> list[RenewalEvent]:
        for event in events:
            self.state = evolve(self.state, event, JULY_1)
        return events

    def declare(self) -> list[RenewalEvent]:
        return self.record(billing.declare_due(self.state, DUE))

    def answer(self, bundle: str, answered: Money | None) -> list[RenewalEvent]:
        return self.record(billing.answer(self.state, "acme", DUE, bundle, answered, self.rates))

    def bill(self, amount: int, cause: str = "event-1", refund: bool = False) -> list[RenewalEvent]:
        return self.record_of(money(amount), cause, refund)

    def record_of(self, changed: Money, cause: str = "event-1", refund: bool = False) -> list[RenewalEvent]:
        return self.record(billing.bill(self.state, "a", changed, cause, JULY_1, refund, self.rates))


def kinds(events: list[RenewalEvent]) -> list[type]:
    return [type(event) for event in events]


def invoice_in(events: list[RenewalEvent]) -> Invoice:
    (found,) = [event.invoice for event in events if isinstance(event, InvoiceDrafted)]
    return found


def test_a_renewal_is_declared_once_for_every_bundle_it_renews() -> None:
    account = Account("b", "a")
    (due,) = account.declare()
    assert isinstance(due, RenewalDue)
    assert due.bundle_ids == ("a", "b")
    assert account.declare() == []
    assert Account().declare() == []


def test_the_invoice_waits_for_every_bundle_and_holds_all_of_them() -> None:
    account = Account("a", "b")
    account.declare()
    assert kinds(account.answer("a", money(1699))) == [RenewalAnswered]
    events = account.answer("b", money(5000))
    assert kinds(events) == [RenewalAnswered, InvoiceDrafted]
    invoice = invoice_in(events)
    assert (invoice.total_minor, invoice.due_minor, invoice.cadence) == (6699, 6699, Cycle.MONTHLY)
    assert [line.bundle_id for line in invoice.lines] == ["a", "b"]


def test_an_answer_counts_once() -> None:
    account = Account("a", "b")
    account.declare()
    account.answer("a", money(1699))
    assert account.answer("a", money(1699)) == []
    account.answer("b", money(1))
    assert account.answer("b", money(1)) == []
    assert account.answer("stranger", money(1)) == []


def test_a_bundle_that_ended_has_no_part_in_it() -> None:
    account = Account("a", "b")
    account.declare()
    account.answer("a", None)
    assert [line.bundle_id for line in invoice_in(account.answer("b", money(5000))).lines] == ["b"]
    alone = Account("a")
    alone.declare()
    assert kinds(alone.answer("a", None)) == [RenewalAnswered, RenewalCompleted]


def test_an_invoice_is_known_by_what_it_is_for() -> None:
    """DOMAIN B15: the id of a renewal's invoice derives from account, cadence and day."""
    ids = [
        billing.invoice_id("acme", "monthly", "2026-07-01"),
        billing.invoice_id("acme", "annual", "2026-07-01"),
        billing.invoice_id("acme", "monthly", "2026-08-01"),
        billing.invoice_id("globex", "monthly", "2026-07-01"),
        billing.invoice_id("event-1"),
    ]
    assert len(set(ids)) == len(ids)
    account = Account("a")
    account.declare()
    assert invoice_in(account.answer("a", money(1))).invoice_id == ids[0]


@given(st.lists(st.integers(-5000, 5000), max_size=20))
def test_numbers_count_without_gaps_and_credit_is_never_overdrawn(amounts: list[int]) -> None:
    account = Account()
    numbers, credit = [], 0
    for place, amount in enumerate(amounts):
        events = account.bill(amount, f"event-{place}")
        if not amount:
            assert events == []
            continue
        invoice = invoice_in(events)
        numbers.append(invoice.number)
        assert invoice.credit_minor == max(0, min(amount, credit))
        assert invoice.due_minor == max(0, amount) - invoice.credit_minor
        credit += -amount if amount < 0 else -invoice.credit_minor
        assert account.state is not None
        assert account.state.credit_minor == credit
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_surplus_becomes_credit_and_the_oldest_is_used_first() -> None:
    """DOMAIN M7: 49551 to the credit balance, and never below 0."""
    account = Account()
    account.bill(-300, "event-1")
    account.bill(-200, "event-2")
    events = account.bill(400, "event-3")
    assert [(each.credit_id, each.amount_minor) for each in events if isinstance(each, CreditApplied)] == [
        (billing.invoice_id("event-1"), 300),
        (billing.invoice_id("event-2"), 100),
    ]
    assert invoice_in(events).due_minor == 0
    assert invoice_in(account.bill(400, "event-4")).due_minor == 300


def test_a_refund_is_paid_back_and_not_kept_as_credit() -> None:
    account = Account()
    events = account.bill(-300, refund=True)
    assert invoice_in(events).refund
    assert not [event for event in events if isinstance(event, CreditGranted)]
    assert not invoice_in(account.bill(300, refund=True)).refund


@pytest.mark.parametrize(("net", "tax"), [(10_000, 825), (10_006, 825), (10_007, 826), (-10_000, -825), (6, 0), (7, 1)])
def test_tax_is_half_up_on_the_net_of_the_invoice_and_frozen_on_it(net: int, tax: int) -> None:
    invoice = invoice_in(Account(rates=table(825)).bill(net))
    (line,) = invoice.taxes
    assert (line.net_minor, line.tax_minor, line.rate_bp) == (net, tax, 825)
    assert invoice.total_minor == net + tax


def coded(**amounts: int) -> Money:
    """A line per tax code."""
    lines = tuple(
        line.model_copy(update={"tax_code": code})
        for code, line in zip(amounts, money(*amounts.values()).lines, strict=True)
    )
    return Money(currency=Currency.USD, net_minor=sum(amounts.values()), lines=lines)


def test_an_invoice_shows_one_tax_line_per_code_with_its_base_rate_and_amount() -> None:
    """Two bundles renew on one day: 100.00 and 20.06 of software at 8.25 %, phones for 15.01 at 13.63 %."""
    account = Account("a", "b", rates=table(825, telephony=1363))
    account.declare()
    account.answer("a", money(10_000))
    invoice = invoice_in(account.answer("b", coded(standard=2_006, telephony=1_501)))
    shown = [(tax.code, tax.net_minor, tax.rate_bp, tax.tax_minor) for tax in invoice.taxes]
    assert shown == [("standard", 12_006, 825, 990), ("telephony", 1_501, 1363, 205)]  # 990.495 and 204.5863
    assert (invoice.net_minor, invoice.total_minor) == (13_507, 13_507 + 990 + 205)


def test_a_credit_in_one_code_and_a_charge_in_another_are_each_taxed_as_what_they_are() -> None:
    invoice = invoice_in(Account(rates=table(825, telephony=1363)).record_of(coded(standard=-10_000, telephony=12_000)))
    assert [tax.tax_minor for tax in invoice.taxes] == [-825, 1_636]
    assert invoice.total_minor == 2_000 - 825 + 1_636


def test_a_surplus_becomes_credit_with_its_tax_and_a_refund_is_paid_back_with_it() -> None:
    account = Account(rates=table(825))
    (granted,) = [event for event in account.bill(-10_000, "event-1") if isinstance(event, CreditGranted)]
    assert granted.amount_minor == 10_825
    assert invoice_in(account.bill(-10_000, "event-2", refund=True)).total_minor == -10_825


def test_who_is_not_taxed_has_no_tax_lines_and_who_is_exempt_has_one_that_says_why() -> None:
    assert invoice_in(Account().bill(10_000)).taxes == ()
    account = Account(rates=table(825))
    account.record(billing.note_tax(account.state, TAXED_HERE.model_copy(update={"exemption": "certificate-7"})))
    (tax,) = invoice_in(account.bill(10_000)).taxes
    assert (tax.net_minor, tax.rate_bp, tax.tax_minor, tax.exemption) == (10_000, 0, 0, "certificate-7")


def test_terms_of_tax_are_noted_once() -> None:
    account = Account(rates=table(825))
    assert billing.note_tax(account.state, TAXED_HERE) == []


def test_a_collected_renewal_is_completed() -> None:
    account = Account("a")
    account.declare()
    of = invoice_in(account.answer("a", money(1699))).invoice_id
    (completed,) = account.record(billing.collected(account.state, of))
    assert isinstance(completed, RenewalCompleted)
    assert (completed.due_on, completed.invoice_id) == (JULY_1, of)
    assert billing.collected(account.state, of) == []


def test_an_account_is_suspended_and_restored_per_invoice() -> None:
    account = Account()
    assert kinds(account.record(billing.suspend(account.state, "i1"))) == [AccountSuspended]
    assert billing.suspend(account.state, "i1") == []
    assert kinds(account.record(billing.collected(account.state, "i1"))) == [AccountRestored]
    assert billing.collected(account.state, "i1") == []


def test_what_was_never_paid_lapses_with_every_bundle_on_the_invoice() -> None:
    account = Account("a", "b")
    account.declare()
    account.answer("a", money(1699))
    invoice: Any = invoice_in(account.answer("b", money(5000)))
    (failed,) = billing.fail(invoice.invoice_id, AUGUST_1, invoice.lines)
    assert failed.bundle_ids == ("a", "b")  # type: ignore[union-attr]
