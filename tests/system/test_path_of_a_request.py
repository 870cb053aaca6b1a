"""The path of one request, step by step as README tells it: HTTP → feed → topic → row → card, summary, catalogue."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.plan_actions import Privilege
from contracts.topics import Owner, partition_of
from services.gateway.projections import product_card
from tests.gateway.test_past import documented
from tests.portal import Portal
from tests.system import logs, recomputed
from tests.system.customer import EDITOR, READER, Customer, bundle_of

Members = dict[str, Any]
Steps = tuple[tuple[str, Members], ...]

ANNUAL = {"sku": "workplace_business", "quantity": 12, "cycle": "annual"}
UNIT_MINOR = 21990
STORAGE = ("capacities", {"sku": "storage_200", "quantity": 1})
DOWN = ("edit", {"quantity": 11})
CANCEL = ("cancel", {"reason": "too_expensive", "cascade": True})
ASSIGN = ("assign-licence", {"assignee": "person-1"})


@dataclass(frozen=True, slots=True)
class Case:
    """before: commands on a plan of 12 licences. command: what is followed; None for the start of the plan itself.
    full_minor: what it costs for a whole term, part by part. shows: whether the card tells of it."""

    name: str
    before: Steps
    command: tuple[str, Members] | None
    events: tuple[str, ...]
    full_minor: tuple[int, ...]
    shows: Callable[[Members], bool]


CASES = (
    Case("buy a plan", (), None, ("PlanStarted",), (12 * UNIT_MINOR,), lambda card: card["licences"]["total"] == 12),
    Case(
        "more licences, charged now",
        (),
        ("edit", {"quantity": 15}),
        ("PlanEdited",),
        (3 * UNIT_MINOR,),
        lambda card: card["licences"]["total"] == 15 and not card["pending_changes"],
    ),
    Case(
        "fewer licences, pending",
        (),
        DOWN,
        ("PlanEditScheduled",),
        (),
        lambda card: (card["licences"]["total"], card["pending_changes"][0]["after"]["quantity"]) == (12, 11),
    ),
    Case(
        "discard the pending change",
        (DOWN,),
        ("discard-pending-change", {}),
        ("PlanEditDiscarded",),
        (),
        lambda card: not card["pending_changes"],
    ),
    Case(
        "more licences instead of the pending fewer",
        (DOWN,),
        ("edit", {"quantity": 13}),
        ("PlanEditDiscarded", "PlanEdited"),
        (UNIT_MINOR,),
        lambda card: card["licences"]["total"] == 13 and not card["pending_changes"],
    ),
    Case(
        "a larger product",
        (),
        ("edit", {"sku": "workplace_business_plus"}),
        ("PlanEdited",),
        (12 * UNIT_MINOR, 12 * 26490),
        lambda card: card["name"] == "Workplace Business Plus",
    ),
    Case(
        "buy a capacity",
        (),
        STORAGE,
        ("CapacityPurchased",),
        (48000,),
        lambda card: [line["sku"] for line in card["lines"]] == ["workplace_business", "storage_200"],
    ),
    Case("assign", (), ASSIGN, ("LicenceAssigned",), (), lambda card: card["licences"]["available"] == 11),
    Case(
        "unassign",
        (ASSIGN,),
        ("unassign-licence", {"assignee": "person-1"}),
        ("LicenceUnassigned",),
        (),
        lambda card: card["licences"]["available"] == 12,
    ),
    Case(
        "cancel with everything that hangs on it",
        (STORAGE,),
        CANCEL,
        ("AddOnCancelled", "PlanCancelled"),
        (),
        lambda card: (
            card["status"] == "cancel_scheduled"
            and card["next_renewal"] is None
            and all(line["ends_on"] == card["term"]["end"] for line in card["lines"])
        ),
    ),
    Case(
        "reinstate",
        (STORAGE, CANCEL),
        ("reinstate", {}),
        ("PlanReinstated",),
        (),
        lambda card: card["status"] == "active" and not any(line["ends_on"] for line in card["lines"]),
    ),
)
SEEN = [
    *("/product-cards", "/plan-summary", "/catalogue", "/history", "/invoices", "/entitlements", "/upcoming-charges"),
    *("/shipments", "/billing", "/device-orders", "/leases"),
]
EACH_COMMAND = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@EACH_COMMAND
async def test_a_command_travels_the_whole_path(portal: Portal, case: Case) -> None:
    customer = Customer.with_account(portal)
    address, body, bundle_id = _address_of(customer, case)
    correlation = {"X-Correlation-Id": f"path-{customer.account_id}"}

    answer = customer.post(address, body, **correlation)
    recorded = customer.answered(answer)
    position, bundle_id = recorded["position"], bundle_id or bundle_of(recorded)
    assert answer.headers["billing-position"] == position
    assert answer.headers["etag"] == f'"{recorded["revision"]}"'
    assert _types(recorded["events"]) == list(case.events)
    assert _full_minor(recorded["events"]) == list(case.full_minor)

    card = customer.card(bundle_id, position)
    assert case.shows(card), card
    assert (card["revision"], card["last_event_id"]) == (recorded["revision"], recorded["events"][-1]["event_id"])
    _check_summary(customer, position)
    assert customer.read("/catalogue", position)["account_id"] == customer.account_id

    stored = _in_the_feed(portal, recorded)
    assert [event["metadata"]["correlation_id"] for event in stored] == [*correlation.values()] * len(stored)
    assert f"plans:{stored[-1]['position']}" == position
    await _check_topic(portal, stored)
    (row,) = [row for row in logs.live_rows(portal, product_card.TABLE) if row[0] == bundle_id]
    assert row[1:3] == (customer.account_id, stored[-1]["position"])


@EACH_COMMAND
def test_a_command_with_the_token_of_its_quote_does_what_was_quoted(portal: Portal, case: Case) -> None:
    customer = Customer.with_account(portal)
    address, body, bundle_id = _address_of(customer, case)
    first, _, command = address.rpartition("/")
    quoted = f"{first}/quotes/{command}" if bundle_id else "/quotes/start"

    quote = customer.answered(customer.post(quoted, body))
    recorded = customer.answered(customer.post(address, {**body, "quote_token": quote["token"]}, if_match=None))

    monies = [event["data"]["money"] for event in recorded["events"] if "money" in event["data"]]
    assert quote["events"] == list(case.events) == _types(recorded["events"])
    assert quote["due_now"]["net_minor"] == sum(money["net_minor"] for money in monies)
    assert quote["due_now"]["lines"] == [line for money in monies for line in money["lines"]]
    renewal = quote["next_renewal_after"]
    shown = customer.card(bundle_id or bundle_of(recorded), recorded["position"])["next_renewal"]
    quoted_renewal = {name: renewal[name] for name in ("due_on", "amount_minor")} if renewal["lines"] else None
    assert shown == quoted_renewal


def test_what_hangs_on_an_account_is_offered_in_its_catalogue(portal: Portal) -> None:
    customer = Customer.with_account(portal)
    before = _for_sale(customer.read("/catalogue", customer.opened_at))
    assert before["webinar_500"]["buy"]["reason"] == "requirement_unmet"
    started = customer.answered(customer.start("workplace_pro", 5))
    position = started["position"]

    after = _for_sale(customer.read("/catalogue", position))

    assert after["webinar_500"]["buy"]["allowed"]
    (within,) = after["storage_200"]["within"]
    assert (within["bundle_id"], within["allowed"]) == (bundle_of(started), True)
    assert customer.start("webinar_500", 1).status_code == 201


def test_the_summary_of_every_account_is_what_its_plans_add_up_to(portal: Portal) -> None:
    customer = Customer.with_account(portal)
    for sku, quantity, cycle in (("workplace_business", 12, "annual"), ("rooms", 2, "monthly"), ("rooms", 1, "annual")):
        customer.started(sku, quantity, cycle)
    phone = customer.started("phone_us_unlimited", 8)
    customer.changed(phone, "edit", {"quantity": 6})
    one_month = customer.answered(customer.start("webinar_one_month_500", 1, "one_month"))
    for account_id in (customer.account_id, "acme", "globex"):
        _check_summary(Customer(portal, account_id, READER), one_month["position"])


def test_the_demo_is_seen_as_it_was_whatever_is_done_with_it(portal: Portal) -> None:
    everything = (*EDITOR, Privilege.INFORMATION_READ, Privilege.AUDIT_READ)
    olive = Customer(portal, "acme", everything)
    invoices = [each["invoice_id"] for each in olive.read("/invoices")["invoices"]]
    paths = [*SEEN, *(f"/invoices/{invoice_id}" for invoice_id in invoices)]
    portal.until(lambda: olive.read("/history")["entries"][0]["type"] == "plans.HistoryRead")  # by this very reading

    seen = {path: documented(olive.read(path)) for path in paths}
    now = olive.get("/product-cards", as_of="now")
    assert {path: documented(olive.read(path, as_of="now")) for path in paths} == seen

    (phones,) = [card for card in olive.read("/product-cards")["cards"] if card["sku"] == "phone_us_unlimited"]
    more = olive.changed(phones["bundle_id"], "edit", {"quantity": phones["licences"]["total"] + 1})
    assert documented(olive.read("/product-cards", more["position"])) != seen["/product-cards"]
    positions = now.headers["billing-positions"]
    on_the_day = {"/upcoming-charges", "/entitlements"}  # positions are as of the newest event, whose day was earlier
    assert {path: documented(olive.read(path, as_of=positions)) for path in paths if path not in on_the_day} == {
        path: seen[path] for path in paths if path not in on_the_day
    }
    first = olive.get("/history", as_of="2026-02-01").json()["entries"]
    assert first
    assert all(entry["recorded_at"] < "2026-02-02" for entry in first)
    refused = {as_of: olive.get("/product-cards", as_of=as_of) for as_of in ("2025-01-01", "2199-01-01", "soon")}
    assert {answer.status_code for answer in refused.values()} == {422}


def _address_of(customer: Customer, case: Case) -> tuple[str, Members, str | None]:
    """Where the case's command goes, its body, and the plan it changes, made ready for it."""
    if case.command is None:
        return "/plans", ANNUAL, None
    bundle_id = bundle_of(customer.answered(customer.post("/plans", ANNUAL)))
    for name, body in case.before:
        customer.changed(bundle_id, name, body)
    name, body = case.command
    return f"/plans/{bundle_id}/{name}", body, bundle_id


