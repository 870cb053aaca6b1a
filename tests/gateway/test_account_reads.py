"""What an account may use, will be charged, and waits for."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.plans import CancelReason
from contracts.terms import Cycle
from contracts.topics import Owner
from services.plans.commands import AssignLicence, BuyCapacity, CancelPlan, EditPlan, StartPlan, UnassignLicence
from tests.devices.given import leased, placed

from .gateway import Gateway, gateway
from .history import asked, started
from .test_invoices import declined, invoice, write
from .test_reads import problem

ACME = "/api/v1/accounts/acme"


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        yield opened


async def read(shown: Gateway, what: str, user: str = "editor") -> Any:
    answer = await shown.get(f"{ACME}/{what}", user)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_may_be_used_names_licences_and_capacities(shown: Gateway) -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=2)))
    history.do("acme", AssignLicence(**asked("b1", history, assignee="a")))
    await shown.show(history)
    base, capacity = (await read(shown, "entitlements"))["entitlements"]
    assert (base["sku"], base["licences"]) == ("workplace_pro", {"total": 5, "assigned": 1, "available": 4})
    assert (capacity["sku"], capacity["quantity"], capacity["licences"]) == ("storage", 2, None)


async def test_a_person_may_use_what_belongs_to_the_plans_they_have_a_licence_of(shown: Gateway) -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=2)))
    history.do("acme", StartPlan(**asked("b2", history, sku="phone", quantity=2, cycle=Cycle.MONTHLY)))
    for person in ("ann", "bob"):
        history.do("acme", AssignLicence(**asked("b1", history, assignee=person)))
    history.do("acme", UnassignLicence(**asked("b1", history, assignee="bob")))
    await shown.show(history)
    of_ann = await read(shown, "entitlements?subject=ann")
    assert (of_ann["subject"], [each["sku"] for each in of_ann["entitlements"]]) == (
        "ann",
        ["workplace_pro", "storage"],
    )
    assert (await read(shown, "entitlements?subject=bob"))["entitlements"] == []
    assert (await read(shown, "entitlements?subject=nobody"))["entitlements"] == []
    history.do("acme", AssignLicence(**asked("b1", history, assignee="bob")))
    await shown.show(history)
    assert [each["sku"] for each in (await read(shown, "entitlements?subject=bob"))["entitlements"]] == [
        "workplace_pro",
        "storage",
    ]


@pytest.mark.parametrize("subject", ["", "Ann%20Smith", "ann@example.org", "b1%2Fann", "x" * 65])
async def test_a_person_is_an_opaque_reference(shown: Gateway, subject: str) -> None:
    await shown.show(started())
    answer = await shown.get(f"{ACME}/entitlements?subject={subject}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_cancelled_plan_may_be_used_until_its_term_is_over(shown: Gateway) -> None:
    history = started()
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.OTHER)))
    await shown.show(history)
    (base,) = (await read(shown, "entitlements"))["entitlements"]
    assert base["until"] == "2026-02-28"
    shown.clock.at = datetime(2026, 2, 27, 23, tzinfo=UTC)  # midnight in Vienna
    assert (await read(shown, "entitlements"))["entitlements"] == []


async def test_renewals_are_dated_from_the_anchor_with_what_is_pending_in_them(shown: Gateway) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    await shown.show(history)
    coming = await read(shown, "upcoming-charges?months=3")
    assert [(each["due_on"], each["amount_minor"]) for each in coming["charges"]] == [
        ("2026-02-28", 3000),
        ("2026-03-31", 3000),
    ]
    assert coming["totals"][0] == {"month": "2026-02", "currency": "USD", "amount_minor": 3000}
    assert len((await read(shown, "upcoming-charges"))["charges"]) == 11


@pytest.mark.parametrize("wish", [{"quantity": 8}, {"sku": "workplace_business", "quantity": 10}])
async def test_an_edit_on_a_later_day_is_charged_as_foretold(shown: Gateway, wish: dict[str, Any]) -> None:
    history, on = started(), date(2026, 2, 10)
    history.do("acme", EditPlan(**asked("b1", history, effective_on=on, **wish)))
    await shown.show(history)
    (foretold,) = [each for each in (await read(shown, "upcoming-charges"))["charges"] if each["kind"] == "edit"]
    history.today = on
    history.by_itself("acme", "b1")
    charged = history.events[-1].data["money"]["net_minor"]
    assert (foretold["due_on"], foretold["amount_minor"]) == ("2026-02-10", charged)
    await shown.show(history)
    assert "edit" not in {each["kind"] for each in (await read(shown, "upcoming-charges"))["charges"]}


@pytest.mark.parametrize("wish", [{"quantity": 3, "effective_on": None}, {"quantity": 8, "effective_on": None}])
async def test_an_edit_of_now_or_of_the_end_of_the_term_is_no_charge_of_its_own(
    shown: Gateway, wish: dict[str, Any]
) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, **wish)))
    await shown.show(history)
    assert {each["kind"] for each in (await read(shown, "upcoming-charges"))["charges"]} == {"renewal"}


async def test_plans_that_end_are_named_and_not_charged(shown: Gateway) -> None:
    history = started()
    once = {
        "sku": "webinar_one_month",
        "quantity": 1,
        "cycle": Cycle.ONE_MONTH,
        "account_bases": frozenset({"workplace_pro"}),
    }
    history.do("acme", StartPlan(**asked("b2", history, **once)))
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.OTHER)))
    await shown.show(history)
    coming = await read(shown, "upcoming-charges")
    assert coming["charges"] == []
    ends = {(each["bundle_id"], each["reason"], each["ends_on"]) for each in coming["endings"]}
    assert ends == {("b1", "cancelled", "2026-02-28"), ("b2", "one_month", "2026-02-28")}


async def test_rents_are_charged_from_the_second_month_to_the_last(shown: Gateway) -> None:
    history = started()
    history.write(Owner.DEVICES, "lease-o1-1", "acme", leased().told)
    await shown.show(history)
    begun = leased().told[0].started_on  # type: ignore[union-attr]
    shown.clock.at = datetime(begun.year, begun.month, begun.day, 12, tzinfo=UTC)
    rents = [each for each in (await read(shown, "upcoming-charges?months=36"))["charges"] if each["kind"] == "rent"]
    assert (len(rents), rents[0]["subject_id"]) == (35, "o1-1")


async def test_a_payment_to_be_tried_again_is_shown_to_who_may_see_invoices(shown: Gateway) -> None:
    history = started()
    write(history, "acme", declined(invoice(2, 5000)))
    await shown.show(history)

    async def tried(user: str) -> list[tuple[str, int]]:
        charges = (await read(shown, "upcoming-charges", user))["charges"]
        return [(each["due_on"], each["amount_minor"]) for each in charges if each["kind"] == "payment_retry"]

    assert (await tried("owner"), await tried("editor")) == ([("2026-07-01", 5000)], [])


@pytest.mark.parametrize("months", ["0", "37", "-1", "x", "", "100", "²"])
async def test_months_that_make_no_sense_are_refused(shown: Gateway, months: str) -> None:
    await shown.show(started())
    assert problem(await shown.get(f"{ACME}/upcoming-charges?months={months}")) == (422, "invalid_request")


async def test_parcels_of_every_order_the_last_sent_first(shown: Gateway) -> None:
    history = started()
    history.write(Owner.DEVICES, "deviceorder-o1", "acme", placed().days_later(5.5).told)
    await shown.show(history)
    parcels = (await read(shown, "shipments"))["shipments"]
    assert [(each["order_id"], each["whereabouts"]) for each in parcels] == [("o1", "in_transit"), ("o1", "delivered")]
    assert all(each["tracking_number"] for each in parcels)
