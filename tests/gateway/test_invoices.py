"""Invoices as an account reads them: searched, filtered, one with everything on it, and only its own."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts.plans import MoneyLine
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
)
from contracts.topics import Owner

from .gateway import Gateway, gateway
from .history import History, started
from .test_reads import problem

INVOICES = "/api/v1/accounts/acme/invoices"


def invoice(number: int, amount: int = 1699, name: str = "Workplace Pro") -> Invoice:
    line = MoneyLine(
        line_id="line-1",
        sku="workplace_pro",
        name=name,
        part="charge" if amount >= 0 else "credit",
        quantity=1,
        full_minor=abs(amount),
        days_served=0,
        days=30,
        period_start=date(2026, 6, number),
        period_end=date(2026, 7, number),
        amount_minor=amount,
    )
    return Invoice.model_validate(
        {
            "invoice_id": f"i{number}",
            "number": number,
            "kind": InvoiceKind.CHANGE,
            "cause_id": f"event-{number}",
            "cadence": None,
            "issued_on": date(2026, 6, number),
            "currency": "USD",
            "lines": (InvoiceLine(**line.model_dump(), bundle_id="b1"),),
            "net_minor": amount,
            "taxes": (),
            "total_minor": amount,
            "credit_minor": 0,
            "due_minor": max(0, amount),
            "refund": False,
        },
        strict=False,
    )


def paid(of: Invoice) -> list[InvoiceEvent]:
    name, amount = of.invoice_id, of.due_minor
    return [
        InvoiceIssued(invoice=of),
        PaymentSucceeded(invoice_id=name, attempt=1, amount_minor=amount, reference="r"),
        InvoiceCollected(invoice_id=name, by="payment"),
    ]


def declined(of: Invoice) -> list[InvoiceEvent]:
    failed = PaymentFailed(
        invoice_id=of.invoice_id, attempt=1, amount_minor=of.due_minor, reason="no", next_try_on=date(2026, 7, 1)
    )
    return [InvoiceIssued(invoice=of), failed]


def write(history: History, account_id: str, events: list[InvoiceEvent]) -> None:
    first = events[0]
    assert isinstance(first, InvoiceIssued)
    history.write(Owner.RENEWALS, f"invoice-{first.invoice.invoice_id}", account_id, events)


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    """1 paid, 2 declined, 3 a credit; 4 is another account's."""
    async with gateway(tmp_path) as opened:
        history = started()
        history.open("globex")
        write(history, "acme", paid(invoice(1)))
        write(history, "acme", declined(invoice(2, 5000, "Large Meeting 500")))
        credit = invoice(3, -300)
        write(history, "acme", [InvoiceIssued(invoice=credit), InvoiceCollected(invoice_id="i3", by="credit")])
        write(history, "globex", paid(invoice(4)))
        await opened.show(history)
        yield opened


async def found(shown: Gateway, query: str = "") -> list[int]:
    answer = await shown.get(f"{INVOICES}?{query}", user="owner")
    assert answer.status_code == 200, answer.text
    return [each["number"] for each in answer.json()["invoices"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [3, 2, 1]),
        ("status=collected", [3, 1]),
        ("status=past_due", [2]),
        ("from=2026-06-02", [3, 2]),
        ("to=2026-06-02", [2, 1]),
        ("from=2026-06-02&to=2026-06-02", [2]),
        ("q=large", [2]),
        ("q=3", [3]),
        ("q=nothing", []),
        ("before=3", [2, 1]),
    ],
)
async def test_invoices_are_found_the_newest_first(shown: Gateway, query: str, numbers: list[int]) -> None:
    assert await found(shown, query) == numbers


@pytest.mark.parametrize("query", ["status=x", "from=x", "to=2026-13-01", "before=x", "before=-1"])
async def test_a_search_that_makes_no_sense_is_refused(shown: Gateway, query: str) -> None:
    assert problem(await shown.get(f"{INVOICES}?{query}", user="owner")) == (422, "invalid_request")


async def test_one_invoice_tells_its_lines_its_payments_and_whether_it_can_be_paid(shown: Gateway) -> None:
    due: Any = (await shown.get(f"{INVOICES}/i2", user="owner")).json()
    assert (due["status"], due["remains_minor"], due["next_try_on"]) == ("past_due", 5000, "2026-07-01")
    assert due["pay"] == {"allowed": True, "reason": None, "message": None}
    assert [(each["attempt"], each["outcome"]) for each in due["payments"]] == [(1, "failed")]
    assert due["lines"][0]["name"] == "Large Meeting 500"
    collected: Any = (await shown.get(f"{INVOICES}/i1", user="owner")).json()
    assert (collected["status"], collected["pay"]["reason"]) == ("collected", "invoice_collected")


async def test_a_credit_is_shown_in_parentheses(shown: Gateway) -> None:
    credit: Any = (await shown.get(f"{INVOICES}/i3", user="owner")).json()
    assert credit["shown"] == "(3.00 USD)"


async def test_another_accounts_invoice_is_not_found(shown: Gateway) -> None:
    of_others, absent = [await shown.get(f"{INVOICES}/{name}", user="owner") for name in ("i4", "i9")]
    assert problem(of_others) == (404, "invoice_not_found")
    assert of_others.content == absent.content


async def test_an_invoice_that_was_given_up_says_what_is_still_owed(shown: Gateway) -> None:
    history = started()
    cut = InvoiceCut(invoice_id="i5", served_until=date(2026, 6, 26), cut_minor=1000, remains_minor=699)
    write(history, "acme", [*declined(invoice(5)), cut])
    envelopes = history.logs[Owner.RENEWALS][-3:]
    await shown.following.take_in(Owner.RENEWALS, [replace(each, position=each.position + 100) for each in envelopes])
    given_up: Any = (await shown.get(f"{INVOICES}/i5", user="owner")).json()
    assert (given_up["status"], given_up["cut_minor"], given_up["remains_minor"]) == ("uncollectible", 1000, 699)


async def test_who_may_not_read_billing_information_reads_no_invoice(shown: Gateway) -> None:
    assert problem(await shown.get(INVOICES, user="editor")) == (403, "forbidden")