def _check_summary(customer: Customer, position: str) -> None:
    expected = recomputed.upcoming_renewals(logs.feed(customer.portal), customer.account_id)
    assert recomputed.shown_renewals(customer.read("/plan-summary", position)) == recomputed.as_shown(expected)
    broken_down = [
        recomputed.broken_down(customer.read("/plan-summary/breakdown", position, cadence=cadence))
        for cadence in ("monthly", "annual")
    ]
    assert {**broken_down[0], **broken_down[1]} == expected


def _in_the_feed(portal: Portal, recorded: Members) -> list[Members]:
    """The events of an answer as their owner's feed has them: the same, each once, with consecutive revisions."""
    stream = [event for event in logs.feed(portal) if event["stream"] == recorded["stream"]]
    assert [event["revision"] for event in stream] == list(range(len(stream)))
    ids = [event["event_id"] for event in recorded["events"]]
    stored = [event for event in stream if event["event_id"] in ids]
    named = ("event_id", "type", "revision", "data")
    assert [{name: event[name] for name in named} for event in stored] == recorded["events"]
    return stored


async def _check_topic(portal: Portal, stored: list[Members]) -> None:
    """Each event is one record with the documented headers, in its account's partition."""
    records = await logs.topic(portal, Owner.PLANS, [stored[-1]["position"]])
    for event in stored:
        (record,) = [each for each in records if each["position"] == event["position"]]
        metadata, headers = event["metadata"], record["headers"]
        assert record["key"] == metadata["account_id"]
        assert record["partition"] == partition_of(metadata["account_id"], 4)
        assert json.loads(record["value"]) == event["data"]
        assert headers == {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": event["event_id"],
            "ce_type": event["type"],
            "ce_source": "/billing/plans",
            "ce_subject": event["stream"],
            "ce_time": metadata["recorded_at"],
            "ce_partitionkey": metadata["account_id"],
            "ce_dataversion": str(event["version"]),
            "ce_revision": str(event["revision"]),
            "ce_position": str(event["position"]),
            "ce_prevposition": headers["ce_prevposition"],
            "ce_effectiveon": metadata["effective_on"],
            "ce_correlationid": metadata["correlation_id"],
            "ce_causationid": metadata["causation_id"],
            "ce_commandid": metadata["command_id"],
            "ce_requestdigest": metadata["request_digest"],
            "ce_actorid": "user-of-tests",
            "ce_actorrole": "editor",
            "ce_actorvia": "api",
            **({"ce_traceparent": metadata["traceparent"]} if metadata["traceparent"] else {}),
        }


def _types(events: list[Members]) -> list[str]:
    return [event["type"].removeprefix("plans.") for event in events]


def _full_minor(events: list[Members]) -> list[int]:
    """What each money line is the rest of. Every amount is checked against its own days (DOMAIN M4)."""
    lines = [line for event in events for line in event["data"].get("money", {"lines": ()})["lines"]]
    for line in lines:
        full, served, days = line["full_minor"], line["days_served"], line["days"]
        rest = full - (full * served * 2 + days) // (2 * days)
        assert line["amount_minor"] == (rest if line["part"] == "charge" else -rest)
    return [line["full_minor"] for line in lines]


def _for_sale(catalogue: Members) -> dict[str, Members]:
    return {product["sku"]: product for product in catalogue["products"]}
