"""What the real rules make of a history reconciles; whoever tampers with it is named, with the event."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from deploy.local.reconcile import report_of
from deploy.local.recount import Recount
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
    left = sum(slot.balance for key, slot in account.never_less.items() if key[0] == "left to pay of")
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
    return next(event for event in YEAR if event.type == f"renewals.{kind}")


@pytest.mark.parametrize("kind", ["InvoiceIssued", "CreditGranted", "CreditApplied", "RefundGranted", "InvoiceDrafted"])
def test_an_event_that_is_missing_or_there_twice_is_found(kind: str) -> None:
    event = _first(kind)
    missing = [each for each in YEAR if each is not event]
    assert troubles(missing)
    assert any(event.event_id in trouble for trouble in troubles([*YEAR, event]))


def test_a_payment_that_is_there_twice_is_found() -> None:
    event = _first("PaymentSucceeded")
    assert any(event.event_id in trouble for trouble in troubles([*YEAR, event]))


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
    assert any(trouble.startswith(said) for trouble in tampered(kind, lines=tamper(issued.data["invoice"]["lines"])))


def test_a_line_is_for_one_event_and_no_other() -> None:
    assert any(trouble.startswith("line for") for trouble in tampered("change", cause_id="another"))


def test_a_number_that_is_left_out_is_found() -> None:
    assert any("invoice number" in trouble for trouble in tampered("change", number=1000))


def test_more_credit_than_was_granted_is_found() -> None:
    event = _first("CreditApplied")
    assert any("left of credit" in trouble for trouble in troubles([*YEAR, event, event, event]))


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
