"""Plan Management: the product cards, the summary, what is for sale, and one plan with what may be done with it."""

from typing import Any

from starlette.responses import Response

from .api import Members, offers
from .charts import forecast, spend, usage
from .ordering import Order, facts_of, offer, place, quoted, whole
from .visits import Visit

DEVICES = ("device_rental", "device_sale")


async def plan_management(visit: Visit) -> Response:
    cards = (await visit.api.read("/product-cards"))["cards"]
    summary = await visit.api.read("/plan-summary")
    catalogue = await visit.api.read("/catalogue")
    renewals = [await visit.api.read("/plan-summary/breakdown", {"cadence": each}) for each in ("monthly", "annual")]
    includes = {product["sku"]: product["includes"] for product in catalogue["products"]}
    why = await visit.api.why("product-cards")
    today = visit.today()
    return visit.page(
        "plan_management.html",
        title="Plan Management",
        here="plan-management",
        cards=[card for card in cards if card["status"] != "ended"],
        ended=[card for card in cards if card["status"] == "ended"],
        summary=summary,
        summary_why=await visit.api.why("plan-summary"),
        whys={card["bundle_id"]: _of_one(why, f"/cards/{index}") for index, card in enumerate(cards)},
        includes=includes,
        sections=_sections(catalogue["products"]),
        currency=catalogue["currency"],
        charts=[forecast(renewals, today, visit.formats), spend(renewals, visit.formats), usage(cards, visit.formats)],
    )


async def breakdown(visit: Visit) -> Response:
    cadence = visit.id("cadence")
    found = await visit.api.read("/plan-summary/breakdown", {"cadence": cadence})
    title = f"{cadence.title()} renewal"
    why = await visit.api.why("plan-summary/breakdown", {"cadence": cadence})
    return visit.page("breakdown.html", title=title, here="plan-management", renewals=found["renewals"], why=why)


def _of_one(why: dict[str, Members], prefix: str) -> dict[str, Members]:
    """Those of one card among the whys of all."""
    return {at.removeprefix(prefix): each for at, each in why.items() if at.startswith(f"{prefix}/")}


async def plan(visit: Visit) -> Response:
    card = await _card(visit)
    catalogue = await visit.api.read("/catalogue")
    more = [
        product
        for product in catalogue["products"]
        if any(each["bundle_id"] == card["bundle_id"] and each["allowed"] for each in product["within"])
    ]
    includes = {product["sku"]: product["includes"] for product in catalogue["products"]}
    why = await visit.api.why(f"product-cards/{card['bundle_id']}")
    return visit.page(
        "plan.html", title=card["name"], here="plan-management", card=card, includes=includes, more=more, why=why
    )


async def edit_plan(visit: Visit) -> Response:
    card = await _card(visit)
    line = next((each for each in card["lines"] if each["line_id"] == visit.asked.get("line")), card["lines"][0])
    base = line is card["lines"][0]
    quantity = visit.asked.get("quantity", str(line["quantity"]))
    sku, on = visit.asked.get("sku", line["sku"]), visit.asked.get("on", "")
    wish: Members = {"quantity": whole(quantity)}
    wish |= {"sku": sku} if sku != line["sku"] else {}
    wish |= {} if base else {"line_id": line["line_id"]}
    wish |= {"effective_on": on} if on else {}
    products = (await visit.api.read("/catalogue"))["products"]
    choices = [each for each in products if card["cycle"] in each["prices"] and _may_become(each, line, card, products)]
    order = Order(
        command="resize_capacity" if line["kind"] == "capacity" else "edit_plan",
        title=f"Edit {card['name']}" if base else f"Edit {line['name']}",
        button="Place Order",
        fields="fields_edit.html",
        wish=wish,
        back=f"plans/{card['bundle_id']}",
        ids={"bundle_id": card["bundle_id"]},
        seen=facts_of(card),
        shown={"card": card, "line": line, "quantity": quantity, "sku": sku, "on": on, "choices": choices},
    )
    return await _answered(visit, order)


def _may_become(product: Members, line: Members, card: Members, products: list[Members]) -> bool:
    """The base another one of its family, a capacity another tier of its kind."""
    if line["kind"] == "base":
        return bool(product["kind"] == "base" and product["family"] == card["family"])
    tier_of = next((each["tier_of"] for each in products if each["sku"] == line["sku"]), None)
    return tier_of is not None and product["tier_of"] == tier_of


async def change_cycle(visit: Visit) -> Response:
    card = await _card(visit)
    cycle = visit.asked.get("cycle") or ("annual" if card["cycle"] == "monthly" else "monthly")
    discard = visit.asked.get("discard") == "yes"
    order = Order(
        command="change_cycle",
        title=f"Change the cycle of {card['name']}",
        button="Place Order",
        fields="fields_cycle.html",
        wish={"cycle": cycle, **({"discard_pending": True} if discard else {})},
        back=f"plans/{card['bundle_id']}",
        ids={"bundle_id": card["bundle_id"]},
        seen=facts_of(card),
        shown={"card": card, "cycle": cycle, "discard": discard},
    )
    return await _answered(visit, order)


async def cancel_line(visit: Visit) -> Response:
    return await _undo(visit, "cancel_line", "Cancel one line", "Cancel the line")


async def reinstate_line(visit: Visit) -> Response:
    return await _undo(visit, "reinstate_line", "Keep a cancelled line", "Keep the line")


