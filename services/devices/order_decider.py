"""The rules of a device order: a command and what is known become events, or a refusal. Pure (DOMAIN 3, 5, 6)."""

from datetime import datetime, timedelta
from typing import Literal, assert_never

from contracts.device_actions import OrderAction, OrderStatus, why_no_order_action
from contracts.devices import (
    DeviceOrderAmended,
    DeviceOrderCancelled,
    DeviceOrderPlaced,
    DeviceOrderSubmitted,
    OrderContents,
    OrderEvent,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentLost,
)
from contracts.money import AmountTooLarge
from contracts.plan_actions import Privilege, why_held
from contracts.problems import Refused

from .charges import first_month, money
from .commands import (
    AmendOrder,
    Arrive,
    CancelOrder,
    Dispatch,
    EndHold,
    OrderCommand,
    OrderRequest,
    PlaceOrder,
    ReportLoss,
    SubmitOrder,
)
from .order import Order, Shipment, Whereabouts
from .shop import Shop

# A day: long enough for a second thought in any time zone, and nothing has to be fetched back from a warehouse.
HOLD = timedelta(hours=24)

ACTIONS: dict[type, OrderAction] = {
    AmendOrder: OrderAction.AMEND,
    SubmitOrder: OrderAction.SUBMIT,
    CancelOrder: OrderAction.CANCEL,
    ReportLoss: OrderAction.REPORT_LOSS,
}


def decide(command: OrderCommand, order: Order | None, shop: Shop) -> list[OrderEvent]:
    """What a command records. Raises Refused where a rule says no. Empty: it is so already; only what the time brings
    can be, since it may come twice."""
    try:
        if isinstance(command, PlaceOrder):
            return [_placed(command, order, shop)]
        if order is None:
            raise Refused("order_not_found")
        if isinstance(command, EndHold | Dispatch | Arrive):
            return _brought(command, order)
        return [_requested(command, order, shop)]
    except AmountTooLarge:
        raise Refused("amount_too_large") from None


def _requested(command: OrderRequest, order: Order, shop: Shop) -> OrderEvent:
    standing = order.standing(shop.held_for())
    if reason := why_no_order_action(ACTIONS[type(command)], standing, command.at, command.privileges):
        raise shop.held(reason)
    match command:
        case AmendOrder():
            return _amended(command, order, shop)
        case SubmitOrder():
            return DeviceOrderSubmitted(
                order_id=order.order_id, submitted_at=command.at, money=order.contents.due_on_submission
            )
        case CancelOrder():
            return DeviceOrderCancelled(order_id=order.order_id)
        case ReportLoss():
            return _reported_lost(command, order)
        case _:
            assert_never(command)


def _brought(command: EndHold | Dispatch | Arrive, order: Order) -> list[OrderEvent]:
    """What happens by itself."""
    match command:
        case EndHold():
            if order.status() is not OrderStatus.HOLD:
                return []
            money_due = order.contents.due_on_submission
            return [DeviceOrderSubmitted(order_id=order.order_id, submitted_at=order.hold_until, money=money_due)]
        case Dispatch():
            if command.shipment_id in order.shipments:
                return []
            return [_dispatched(command, order)]
        case Arrive():
            shipment = order.shipments[command.shipment_id]
            if shipment.whereabouts is not Whereabouts.IN_TRANSIT:
                return []
            return [_arrived(command, order, shipment)]
        case _:
            assert_never(command)


def _placed(command: PlaceOrder, order: Order | None, shop: Shop) -> OrderEvent:
    if Privilege.SUBSCRIPTION_EDIT not in command.privileges:
        raise Refused("forbidden")
    assert order is None, "an order's id is its command's own"
    if reason := why_held(shop.held_for()):
        raise shop.held(reason)
    lines = shop.lines(command.lines)
    contents = shop.contents(lines, command.ship_to, command.speed, command.on)
    assert shop.account is not None
    return DeviceOrderPlaced(
        order_id=command.order_id,
        currency=shop.account.currency,
        time_zone=shop.account.time_zone,
        contents=contents,
        placed_at=command.at,
        hold_until=command.at + HOLD,
    )


def _amended(command: AmendOrder, order: Order, shop: Shop) -> OrderEvent:
    """Lines that are not amended keep their price."""
    before = order.contents
    unchanged = command.lines is None or command.lines == tuple((line.sku, line.quantity) for line in before.lines)
    lines = before.lines if unchanged else shop.lines(command.lines or (), before.lines)
    ship_to, speed = command.ship_to or before.ship_to, command.speed or before.speed
    after = shop.contents(lines, ship_to, speed, command.on)
    if _wish(after) == _wish(before):
        raise Refused("no_change")
    return DeviceOrderAmended(order_id=order.order_id, before=before, after=after)


def _wish(contents: OrderContents) -> object:
    """Contents without what follows from them."""
    return {(line.sku, line.quantity) for line in contents.lines}, contents.ship_to, contents.speed


def _reported_lost(command: ReportLoss, order: Order) -> OrderEvent:
    for shipment in order.shipments.values():
        if shipment.tracking_number == command.tracking_number and shipment.whereabouts is Whereabouts.IN_TRANSIT:
            return _lost(order, shipment, command.at, "customer")
    raise Refused("shipment_not_found", tracking_number=command.tracking_number)


def _dispatched(command: Dispatch, order: Order) -> OrderEvent:
    return ShipmentDispatched(
        order_id=order.order_id,
        shipment_id=command.shipment_id,
        carrier=command.carrier,
        tracking_number=command.tracking_number,
        units=command.units,
        dispatched_at=command.at,
        replaces=command.replaces,
    )


def _arrived(command: Arrive, order: Order, shipment: Shipment) -> OrderEvent:
    if command.fate == "lost":
        return _lost(order, shipment, command.at, "carrier")
    rented = [unit.line_id for unit in order.rented(shipment)]
    months = [
        first_month(order.line(line_id), rented.count(line_id), order.day(command.at))
        for line_id in dict.fromkeys(rented)
    ]
    return ShipmentDelivered(
        order_id=order.order_id,
        shipment_id=shipment.shipment_id,
        delivered_at=command.at,
        money=money(order.currency, months),
    )


def _lost(order: Order, shipment: Shipment, at: datetime, reported_by: Literal["carrier", "customer"]) -> OrderEvent:
    return ShipmentLost(order_id=order.order_id, shipment_id=shipment.shipment_id, lost_at=at, reported_by=reported_by)
