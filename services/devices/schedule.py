"""What happens next to an order or a lease by itself, and when: the carrier's doing, or the calendar's. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from contracts.device_actions import LeaseStatus, OrderStatus
from contracts.devices import Speed
from contracts.leases import return_due_on

from .carrier import Carrier, Parcel
from .commands import Arrive, Dispatch, EndHold, MissReturn, SendReplacement, StartLease
from .lease import Lease
from .order import Order, Shipment, Whereabouts
from .parcels import packed, serial_of, units

Due = TypeVar("Due", covariant=True)


@dataclass(frozen=True, slots=True)
class Step(Generic[Due]):
    """name: the same whenever it is asked for, and of no other step of its stream: its command's id derives from it."""

    at: datetime
    name: str
    command: Due


OrderStep = Step[EndHold | Dispatch | Arrive]
LeaseStep = Step[SendReplacement | MissReturn]


def next_order_step(order: Order, carrier: Carrier) -> OrderStep | None:
    """The earliest one. None when the order will not move by itself any more."""
    match order.status():
        case OrderStatus.CANCELLED | OrderStatus.DELIVERED:
            return None
        case OrderStatus.HOLD:
            return Step(order.hold_until, "hold", EndHold())
        case _:
            return min(_shipping_steps(order, carrier), key=lambda step: (step.at, step.name), default=None)


def next_lease_step(lease: Lease, carrier: Carrier) -> LeaseStep | None:
    if lease.status is not LeaseStatus.ACTIVE:
        return None
    steps = [_missed(lease), *_replacing(lease, carrier)]
    return min(steps, key=lambda step: step.at)


def starting(order: Order, shipment: Shipment) -> Iterator[StartLease]:
    """The leases that begin with a delivery."""
    for unit in order.rented(shipment):
        yield StartLease(
            lease_id=order.lease_id(unit),
            order_id=order.order_id,
            shipment_id=shipment.shipment_id,
            line=order.line(unit.line_id),
            serial=unit.serial,
            currency=order.currency,
            time_zone=order.time_zone,
            started_on=order.day(shipment.moved_at),
        )


def _shipping_steps(order: Order, carrier: Carrier) -> Iterator[OrderStep]:
    """Every parcel's next step: it is sent, it arrives, or it is sent anew because it was lost."""
    assert order.submitted_at is not None
    contents = order.contents
    for first in packed(contents.lines):
        attempt, ready_at, days, lost = 0, order.submitted_at, first.days_after_first, None
        shipment_id = first.shipment_id
        while (shipment := order.shipments.get(shipment_id)) and shipment.whereabouts is Whereabouts.LOST:
            attempt, ready_at, days, lost = attempt + 1, shipment.moved_at, 0, shipment_id
            shipment_id = f"{first.shipment_id}-again-{attempt}"
        parcel = Parcel(
            name=f"{order.order_id}/{shipment_id}",
            ship_to=contents.ship_to,
            speed=contents.speed,
            ready_at=ready_at,
            days_after_first=days,
            again=attempt > 0,
            first=first.shipment_id == "shipment-1",
        )
        journey = carrier.journey(parcel)
        if shipment is None:
            taken = units(order.order_id, contents.lines, first.numbers, attempt)
            sending = Dispatch(shipment_id, carrier.name, journey.tracking_number, taken, lost, journey.dispatched_at)
            yield Step(journey.dispatched_at, f"dispatch {shipment_id}", sending)
        elif shipment.whereabouts is Whereabouts.IN_TRANSIT:
            yield Step(journey.ends_at, f"arrive {shipment_id}", Arrive(shipment_id, journey.fate, journey.ends_at))


def _replacing(lease: Lease, carrier: Carrier) -> Iterator[LeaseStep]:
    wanted = lease.replacement
    if wanted is None:
        return
    name = f"{lease.lease_id}/replacement-{wanted.number}"
    journey = carrier.journey(Parcel(name, wanted.ship_to, Speed.STANDARD, wanted.requested_at, again=True))
    sending = SendReplacement(serial_of(name), carrier.name, journey.tracking_number, journey.dispatched_at)
    yield Step(journey.dispatched_at, f"replacement {wanted.number}", sending)


def _missed(lease: Lease) -> LeaseStep:
    """At the midnight that ends the last day a return is in time."""
    after = return_due_on(lease.started.ends_on) + timedelta(days=1)
    midnight = datetime.combine(after, time(), ZoneInfo(lease.started.time_zone))
    return Step(midnight, "overdue", MissReturn())