async def discard(visit: Visit) -> Response:
    return await _undo(visit, "discard_pending_change", "Discard the scheduled change", "Discard the change")


async def reinstate(visit: Visit) -> Response:
    return await _undo(visit, "reinstate_plan", "Reinstate", "Reinstate Plan")


async def cancel(visit: Visit) -> Response:
    """If-Match instead of a quote's token: a token would bind every word of the comment."""
    card = await _card(visit)
    others = [line for line in card["lines"][1:] if not line["ends_on"]]
    wish: Members = {"reason": "other", "cascade": bool(others)}
    if visit.request.method == "POST":
        form = visit.form
        body = {
            "reason": form.get("reason", ""),
            "comment": form.get("comment", "").replace("\r\n", "\n"),
            "refund": form.get("refund") == "yes",
            "cascade": bool(others),
        }
        answer = await visit.api.command(
            "cancel_plan", body, form.get("key"), f'"{form.get("revision", "")}"', bundle_id=card["bundle_id"]
        )
        return visit.go(f"plans/{card['bundle_id']}", done="cancel_plan", at=answer["position"])
    ids = {"bundle_id": card["bundle_id"]}
    quote, problem = await quoted(visit, "cancel_plan", wish, ids)
    refund, no_refund = await quoted(visit, "cancel_plan", {**wish, "refund": True}, ids) if quote else (None, None)
    return visit.page(
        "cancel.html",
        title=f"Cancel {card['name']}",
        here="plan-management",
        card=card,
        others=others,
        quote=quote,
        problem=problem,
        refund=refund,
        no_refund=no_refund,
    )


async def buy(visit: Visit) -> Response:
    """A product that starts a plan, or a capacity or an add-on within one."""
    products = {each["sku"]: each for each in (await visit.api.read("/catalogue"))["products"]}
    product = products.get(visit.id("sku"))
    if product is None:
        return visit.go("plan-management")
    if product["kind"] in DEVICES:
        return visit.go("order-devices", sku=product["sku"])
    cards = {card["bundle_id"]: card for card in (await visit.api.read("/product-cards"))["cards"]}
    within = [each for each in product["within"] if each["bundle_id"] in cards]
    quantity = visit.asked.get("quantity", str(product["minimum"]))
    wish: Members = {"sku": product["sku"], "quantity": whole(quantity)}
    shown: dict[str, Any] = {"product": product, "quantity": quantity, "within": within, "cards": cards}
    if product["kind"] == "base":
        cycle = visit.asked.get("cycle") or next(iter(product["prices"]), "monthly")
        order = Order(
            "start_plan",
            f"Buy {product['name']}",
            "Place Order",
            "fields_buy.html",
            {**wish, "cycle": cycle},
            "plan-management",
            shown={**shown, "cycle": cycle, "bundle": None, "card": None},
        )
    else:
        allowed = next((each["bundle_id"] for each in within if each["allowed"]), "")
        bundle = visit.asked.get("within") or allowed or next(iter(cards), "none")
        order = Order(
            "buy_add_on" if product["kind"] == "add_on" and offers("buy_add_on") else "buy_capacity",
            f"Buy {product['name']}",
            "Place Order",
            "fields_buy.html",
            wish,
            f"plans/{bundle}",
            {"bundle_id": bundle},
            facts_of(cards[bundle]) if bundle in cards else {},
            {**shown, "cycle": None, "bundle": bundle, "card": cards.get(bundle)},
        )
    return await _answered(visit, order)


async def _undo(visit: Visit, command: str, title: str, button: str) -> Response:
    card = await _card(visit)
    line = visit.asked.get("line")
    names = {each["line_id"]: each["name"] for each in card["lines"]}
    order = Order(
        command=command,
        title=f"{title}: {names.get(line or '', card['name'])}",
        button=button,
        fields="fields_undo.html",
        wish={"line_id": line} if line else {},
        back=f"plans/{card['bundle_id']}",
        ids={"bundle_id": card["bundle_id"]},
        seen=facts_of(card),
        shown={"card": card, "line_name": names.get(line or "")},
    )
    return await _answered(visit, order)


async def licence(visit: Visit) -> Response:
    """Gives a person a licence, or takes it back."""
    command = "unassign_licence" if visit.form.get("take") else "assign_licence"
    body = {"assignee": visit.form.get("assignee", "").strip()}
    bundle = visit.id("bundle_id")
    answer = await visit.api.command(command, body, visit.form.get("key"), "*", bundle_id=bundle)
    return visit.go(f"plans/{bundle}", done=command, at=answer["position"])


async def _answered(visit: Visit, order: Order) -> Response:
    return await (place if visit.request.method == "POST" else offer)(visit, order)


async def _card(visit: Visit) -> Members:
    card: Members = await visit.api.read("/product-cards/{bundle_id}", bundle_id=visit.id("bundle_id"))
    return card


def _sections(products: list[Members]) -> list[tuple[str, list[Members]]]:
    """What is for sale, as people look for it."""
    of = {"base": "Products", "capacity": "Capacities", "add_on": "Add-ons"}
    by_kind: dict[str, list[Members]] = {}
    for product in products:
        by_kind.setdefault(of.get(product["kind"], "Devices"), []).append(product)
    return [(name, by_kind[name]) for name in (*of.values(), "Devices") if name in by_kind]
