"""What the real rules make of a history reconciles; whoever tampers with it is named, with the event."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from deploy.local.reconcile import report_of
from deploy.local.recount import Recount
from deploy.local.recount_bills import Bill, Bills
from tests.renewals.history import History, renting_year


def recounted(events: list[Envelope]) -> Recount:
    recount = Recount()
    for event in events:
        recount.take(event)
    return recount


def troubles(events: list[Envelope]) -> list[str]:
    recount = recounted(events)
    return recount.accounts["acme"].troubles(recount.newest)


YEAR = renting_year()
LINE = "line for"
Tamper = Callable[[list[Any]], list[Any]]


def test_a_year_with_credits_refunds_reminders_and_leases_reconciles() -> None:
    assert troubles(YEAR) == []
    types = {event.type.partition(".")[2] for event in YEAR}
    assert types >= {"InvoiceIssued", "CreditGranted", "CreditApplied", "RefundGranted", "PaymentFailed", "InvoiceCut"}


def test_the_sums_are_those_of_both_sides() -> None:
    account = recounted(YEAR).accounts["acme"]
    totals, newest = account.totals, recounted(YEAR).newest
    left = account.bills.left_to_pay()
    assert account.charged(newest) == totals["invoiced"]
    owed = totals["invoiced"] + totals["tax"]
    assert owed == totals["paid"] + left + totals["cut"] - totals["refunded"] - totals["credit"]


@settings(deadline=None, max_examples=20)
@given(st.randoms())
def test_the_order_in_which_owners_are_heard_of_does_not_matter(random: Any) -> None:
    left = {owner: [e for e in YEAR if e.type.startswith(owner)] for owner in ("plans", "devices", "renewals")}
    mixed = []
    while owners := [owner for owner in left if left[owner]]:
        mixed.append(left[random.choice(owners)].pop(0))
    assert troubles(mixed) == []


def _first(kind: str) -> Envelope:
    return next(event for event in YEAR if event.type.endswith(f".{kind}"))


def _without_a_line(lines: list[Any]) -> list[Any]:
    return lines[1:]


def _with_a_line_twice(lines: list[Any]) -> list[Any]:
    return [*lines, lines[0]]


def _with_another_amount(lines: list[Any]) -> list[Any]:
    return [{**lines[0], "amount_minor": lines[0]["amount_minor"] + 1}, *lines[1:]]


def tampered(kind: str, **changed: Any) -> list[str]:
    """The troubles when somebody changes the first invoice of a kind, and its draft alike."""
    issued = next(e for e in YEAR if e.type.endswith("InvoiceIssued") and e.data["invoice"]["kind"] == kind)
    invoice = {**issued.data["invoice"], **changed}
    if "lines" in changed:
        more = sum(line["amount_minor"] for line in changed["lines"]) - invoice["net_minor"]
        invoice.update({name: invoice[name] + more for name in ("net_minor", "total_minor", "due_minor")})
    name = invoice["invoice_id"]
    return troubles(
        [
            replace(e, data={"invoice": invoice}) if e.data.get("invoice", {}).get("invoice_id") == name else e
            for e in YEAR
        ]
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [("renewal", "line for"), ("change", "line for"), ("rental", ("month of a lease", "rent not of whole"))],
)
@pytest.mark.parametrize("tamper", [_without_a_line, _with_a_line_twice, _with_another_amount])
def test_a_line_that_is_tampered_with_is_found(kind: str, said: str | tuple[str, ...], tamper: Tamper) -> None:
    """Even by somebody who changes the sums with it."""
    issued = next(e for e in YEAR if e.type.endswith("InvoiceIssued") and e.data["invoice"]["kind"] == kind)
    found = tampered(kind, lines=tamper(issued.data["invoice"]["lines"]))
    assert any(words in trouble for trouble in found for words in ([said] if isinstance(said, str) else said))


def test_a_line_is_for_one_event_and_no_other() -> None:
    assert any(trouble.startswith("line for") for trouble in tampered("change", cause_id="another"))


Changed = Callable[[dict[str, Any]], dict[str, Any]]


def changed(kind: str, change: Changed, at: int = 0) -> list[Envelope]:
    """The year with the body of one event of a kind, the first unless told, as `change` makes it."""
    event = [each for each in YEAR if each.type.endswith(f".{kind}")][at]
    return [replace(each, data=change(deepcopy(each.data))) if each is event else each for each in YEAR]


def without(kind: str) -> list[Envelope]:
    event = _first(kind)
    return [each for each in YEAR if each is not event]


def twice(kind: str) -> list[Envelope]:
    """The second time right after the first."""
    event = _first(kind)
    return [again for each in YEAR for again in ([each, replace(each, event_id="again")] if each is event else [each])]


def plus(name: str, more: int) -> Changed:
    return lambda body: {**body, name: body[name] + more}


def invoice(change: Changed) -> Changed:
    return lambda body: {"invoice": change(body["invoice"])}


def first_tax(**more: int) -> Changed:
    """A line of tax that says more, and the sums with it."""

    def change(doc: dict[str, Any]) -> dict[str, Any]:
        tax, *others = doc["taxes"]
        sums = {name: doc[name] + more.get("tax_minor", 0) for name in ("total_minor", "due_minor")}
        return {**doc, **sums, "taxes": [{**tax, **{name: tax[name] + by for name, by in more.items()}}, *others]}

    return invoice(change)


def of_lines(**more: Any) -> Changed:
    """The money lines of an event of plans with other members."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        lines = [{**line, **{name: to(line[name]) for name, to in more.items()}} for line in body["money"]["lines"]]
        return {**body, "money": {**body["money"], "lines": lines}}

    return change


