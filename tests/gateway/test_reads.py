"""The reads over HTTP: who sees what, tags that hold, and waiting for one's own write."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web

from contracts.plan_actions import Hold, PlanAction
from contracts.plans import AccountHoldLifted, AccountHoldPlaced, CancelReason
from contracts.terms import Cycle
from contracts.topics import Owner
from services.gateway.answers import Breakdown, CatalogueForSale, PlanSummary, ProductCards
from services.plans.commands import AssignLicence, BuyCapacity, CancelPlan, EditPlan, StartPlan

from .gateway import Gateway, gateway
from .history import History, asked, started

CARDS = "/api/v1/accounts/acme/product-cards"
SUMMARY = "/api/v1/accounts/acme/plan-summary"
CATALOGUE = "/api/v1/accounts/acme/catalogue"
OVER_ALL = [f"/api/v1/accounts/acme/{each}" for each in ("entitlements", "upcoming-charges", "shipments")]
READS = [CARDS, f"{CARDS}/b1", SUMMARY, f"{SUMMARY}/breakdown?cadence=monthly", CATALOGUE, *OVER_ALL]


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        yield opened


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_a_card_shows_the_plan_with_its_price_and_what_may_be_done(shown: Gateway) -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=2)))
    history.do("acme", AssignLicence(**asked("b1", history, assignee="a")))
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    await shown.show(history)
    (card,) = ProductCards.model_validate_json((await shown.get(CARDS)).content).cards
    assert (card.name, card.status, card.revision) == ("Workplace Pro", "active", 3)
    assert (card.licences.total, card.licences.assigned, card.licences.available) == (5, 1, 4)
    assert [(line.sku, line.quantity, line.unit_minor, line.book_version) for line in card.lines] == [
        ("workplace_pro", 5, 1000, 1),
        ("storage", 2, 1000, 1),
    ]
    (change,) = card.pending_changes
    assert (change.before.quantity, change.after.quantity, change.effective_on) == (5, 3, history.plans["b1"].term.end)
    assert change.banner == "5 × Workplace Pro → 3 × Workplace Pro from 2026-02-28"
    assert card.allowed_actions[PlanAction.EDIT_PLAN].allowed
    reinstate = card.allowed_actions[PlanAction.REINSTATE_PLAN]
    assert (reinstate.allowed, reinstate.reason, reinstate.message) == (
        False,
        "not_cancelled",
        "The plan is not cancelled",
    )


async def test_graduated_units_have_no_one_price(shown: Gateway) -> None:
    history = started(sku="workplace_business", quantity=5)
    history.do("acme", BuyCapacity(**asked("b1", history, sku="whiteboard", quantity=5)))
    await shown.show(history)
    line = (await shown.get(f"{CARDS}/b1")).json()["lines"][1]
    assert (line["unit_minor"], line["total_minor"]) == (None, 3 * 500 + 2 * 400)


async def test_who_may_only_read_sees_why_nothing_may_be_done(shown: Gateway) -> None:
    await shown.show(started())
    actions = (await shown.get(f"{CARDS}/b1", "viewer")).json()["allowed_actions"]
    assert {action["reason"] for action in actions.values()} == {"forbidden"}
    actions = (await shown.get(f"{CARDS}/b1", "editor")).json()["allowed_actions"]
    assert actions["edit_plan"]["allowed"]


async def test_an_unpaid_account_sees_what_it_may_not_do_until_it_has_paid(shown: Gateway) -> None:
    """DOMAIN B5, B18."""
    history = started()
    held = AccountHoldPlaced(hold=Hold.UNPAID, invoice_id="i1", amount_minor=1699)
    history.write(Owner.PLANS, "billingaccount-acme", "acme", [held])
    await shown.show(history)
    card = (await shown.get(f"{CARDS}/b1")).json()
    reasons = {name: action["reason"] for name, action in card["allowed_actions"].items()}
    assert (reasons["edit_plan"], reasons["buy_capacity"], reasons["cancel_plan"]) == (*["unpaid_invoices"] * 2, None)
    sold = {each["sku"]: each["buy"]["reason"] for each in (await shown.get(CATALOGUE)).json()["products"]}
    assert sold["workplace_pro"] == sold["storage"] == "unpaid_invoices"
    lifted = AccountHoldLifted(hold=Hold.UNPAID, invoice_id="i1")
    await shown.following.take_in(
        Owner.PLANS, list(history.write(Owner.PLANS, "billingaccount-acme", "acme", [lifted]))
    )
    assert (await shown.get(f"{CARDS}/b1")).json()["allowed_actions"]["edit_plan"]["allowed"]


async def test_a_cancelled_plan_has_ended_once_its_term_is_over_in_its_own_zone(shown: Gateway) -> None:
    history = started()
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.OTHER)))
    await shown.show(history)
    # The term ends on 28 February in Vienna, where that day begins at 23:00 UTC.
    shown.clock.at = shown.clock.at.replace(month=2, day=27, hour=22, minute=59)
    assert (await shown.get(f"{CARDS}/b1")).json()["status"] == "cancel_scheduled"
    tag = (await shown.get(f"{CARDS}/b1")).headers["etag"]
    shown.clock.at += timedelta(minutes=1)
    answer = await shown.get(f"{CARDS}/b1", If_None_Match=tag)
    assert (answer.status_code, answer.json()["status"]) == (200, "ended")
    assert (await shown.get(CARDS)).json()["cards"][0]["status"] == "ended"


@pytest.mark.parametrize("path", READS)
async def test_an_account_of_others_cannot_be_told_from_one_that_does_not_exist(shown: Gateway, path: str) -> None:
    await shown.show(started())
    others = await shown.get(path, "stranger")
    absent = await shown.get(path.replace("acme", "nobody"), "stranger")
    not_open = await shown.get(path.replace("acme", "globex"), "stranger")
    support = await shown.get(path.replace("acme", "nobody"), "support")
    assert problem(others) == (404, "account_not_found")
    assert others.content == absent.content == not_open.content == support.content
    other = {"x-correlation-id"}
    assert {k: v for k, v in others.headers.items() if k not in other} == {
        k: v for k, v in absent.headers.items() if k not in other
    }


@pytest.mark.parametrize("path", READS)
async def test_reading_needs_a_token_and_the_privilege(shown: Gateway, path: str) -> None:
    await shown.show(started())
    assert problem(await shown.client.get(path)) == (401, "unauthenticated")
    assert problem(await shown.get(path, "auditor")) == (403, "forbidden")
    assert (await shown.get(path, "support")).status_code == 200


async def test_an_account_without_plans_has_empty_lists(shown: Gateway) -> None:
    history = History()
    history.open("acme")
    await shown.show(history)
    assert (await shown.get(CARDS)).json() == {"account_id": "acme", "cards": []}
    nothing: dict[str, Any] = {"next": None, "later": []}
    assert (await shown.get(SUMMARY)).json() == {"account_id": "acme", "monthly": nothing, "annual": nothing}
    assert (await shown.get(f"{SUMMARY}/breakdown?cadence=annual")).json()["renewals"] == []
    assert (await shown.get(CATALOGUE)).json()["products"] == []


async def test_a_plan_of_another_account_is_not_found(shown: Gateway) -> None:
    history = started()
    history.open("globex")
    wish = {"sku": "workplace_pro", "quantity": 1, "cycle": Cycle.MONTHLY}
    history.do("globex", StartPlan(**asked("g1", history, **wish)))
    await shown.show(history)
    of_others, absent = await shown.get(f"{CARDS}/g1"), await shown.get(f"{CARDS}/g2")
    assert problem(of_others) == (404, "plan_not_found")
    assert of_others.content == absent.content


@pytest.mark.parametrize("path", [path for path in READS if path not in (f"{CARDS}/b1", OVER_ALL[-1])])
async def test_what_has_not_changed_is_not_sent_again(shown: Gateway, path: str) -> None:
    history = started()
    await shown.show(history)
    first = await shown.get(path)
    for tag in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await shown.get(path, If_None_Match=tag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    events = history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=1)))
    await shown.following.take_in(Owner.PLANS, list(events))
    await shown.following.take_in(Owner.RENEWALS, history.logs[Owner.RENEWALS])
    changed = await shown.get(path, If_None_Match=first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.headers["vary"] == "Authorization"


async def test_an_account_with_many_plans_sees_them_all_oldest_first(shown: Gateway) -> None:
    history = started(bundle_id="b0")
    for number in range(1, 30):
        wish = {"sku": "phone", "quantity": number, "cycle": Cycle.MONTHLY}
        history.do("acme", StartPlan(**asked(f"b{number}", history, **wish)))
    await shown.show(history)
    answer = await shown.get(CARDS)
    assert [card["bundle_id"] for card in answer.json()["cards"]] == [f"b{number}" for number in range(30)]
    assert (await shown.get(CARDS, If_None_Match=answer.headers["etag"])).status_code == 304


async def test_the_tag_of_a_card_is_its_revision(shown: Gateway) -> None:
    await shown.show(started())
    assert (await shown.get(f"{CARDS}/b1")).headers["etag"] == '"0"'


async def test_the_summary_shows_the_next_renewal_of_each_cadence_and_the_later_ones(shown: Gateway) -> None:
    history = started()
    history.do("acme", StartPlan(**asked("b2", history, sku="phone", quantity=2, cycle=Cycle.ANNUAL)))
    history.today += timedelta(days=3)
    history.do("acme", StartPlan(**asked("b3", history, sku="workplace_pro", quantity=1, cycle=Cycle.MONTHLY)))
    await shown.show(history)
    summary = PlanSummary.model_validate_json((await shown.get(SUMMARY)).content)
    assert summary.monthly.next is not None
    assert (str(summary.monthly.next.due_on), summary.monthly.next.amount_minor) == ("2026-02-28", 5000)
    assert [(str(each.due_on), each.amount_minor) for each in summary.monthly.later] == [("2026-03-03", 1000)]
    assert summary.annual.next is not None
    assert summary.annual.next.bundle_ids == ["b2"]
    answer = await shown.get(f"{SUMMARY}/breakdown?cadence=annual")
    (renewal,) = Breakdown.model_validate_json(answer.content).renewals
    (line,) = renewal.lines
    assert (line.product, line.licences, line.unit_minor, line.amount_minor) == ("Phone", 2, 10000, 20000)


@pytest.mark.parametrize("query", ["", "?cadence=", "?cadence=weekly", "?cadence=one_month"])
async def test_a_breakdown_is_of_one_cadence(shown: Gateway, query: str) -> None:
    await shown.show(started())
    answer = await shown.get(f"{SUMMARY}/breakdown{query}")
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["loc"] == ["query", "cadence"]


async def test_the_catalogue_says_what_may_be_bought_and_why_not(shown: Gateway) -> None:
    history = started()
    await shown.show(history)
    catalogue = CatalogueForSale.model_validate_json((await shown.get(CATALOGUE)).content)
    of = {product.sku: product for product in catalogue.products}
    assert catalogue.book_version == 1
    assert "workplace_old" not in of
    assert {sku: product.buy.reason for sku, product in of.items()} == {
        "workplace_pro": None,
        "workplace_business": None,
        "workplace_enterprise": "sales_only",
        "phone": None,
        "euro_only": "currency_unavailable",
        "webinar_one_month": None,
        "storage": None,
        "big_storage": None,
        "whiteboard": "requirement_unmet",
        "captions": None,
        "handset": "requirement_unmet",
    }
    assert "parcel" not in of
    assert [(each.bundle_id, each.reason) for each in of["storage"].within] == [("b1", None)]
    assert [(each.bundle_id, each.reason) for each in of["whiteboard"].within] == [("b1", "requirement_unmet")]
    assert list(of["workplace_pro"].prices) == [Cycle.MONTHLY, Cycle.ANNUAL]


async def test_what_needs_a_plan_cannot_be_bought_without_one(shown: Gateway) -> None:
    history = started(sku="phone")
    await shown.show(history)
    of = {product["sku"]: product for product in (await shown.get(CATALOGUE)).json()["products"]}
    assert of["webinar_one_month"]["buy"]["reason"] == "requirement_unmet"
    assert of["storage"]["buy"]["reason"] == "requirement_unmet"
    assert of["handset"]["buy"]["reason"] is None
    assert of["storage"]["within"] == []


async def test_a_capacity_is_bought_once_per_plan_and_not_in_a_cancelled_one(shown: Gateway) -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=1)))
    history.do("acme", StartPlan(**asked("b2", history, sku="workplace_pro", quantity=1, cycle=Cycle.MONTHLY)))
    history.do("acme", CancelPlan(**asked("b2", history, reason=CancelReason.OTHER)))
    await shown.show(history)
    of = {product["sku"]: product for product in (await shown.get(CATALOGUE)).json()["products"]}
    assert [(each["bundle_id"], each["reason"]) for each in of["storage"]["within"]] == [
        ("b1", "capacity_exists"),
        ("b2", "plan_cancelled"),
    ]
    assert of["storage"]["buy"]["reason"] == "capacity_exists"


async def test_a_read_waits_for_the_position_it_names(shown: Gateway) -> None:
    history = started()
    await shown.show(history)
    events = history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
    waiting = asyncio.create_task(shown.get(f"{CARDS}/b1?min_position=plans:{events[-1].position}"))
    by_header = asyncio.create_task(shown.get(CARDS, Billing_Min_Position=f"plans:{events[-1].position}"))
    await asyncio.sleep(0)
    await shown.following.take_in(Owner.PLANS, list(events))
    assert (await waiting).json()["licences"]["total"] == 8
    assert (await by_header).json()["cards"][0]["licences"]["total"] == 8


async def test_a_read_that_waits_in_vain_says_so_and_when_to_come_again(shown: Gateway) -> None:
    await shown.show(started())
    answer = await shown.get(f"{CARDS}?min_position=plans:{10**17}")
    assert problem(answer) == (503, "read_model_behind")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("position", ["", "7", "plans", "plans:", "plans:-1", "plans:1.0", "plans:01", "gateway:1"])
async def test_a_position_nobody_gave_is_refused(shown: Gateway, position: str) -> None:
    await shown.show(started())
    answer = await shown.get(f"{CARDS}?min_position={position}")
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["loc"] == ["query", "min_position"]
    answer = await shown.get(CARDS, Billing_Min_Position=position)
    assert problem(answer) == (422, "invalid_request")


async def test_who_may_not_read_is_not_kept_waiting(shown: Gateway) -> None:
    await shown.show(started())
    async with asyncio.timeout(0.15):
        assert (await shown.get(f"{CARDS}?min_position=plans:{10**17}", "stranger")).status_code == 404


async def test_a_summary_waits_for_what_renewals_made_of_a_plan_event(shown: Gateway) -> None:
    history = started()
    await shown.show(history)
    events = history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
    made = history.logs[Owner.RENEWALS]
    shown.renewals.answer = lambda _: web.json_response({"position": made[-1].position})
    waiting = asyncio.create_task(shown.get(f"{SUMMARY}?min_position=plans:{events[-1].position}"))
    await asyncio.wait_for(shown.renewals.was_asked.wait(), 5)
    await shown.following.take_in(Owner.RENEWALS, made)
    await shown.following.take_in(Owner.PLANS, events)
    assert (await waiting).json()["monthly"]["next"]["amount_minor"] == 8000
    (hop,) = shown.renewals.asked
    assert hop.path_qs == f"/consumed?owner=plans&position={events[-1].position}&account_id=acme"
    assert hop.headers["Authorization"].startswith("Bearer ")


async def test_a_summary_is_behind_when_renewals_is_behind_or_away(shown: Gateway) -> None:
    await shown.show(started())
    shown.renewals.answer = lambda _: web.json_response({"code": "read_model_behind"}, status=503)
    assert problem(await shown.get(f"{SUMMARY}?min_position=plans:1")) == (503, "read_model_behind")
    shown.renewals.answer = lambda _: web.json_response({"position": 10**17})
    assert problem(await shown.get(f"{SUMMARY}?min_position=plans:1")) == (503, "read_model_behind")


async def test_requests_are_counted_by_address_and_not_by_account(shown: Gateway) -> None:
    await shown.show(started())
    for path in (CARDS, CARDS.replace("acme", "nobody")):
        await shown.get(path)
    text = (await shown.client.get("/metrics")).text
    counted = (
        'billing_http_request_seconds_count{method="GET",route="/api/v1/accounts/{account_id}/product-cards",status='
    )
    assert counted + '"200"} 1.0' in text
    assert counted + '"404"} 1.0' in text


@pytest.mark.parametrize("path", [CARDS, SUMMARY, CATALOGUE])
async def test_a_read_takes_no_other_method(shown: Gateway, path: str) -> None:
    answer = await shown.post(path)
    assert problem(answer) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
