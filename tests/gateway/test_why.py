"""Why a number: every amount that is shown has a formula that gives it, parts that add up, and events that say it."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from contracts.plans import MoneyLine
from contracts.renewals import Invoice, InvoiceCut, InvoiceIssued, InvoiceLine, PaymentFailed, RenewalAnswered
from contracts.tax import TaxLine
from contracts.terms import Cycle
from contracts.topics import Owner
from services.plans.commands import BuyCapacity, EditPlan

from .gateway import Gateway, gateway
from .history import TODAY, History, asked, started
from .random_history import histories
from .test_invoices import declined, invoice, paid, write
from .test_past import LIVES
from .test_reads import problem

ACCOUNT = "/api/v1/accounts/acme"
READS = [
    *("product-cards", "product-cards/acme-1", "plan-summary", "upcoming-charges", "invoices/i1", "invoices/i2"),
    *("plan-summary/breakdown?cadence=monthly", "plan-summary/breakdown?cadence=annual"),
]
# What is shown of these is no amount of the account's, or the same amount once more.
NOT_EXPLAINED = {"unit_minor", "full_minor", "credit_minor", "cut_minor"}
ONLY_TAKEN = re.compile(r"/taxes/\d+/net_minor|/payments/\d+/amount_minor|/price/")
_PRODUCT = re.compile(r"(\d+) × ([\d.,]+) USD")


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        yield opened


def amounts(part: Any, at: str = "") -> Iterator[tuple[str, int]]:
    """Every amount of an answer with its pointer."""
    match part:
        case dict():
            for name, member in part.items():
                if name.endswith("_minor") and isinstance(member, int) and name not in NOT_EXPLAINED:
                    yield f"{at}/{name}", member
                yield from amounts(member, f"{at}/{name}")
        case list():
            for index, member in enumerate(part):
                yield from amounts(member, f"{at}/{index}")


async def explained(shown: Gateway, read: str, extra: str = "") -> dict[str, Any]:
    path, _, query = read.partition("?")
    answer = await shown.get(f"{ACCOUNT}/why?of={path}&{query}{extra}", "overseer")
    assert answer.status_code == 200, answer.text
    return {each["at"]: each for each in answer.json()["amounts"]}


async def every_event(shown: Gateway) -> dict[str, Any]:
    entries, before = {}, ""
    while True:
        page = (await shown.get(f"{ACCOUNT}/history?limit=200{before}", "overseer")).json()
        entries |= {entry["event_id"]: entry for entry in page["entries"]}
        if page["next"] is None:
            return entries
        before = f"&before={page['next']}"


def computed(formula: str) -> int | None:
    """What its products come to, in minor units; None of a formula that has none."""
    found = _PRODUCT.findall(formula)
    return sum(int(number) * round(100 * float(unit.replace(",", ""))) for number, unit in found) if found else None


async def check(shown: Gateway, read: str, events: dict[str, Any]) -> None:
    answer = (await shown.get(f"{ACCOUNT}/{read}", "overseer")).json()
    why = await explained(shown, read)
    wanted = {at: amount for at, amount in amounts(answer) if not ONLY_TAKEN.search(at)}
    assert {at: each["amount_minor"] for at, each in why.items()} == wanted
    for at, each in why.items():
        amount = each["amount_minor"]
        assert not each["parts"] or sum(part["amount_minor"] for part in each["parts"]) == amount, at
        assert computed(each["formula"]) in (None, amount), at
        assert each["events"], at
        for event in each["events"]:
            assert events[event["event_id"]]["said"] == event["said"]
        if not each["parts"] and "/taxes/" not in at:
            said = " ".join(str(events[event["event_id"]]["data"]) for event in each["events"])
            assert re.search(rf"\b{abs(amount)}\b", said), at


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(histories())
def test_every_amount_is_what_its_formula_gives_and_its_events_say(history: History) -> None:
    async def walk() -> None:
        for owner, stream, told in LIVES:
            history.write(owner, stream, "acme", told)
        with tempfile.TemporaryDirectory() as folder:
            async with gateway(Path(folder)) as shown:
                await shown.show(history)
                for on in (TODAY, history.today, date(2026, 6, 10)):
                    shown.clock.at = shown.clock.at.replace(year=on.year, month=on.month, day=on.day)
                    events = await every_event(shown)
                    for read in READS:
                        await check(shown, read, events)

    asyncio.run(walk())


async def test_a_graduated_line_is_the_sum_of_its_tiers_from_the_event_that_bought_it(shown: Gateway) -> None:
    history = started(sku="workplace_business", quantity=5)
    history.do("acme", BuyCapacity(**asked("b1", history, sku="whiteboard", quantity=5)))
    bought = history.events[-1]
    history.do("acme", EditPlan(**asked("b1", history, quantity=6)))
    await shown.show(history)
    why = await explained(shown, "product-cards/b1")
    line = why["/lines/1/total_minor"]
    assert line["formula"] == "3 × 5.00 USD + 2 × 4.00 USD, by price book version 1"
    assert [event["event_id"] for event in line["events"]] == [bought.event_id]
    base = why["/lines/0/total_minor"]
    assert [event["said"] for event in base["events"]] == ["Plan edited: Workplace Business from 5 to 6, 21.99 USD"]


async def test_an_event_can_be_looked_up_in_the_history(shown: Gateway) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=6)))
    await shown.show(history)
    (event,) = (await explained(shown, "product-cards/b1"))["/lines/0/total_minor"]["events"]
    page = (await shown.get(f"{ACCOUNT}/history?before={event['history']}&limit=1", "auditor")).json()
    assert page["entries"][0]["event_id"] == event["event_id"]


def prorated(amount_minor: int, part: str, **different: Any) -> Invoice:
    line = MoneyLine(
        line_id="line-1",
        sku="workplace_pro",
        name="Workplace Pro",
        part=part,  # type: ignore[arg-type]
        quantity=3,
        full_minor=5097,
        days_served=10,
        days=28,
        period_start=date(2026, 1, 31),
        period_end=date(2026, 2, 28),
        amount_minor=amount_minor,
    )
    lines = (InvoiceLine(**line.model_dump(), bundle_id="b1"),)
    members = {"net_minor": amount_minor, "total_minor": amount_minor, "due_minor": max(0, amount_minor), **different}
    return invoice(1).model_copy(update={"lines": lines, **members})


async def of_invoice(shown: Gateway, *events: Any) -> dict[str, Any]:
    history = started()
    write(history, "acme", list(events))
    await shown.show(history)
    return await explained(shown, "invoices/i1")


async def test_a_prorated_line_is_the_whole_less_the_days_before(shown: Gateway) -> None:
    """DOMAIN 4: +3 licences at 1699 on February 10 are 3277."""
    taxes = (TaxLine(code="standard", rate_bp=825, net_minor=3277, tax_minor=270),)
    bill = prorated(3277, "charge", taxes=taxes, total_minor=3547, credit_minor=500, due_minor=3047)
    why = await of_invoice(shown, InvoiceIssued(invoice=bill))
    line = why["/lines/0/amount_minor"]
    assert line["formula"] == "50.97 USD less 10 of 28 days, rounded half up"
    assert [part["amount_minor"] for part in line["parts"]] == [5097, -1820]
    assert why["/taxes/0/tax_minor"]["formula"] == "8.25% of 32.77 USD, the net amount of its code, rounded once"
    assert [part["amount_minor"] for part in why["/due_minor"]["parts"]] == [3547, -500]


async def test_a_credit_gives_back_no_more_than_was_charged(shown: Gateway) -> None:
    """DOMAIN M8."""
    why = await of_invoice(shown, InvoiceIssued(invoice=prorated(-3000, "credit")))
    assert [part["amount_minor"] for part in why["/lines/0/amount_minor"]["parts"]] == [-5097, 1820, 277]
    assert why["/due_minor"]["formula"].startswith("nothing")


async def test_what_remains_is_what_was_due_less_what_was_paid_or_never_served(shown: Gateway) -> None:
    bill = prorated(3277, "charge")
    failed = PaymentFailed(invoice_id="i1", attempt=1, amount_minor=3277, reason="no", next_try_on=None)
    cut = InvoiceCut(invoice_id="i1", served_until=date(2026, 2, 20), cut_minor=1277, remains_minor=2000)
    why = (await of_invoice(shown, InvoiceIssued(invoice=bill), failed, cut))["/remains_minor"]
    assert [part["amount_minor"] for part in why["parts"]] == [3277, -1277]
    assert [event["type"] for event in why["events"]] == ["renewals.InvoiceIssued", "renewals.InvoiceCut"]


async def test_an_invoice_names_what_it_was_issued_for(shown: Gateway) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
    edited = history.events[-1]
    bill = invoice(1).model_copy(update={"cause_id": edited.event_id})
    write(history, "acme", paid(bill))
    await shown.show(history)
    why = await explained(shown, "invoices/i1")
    types = [event["type"] for event in why["/net_minor"]["events"]]
    assert types == ["plans.PlanEdited", "renewals.InvoiceIssued"]


async def test_an_invoice_of_a_renewal_names_what_each_plan_answered(shown: Gateway) -> None:
    history = started()
    advanced = history.do("acme", EditPlan(**asked("b1", history, quantity=8)))[0]
    bill = invoice(1).model_copy(update={"cadence": Cycle.MONTHLY})
    answered = RenewalAnswered(cadence=Cycle.MONTHLY, due_on=bill.issued_on, bundle_id="b1", lines=bill.lines)
    other = answered.model_copy(update={"due_on": TODAY})
    first, second = history.write(Owner.RENEWALS, "renewal-acme", "acme", [other, answered])
    first.metadata["causation_id"], second.metadata["causation_id"] = "another", advanced.event_id
    write(history, "acme", paid(bill))
    await shown.show(history)
    events = (await explained(shown, "invoices/i1"))["/net_minor"]["events"]
    assert [event["event_id"] for event in events[:-1]] == [advanced.event_id, second.event_id]
    of_line = (await explained(shown, "invoices/i1"))["/lines/0/amount_minor"]["events"]
    assert [event["type"] for event in of_line] == ["plans.PlanEdited", "renewals.InvoiceIssued"]


async def test_a_number_of_the_past_is_explained_as_it_was(shown: Gateway) -> None:
    history = started(cycle=Cycle.ANNUAL)
    history.today = TODAY + timedelta(days=20)
    history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
    await shown.show(history)
    shown.clock.at += timedelta(days=30)
    now, then = [await explained(shown, "product-cards/b1", extra) for extra in ("", f"as_of={TODAY}")]
    formulas = [each["/lines/0/total_minor"]["formula"] for each in (now, then)]
    assert formulas == [f"{quantity} × 100.00 USD, by price book version 1" for quantity in (8, 5)]


async def test_it_is_for_those_who_may_see_the_amount(shown: Gateway) -> None:
    history = started()
    write(history, "acme", declined(invoice(2)))
    await shown.show(history)
    assert problem(await shown.get(f"{ACCOUNT}/why?of=invoices/i2", "viewer")) == (403, "forbidden")
    assert problem(await shown.get(f"{ACCOUNT}/why?of=invoices/i9", "owner")) == (404, "invoice_not_found")
    assert problem(await shown.get(f"{ACCOUNT}/why?of=product-cards/b9")) == (404, "plan_not_found")
    assert problem(await shown.get(f"{ACCOUNT}/why?of=product-cards", "stranger")) == (404, "account_not_found")
    for of in ("", "history", "invoices", "product-cards/b1/x", "plan-summary/breakdown"):
        assert problem(await shown.get(f"{ACCOUNT}/why?of={of}")) == (422, "invalid_request")
    charges = (await shown.get(f"{ACCOUNT}/why?of=upcoming-charges", "viewer")).json()["amounts"]
    assert "payment" not in str(charges)
    assert Owner.PLANS in {event["owner"] for each in charges for event in each["events"]}