def a_day_earlier(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


TAMPERED: dict[str, tuple[Callable[[], list[Envelope]], str]] = {
    # B15, M10
    "a number is left out": (
        lambda: changed("InvoiceDrafted", invoice(lambda doc: {**doc, "number": 1000}), 1),
        "follows number 1,",
    ),
    "a draft is missing": (lambda: without("InvoiceDrafted"), "is issued twice, or not as it was drafted"),
    "a draft is there twice": (lambda: twice("InvoiceDrafted"), "is drafted twice"),
    "an invoice is missing": (lambda: without("InvoiceIssued"), "was never issued"),
    "an invoice is there twice": (lambda: twice("InvoiceIssued"), "is issued twice"),
    "an invoice is not as drafted": (
        lambda: changed("InvoiceIssued", invoice(plus("due_minor", 1))),
        "or not as it was drafted",
    ),
    "a net is another": (lambda: changed("InvoiceDrafted", invoice(plus("net_minor", 1))), "its net is not the sum"),
    "a tax is another": (lambda: changed("InvoiceDrafted", first_tax(tax_minor=1)), "a tax is not its rate of its net"),
    "a rate is another": (lambda: changed("InvoiceDrafted", first_tax(rate_bp=100)), "a tax is not its rate"),
    "a base is another": (lambda: changed("InvoiceDrafted", first_tax(net_minor=1)), "not its net, code by code"),
    "a total is another": (lambda: changed("InvoiceDrafted", invoice(plus("total_minor", 1))), "its total is not"),
    "due is another": (lambda: changed("InvoiceDrafted", invoice(plus("due_minor", 1))), "what is due is not"),
    "a place is another": (
        lambda: changed("TaxJurisdictionSet", lambda body: {**body, "jurisdiction": "ELSEWHERE"}),
        "an invoice is taxed in HERE where the account was in ELSEWHERE",
    ),
    # M7
    "credit is missing": (lambda: without("CreditGranted"), "was never granted"),
    "credit is there twice": (lambda: twice("CreditGranted"), "or that was granted already"),
    "credit is more": (lambda: changed("CreditGranted", plus("amount_minor", 1)), "that no invoice grants"),
    "credit is not used": (lambda: without("CreditApplied"), "was to be used and is not"),
    "credit is used twice": (lambda: twice("CreditApplied"), "was not to be used for invoice"),
    "credit is used up and more": (lambda: changed("CreditApplied", plus("amount_minor", 10**6)), "is overdrawn by"),
    "more credit is said": (
        lambda: changed("InvoiceDrafted", invoice(plus("credit_minor", 1))),
        "of a credit of",
    ),
    # M8, B8
    "a refund nobody offered": (
        lambda: changed("PlanCancelled", lambda body: {**body, "refund_requested": False}),
        "refund offered by",
    ),
    "a refund is missing": (lambda: without("RefundGranted"), "was never refunded"),
    "a refund is there twice": (lambda: twice("RefundGranted"), "where 0 was due"),
    "a refund is more": (lambda: changed("RefundGranted", plus("amount_minor", 1)), "is refunded for invoice"),
    "more is credited than charged": (
        lambda: changed("PlanCancelled", of_lines(amount_minor=lambda minor: minor - 10**6)),
        "more is credited than was charged",
    ),
    # payments and reminders
    "a payment is missing": (lambda: without("PaymentSucceeded"), "left to pay"),
    "a payment is there twice": (lambda: twice("PaymentSucceeded"), "where 0 was left to pay"),
    "a payment is less": (lambda: changed("PaymentSucceeded", plus("amount_minor", -1)), "was paid of invoice"),
    "a cut is deeper": (
        lambda: changed("InvoiceCut", lambda body: plus("cut_minor", 1)(plus("remains_minor", -1)(body))),
        "the days served until",
    ),
    "a cut says another day": (
        lambda: changed("InvoiceCut", lambda body: {**body, "served_until": a_day_earlier(body["served_until"])}),
        "the days served until",
    ),
    "a cut is there twice": (lambda: twice("InvoiceCut"), "or is cut already"),
    "an end is there twice": (lambda: twice("InvoiceCollected"), "is collected though it is not open"),
    # nobody pays twice for a day
    "a term begins a day early": (
        lambda: changed("PlanTermAdvanced", of_lines(period_start=a_day_earlier)),
        "is billed twice for",
    ),
    "a line is charged for more than it costs": (
        lambda: changed("PlanStarted", of_lines(full_minor=lambda minor: minor + 1)),
        "1 more than it costs",
    ),
    "a net of plans is another": (
        lambda: changed("PlanEdited", lambda body: {**body, "money": plus("net_minor", 1)(body["money"])}),
        "the net of what is to be paid",
    ),
    "a lease is missing": (lambda: without("DeviceLeaseStarted"), "first month of leases"),
}


@pytest.mark.parametrize(("tamper", "said"), TAMPERED.values(), ids=TAMPERED)
def test_whatever_was_tampered_with_is_named(tamper: Callable[[], list[Envelope]], said: str) -> None:
    found = troubles(tamper())
    assert [trouble for trouble in found if said in trouble], found


def test_a_log_that_ends_before_an_invoice_is_issued_is_named() -> None:
    drafted = YEAR.index(_first("InvoiceDrafted"))
    assert any("was never issued" in trouble for trouble in troubles(YEAR[: drafted + 1]))


def test_the_oldest_credit_is_used_first_and_no_other() -> None:
    bills = Bills(credits={"older": 300, "newer": 200})
    doc = {"invoice_id": "i1", "number": 1, "lines": [], "taxes": [], "net_minor": 0, "refund": False}
    bills.open["i1"] = Bill(doc, "drafted", 0, 0, 0, bills._oldest_first(400))
    assert bills.open["i1"].apply == [("older", 300), ("newer", 100)]
    assert list(bills.apply("i1", "newer", 100, "event"))
    assert not list(bills.apply("i1", "older", 300, "event"))


def test_what_was_never_invoiced_is_named_by_the_event_that_said_so() -> None:
    event = next(each for each in YEAR if each.type == "plans.PlanEdited")
    assert any(event.event_id in trouble for trouble in troubles([*YEAR[:1], event]))


def test_a_month_of_a_lease_that_nobody_charged_is_found() -> None:
    history = History()
    history.lease("o1-1", date(2026, 6, 6))
    history.live_until(date(2026, 9, 1))
    assert troubles(history.events) == []
    for day, found in ((date(2026, 9, 6), False), (date(2026, 9, 8), False), (date(2026, 9, 9), True)):
        last = history.events[0]  # said again: time goes by, and nobody charges the month that begins on September 6
        later = replace(last, metadata={**last.metadata, "recorded_at": f"{day}T12:00:00Z"})
        assert bool(troubles([*history.events, later])) == found


def test_the_report_names_the_first_account_with_what_has_lasted() -> None:
    granted = _first("CreditGranted")
    recount = recounted([*YEAR, granted])
    lasting = set(recount.accounts["acme"].troubles(recount.newest))
    first = report_of(recount, {}, lasting)["first"]
    assert first["account"] == "acme"
    assert granted.event_id in first["trouble"]
    assert report_of(recount, {}, set())["first"] is None  # it may be on its way
