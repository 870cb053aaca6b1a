"""A grey button and a refusal agree (DOMAIN B18): what every card allows is what its commands and quotes then do."""

from typing import Any

import pytest

from tests.portal import Portal
from tests.system import logs
from tests.system.customer import EDITOR, READER, Customer

Members = dict[str, Any]

# The only reasons a button may be grey, beside forbidden.
OF_STANDING = {
    "plan_ended",
    "renewal_due",
    "plan_cancelled",
    "one_month_plan",
    "no_pending_change",
    "already_cancelled",
    "not_cancelled",
    "base_line",
    "not_a_capacity",
    "line_cancelled",
    "line_not_cancelled",
    "all_licences_assigned",
    "no_change",
}
BUYING = {"buy_capacity", "buy_add_on"}
NAMES = {
    "edit_plan": "edit",
    "change_cycle": "change-cycle",
    "buy_capacity": "capacities",
    "resize_capacity": "resize-capacity",
    "buy_add_on": "add-ons",
    "discard_pending_change": "discard-pending-change",
    "cancel_line": "cancel-line",
    "reinstate_line": "reinstate-line",
    "cancel_plan": "cancel",
    "reinstate_plan": "reinstate",
    "assign_licence": "assign-licence",
    "unassign_licence": "unassign-licence",
}


@pytest.mark.parametrize("account_id", ["acme", "globex"])
def test_every_demo_card_allows_what_quotes_and_commands_then_do(portal: Portal, account_id: str) -> None:
    editor = Customer(portal, account_id, EDITOR)
    cards = editor.read("/product-cards")["cards"]
    assert cards
    for card in cards:
        _walk_through_all_actions(editor, card)


def test_cards_without_any_choice_refuse_as_they_say(portal: Portal) -> None:
    customer = Customer.with_account(portal)
    full = customer.started("workplace_pro", 1)
    customer.changed(full, "assign-licence", {"assignee": "person-1"})
    one_month = customer.answered(customer.start("webinar_one_month_500", 1, "one_month"))
    for card in customer.read("/product-cards", one_month["position"])["cards"]:
        _walk_through_all_actions(customer, card)


def test_a_viewer_may_do_nothing_and_every_card_says_so(portal: Portal) -> None:
    viewer = Customer(portal, "acme", READER)
    for card in viewer.read("/product-cards")["cards"]:
        assert {allowed["reason"] for allowed in card["allowed_actions"].values()} == {"forbidden"}
        for action in NAMES:
            for quotes in ("quotes/", ""):
                answer = viewer.change(card["bundle_id"], quotes + NAMES[action], _body(action, card, portal))
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def _walk_through_all_actions(customer: Customer, card: Members) -> None:
    """Quotes every action on the card as it is; then carries every action out, each on the card the last one left."""
    bundle_id = card["bundle_id"]
    for action, allowed in card["allowed_actions"].items():
        quote = customer.change(bundle_id, f"quotes/{NAMES[action]}", _body(action, card, customer.portal))
        _check(action, allowed, quote.json())
    assert customer.card(bundle_id) == card, "a quote changes nothing"
    for action in NAMES:
        body = _body(action, card, customer.portal)
        answer = customer.change(bundle_id, NAMES[action], body, if_match=f'"{card["revision"]}"').json()
        _check(action, card["allowed_actions"][action], answer)
        card = customer.card(bundle_id, answer.get("position"))


def _check(action: str, allowed: Members, answer: Members) -> None:
    code = answer.get("code")
    if not allowed["allowed"]:
        assert allowed["reason"] in OF_STANDING
        assert (action, code) == (action, allowed["reason"])
    else:
        # What is asked for may be impossible (a capacity on a webinar), never that it is asked now.
        assert (action, code) in {(action, None), (action if action in BUYING else "", "requirement_unmet")}, answer


def _body(action: str, card: Members, portal: Portal) -> Members:
    """Something the action can be carried out with, if it can."""
    match action:
        case "edit_plan":
            return {"quantity": card["licences"]["total"] + 1}
        case "buy_capacity":
            return {"sku": "phone_number_extra" if card["family"] == "phone" else "storage_30", "quantity": 1}
        case "buy_add_on":
            return {"sku": "phone_toll_free" if card["family"] == "phone" else "whiteboard_plus", "quantity": 1}
        case "change_cycle":
            return {"cycle": "monthly" if card["cycle"] == "annual" else "annual", "discard_pending": True}
        case "resize_capacity":
            return _another_size(card)
        case "cancel_line":
            return {"line_id": _a_line(card, "cancel_line")}
        case "reinstate_line":
            return {"line_id": _a_line(card, "reinstate_line")}
        case "cancel_plan":
            return {"reason": "other", "cascade": True}
        case "assign_licence":
            return {"assignee": "somebody-new"}
        case "unassign_licence":
            return {"assignee": _somebody_in(portal, card["bundle_id"])}
        case _:
            return {}


def _a_line(card: Members, action: str) -> str:
    """One of which it may be asked, or any."""
    allowed = [line["line_id"] for line in card["lines"] if line["allowed_actions"][action]["allowed"]]
    return str(next(iter(allowed), "line-1"))


def _another_size(card: Members) -> Members:
    line_id = _a_line(card, "resize_capacity")
    (line,) = (line for line in card["lines"] if line["line_id"] == line_id)
    tier = {"storage_30": "storage_200", "storage_200": "storage_1000"}.get(line["sku"])
    return {"line_id": line_id, **({"sku": tier} if tier else {"quantity": line["quantity"] + 1})}


def _somebody_in(portal: Portal, bundle_id: str) -> str:
    """Who has a licence: cards tell how many, not who."""
    assigned = {"plans.LicenceAssigned": True, "plans.LicenceUnassigned": False}
    has = {
        event["data"]["assignee"]: assigned[event["type"]]
        for event in logs.feed(portal)
        if event["stream"] == f"plan-{bundle_id}" and event["type"] in assigned
    }
    return next((person for person, still in has.items() if still), "nobody")
