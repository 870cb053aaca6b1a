"""What if: a change that is not made, and the invoices with it beside those without. It is asked with GET: nothing
comes of it, so the address can be kept and sent to others."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from contracts.plan_actions import Privilege
from contracts.problems import Refused, problem_document

from .api import Members
from .ordering import whole
from .visits import Visit

MONTHS = (1, 2, 3, 6, 12, 24)
LATER = (0, 7, 30, 90)  # days from now on which it would be done
PATHS = {"capacity": "capacities", "add_on": "add-ons"}

Choice = tuple[str, str]  # as the form sends it, and in words


async def what_if(visit: Visit) -> Response:
    """change: one of the choices. quantity, months, later (days): whole numbers."""
    cards = [card for card in (await visit.api.read("/product-cards"))["cards"] if card["status"] != "ended"]
    products = (await visit.api.read("/catalogue"))["products"]
    choices = [*_of_plans(cards), *_within_plans(cards, products), *_new_plans(products)]
    asked = {name: visit.asked.get(name, "") for name in ("change", "quantity", "months", "later")}
    months, later = _one_of(asked["months"], MONTHS, 3), _one_of(asked["later"], LATER, 0)
    found: Members | None = None
    problem: Members | None = None
    if asked["change"] not in ("", *dict(choices)):  # an address that was kept, of what is offered no longer
        problem = problem_document("not_found")
    elif "months" in visit.asked:
        try:
            found = await visit.api.what_if(_body(visit, asked["change"], whole(asked["quantity"]), months, later))
        except Refused as refused:
            problem = problem_document(refused.code, **refused.facts)
        except RequestValidationError:
            problem = problem_document("invalid_request")
    return visit.page(
        "what_if.html",
        title="What if",
        here="plan-management",
        may=Privilege.INFORMATION_READ in visit.held(),
        choices=choices,
        asked={**asked, "months": months, "later": later, "quantity": asked["quantity"] or "1"},
        months=MONTHS,
        later=LATER,
        found=found,
        problem=problem,
    )


def _of_plans(cards: list[Members]) -> Iterator[Choice]:
    for card in cards:
        name = f"{card['licences']['total']} × {card['name']}"
        yield f"edit {card['bundle_id']}", f"{name}: another number of licences"
        yield f"cancel {card['bundle_id']}", f"{name}: cancel at the end of the term"


def _within_plans(cards: list[Members], products: list[Members]) -> Iterator[Choice]:
    names = {card["bundle_id"]: card["name"] for card in cards}
    for product in products:
        for within in product["within"]:
            if within["allowed"] and within["bundle_id"] in names and product["kind"] in PATHS:
                bundle_id, path = within["bundle_id"], PATHS[product["kind"]]
                yield f"{path} {bundle_id} {product['sku']}", f"{names[bundle_id]}: buy {product['name']}"


def _new_plans(products: list[Members]) -> Iterator[Choice]:
    for product in products:
        if product["kind"] == "base" and product["buy"]["allowed"]:
            for cycle in (each for each in ("monthly", "annual") if each in product["prices"]):
                yield f"plans {product['sku']} {cycle}", f"New plan: {product['name']}, {cycle}"


def _body(visit: Visit, change: str, quantity: Any, months: int, later: int) -> Members:
    today = visit.today()
    commands: list[Members] = []
    match change.split(" "):
        case ["edit", bundle_id]:
            commands = [{"plan": bundle_id, "command": "edit", "body": {"quantity": quantity}}]
        case ["cancel", bundle_id]:
            commands = [{"plan": bundle_id, "command": "cancel", "body": {"reason": "other", "cascade": True}}]
        case ["plans", sku, cycle]:
            commands = [{"path": "/plans", "body": {"sku": sku, "quantity": quantity, "cycle": cycle}}]
        case [path, bundle_id, sku]:
            commands = [{"plan": bundle_id, "command": path, "body": {"sku": sku, "quantity": quantity}}]
    if later:
        commands = [{**each, "at": (today + timedelta(days=later)).isoformat()} for each in commands]
    # Beyond the day on which a month from now is renewed, whatever its length.
    until = today + timedelta(days=30.4 * max(months, later // 30 + 1) + 1)
    return {"until": until.isoformat(), "commands": commands}


def _one_of(text: str, choices: tuple[int, ...], otherwise: int) -> int:
    return int(text) if text in map(str, choices) else otherwise
