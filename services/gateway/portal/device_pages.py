"""Device Management: orders with their hold, parcels on their way, rented units and their returns."""

import uuid
from collections.abc import Mapping

from starlette.responses import Response

from contracts.problems import Refused

from .api import Members, Problem
from .ordering import whole
from .plan_pages import DEVICES
from .visits import Visit

MOST = 20  # lines in an order


async def device_management(visit: Visit) -> Response:
    orders = (await visit.api.read("/device-orders"))["orders"]
    leases = (await visit.api.read("/leases"))["leases"]
    return visit.page(
        "device_management.html",
        title="Device Management",
        here="device-management",
        orders=sorted(orders, key=lambda order: str(order["placed_at"]), reverse=True),
        leases=leases,
        sent_to={order["order_id"]: order["ship_to"] for order in orders},
        key=uuid.uuid4().hex,
    )


async def device_order(visit: Visit) -> Response:
    order = await visit.api.read("/device-orders/{order_id}", order_id=visit.id("order_id"))
    title = f"Order of {visit.formats.instant(order['placed_at'])}"
    return visit.page("device_order.html", title=title, here="device-management", order=order, key=uuid.uuid4().hex)


async def change_order(visit: Visit) -> Response:
    """Submits, amends or cancels an order on hold, or reports a parcel lost."""
    form, order_id = visit.form, visit.id("order_id")
    command, body = _known(
        visit.id("change"),
        {
            "submit": ("submit_device_order", {}),
            "cancel": ("cancel_device_order", {}),
            "amend": ("amend_device_order", {"lines": _lines(form), "speed": form.get("speed", "standard")}),
            "report-loss": ("report_lost_parcel", {"tracking_number": form.get("tracking_number", "")}),
        },
    )
    answer = await visit.api.command(command, body, form.get("key"), _tag(form), order_id=order_id)
    return visit.go(f"device-orders/{order_id}", done=command, at=answer["position"])


async def change_lease(visit: Visit) -> Response:
    form, lease_id = visit.form, visit.id("lease_id")
    serial = {name: form.get(name, "").strip() for name in ("serial", "reason", "ship_to")}
    command, body = _known(
        visit.id("change"),
        {
            "request-return": ("request_return", {}),
            "request-replacement": ("request_replacement", serial),
        },
    )
    answer = await visit.api.command(command, body, form.get("key"), _tag(form), lease_id=lease_id)
    return visit.go("device-management", done=command, at=answer["position"])


async def order_devices(visit: Visit) -> Response:
    """Devices have no quote: their prices are the price book's, and the hold leaves time to think again."""
    catalogue = await visit.api.read("/catalogue")
    devices = [product for product in catalogue["products"] if product["kind"] in DEVICES]
    problem: Members | None = None
    form = visit.form
    if visit.request.method == "POST":
        body = {"lines": _lines(form), "ship_to": form.get("ship_to", "").strip(), "speed": form.get("speed", "")}
        try:
            answer = await visit.api.command("place_device_order", body, form.get("key"))
            return visit.go("device-management", done="place_device_order", at=answer["position"])
        except Problem as refused:
            problem = refused.document
    wanted = {name: form.get(f"quantity:{name}", "") for name in (each["sku"] for each in devices)}
    if visit.asked.get("sku") in wanted and not form:
        wanted[visit.asked["sku"]] = "1"
    return visit.page(
        "order_devices.html",
        int(problem["status"]) if problem else 200,
        title="Order devices",
        here="device-management",
        devices=devices,
        currency=catalogue["currency"],
        wanted=wanted,
        problem=problem,
        given=form,
        key=form.get("key") or uuid.uuid4().hex,
    )


def _lines(form: Mapping[str, str]) -> list[Members]:
    """Of fields named quantity:sku; empty and zero ones are not wanted."""
    named = [(name.partition(":")[2], text.strip()) for name, text in form.items() if name.startswith("quantity:")]
    return [{"sku": sku, "quantity": whole(text)} for sku, text in named[:MOST] if text.strip("0")]


def _tag(form: Mapping[str, str]) -> str:
    return f'"{form.get("revision", "")}"'


def _known(change: str, changes: Mapping[str, tuple[str, Members]]) -> tuple[str, Members]:
    """The command of an address and its body. Raises Refused not_found."""
    if change not in changes:
        raise Refused("not_found")
    return changes[change]
