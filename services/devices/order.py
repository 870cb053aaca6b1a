"""A device order: what is in it, whether it is still held, and where its parcels are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from contracts.device_actions import OrderStanding, OrderStatus, shipping_status
from contracts.devices import (
    DeviceLine,
    DeviceOrderAmended,
    DeviceOrderCancelled,
    DeviceOrderPlaced,
    DeviceOrderSubmitted,
    OrderContents,
    OrderEvent,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentLost,
    Unit,
)
from contracts.money import Currency
from contracts.plan_actions import Hold
from contracts.plans import ProductKind


class Whereabouts(StrEnum):
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Shipment:
    """replaces: the lost shipment whose units it has. moved_at: when it came to be where it is."""

    shipment_id: str
    tracking_number: str
    units: tuple[Unit, ...]
    dispatched_at: datetime
    replaces: str | None
    whereabouts: Whereabouts
    moved_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """shipments: by id, in the order they were sent."""

    order_id: str
    currency: Currency
    time_zone: str
    contents: OrderContents
    hold_until: datetime
    amended: bool = False
    submitted_at: datetime | None = None
    cancelled: bool = False
    shipments: Mapping[str, Shipment] = field(default_factory=dict)

    def line(self, line_id: str) -> DeviceLine:
        return next(line for line in self.contents.lines if line.line_id == line_id)

    def day(self, at: datetime) -> date:
        """The date it is at an instant in the account's zone."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()

    def rented(self, shipment: Shipment) -> tuple[Unit, ...]:
        return tuple(u for u in shipment.units if self.line(u.line_id).kind is ProductKind.DEVICE_RENTAL)

    def lease_id(self, unit: Unit) -> str:
        return f"{self.order_id}-{unit.number}"

    def status(self) -> OrderStatus:
        """As recorded: a hold that has run out is a question of the time (`contracts.device_actions`)."""
        if self.cancelled:
            return OrderStatus.CANCELLED
        if self.submitted_at is None:
            return OrderStatus.HOLD
        at = [shipment.whereabouts for shipment in self.shipments.values() for _ in shipment.units]
        units = sum(line.quantity for line in self.contents.lines)
        return shipping_status(units, at.count(Whereabouts.DELIVERED), at.count(Whereabouts.IN_TRANSIT))

    def standing(self, holds: frozenset[Hold] = frozenset()) -> OrderStanding:
        """holds: of its account."""
        return OrderStanding(
            status=self.status(),
            hold_until=self.hold_until,
            amended=self.amended,
            in_transit=sum(each.whereabouts is Whereabouts.IN_TRANSIT for each in self.shipments.values()),
            holds=holds,
        )


def evolve(order: Order | None, event: OrderEvent, _effective_on: date) -> Order:
    if isinstance(event, DeviceOrderPlaced):
        return Order(event.order_id, event.currency, event.time_zone, event.contents, event.hold_until)
    assert order is not None
    match event:
        case DeviceOrderAmended():
            return replace(order, contents=event.after, amended=True)
        case DeviceOrderSubmitted():
            return replace(order, submitted_at=event.submitted_at)
        case DeviceOrderCancelled():
            return replace(order, cancelled=True)
        case ShipmentDispatched():
            return _with(order, _sent(event))
        case ShipmentDelivered():
            return _moved(order, event.shipment_id, Whereabouts.DELIVERED, event.delivered_at)
        case ShipmentLost():
            return _moved(order, event.shipment_id, Whereabouts.LOST, event.lost_at)
        case _:
            assert_never(event)


def _sent(event: ShipmentDispatched) -> Shipment:
    return Shipment(
        shipment_id=event.shipment_id,
        tracking_number=event.tracking_number,
        units=event.units,
        dispatched_at=event.dispatched_at,
        replaces=event.replaces,
        whereabouts=Whereabouts.IN_TRANSIT,
        moved_at=event.dispatched_at,
    )


def _moved(order: Order, shipment_id: str, whereabouts: Whereabouts, at: datetime) -> Order:
    return _with(order, replace(order.shipments[shipment_id], whereabouts=whereabouts, moved_at=at))


def _with(order: Order, shipment: Shipment) -> Order:
    return replace(order, shipments={**order.shipments, shipment.shipment_id: shipment})
