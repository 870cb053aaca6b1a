"""Events of the devices service: orders with their shipments, and leases, one per rented unit (DOMAIN 3).

An event that has `money` says what is to be invoiced at once. The months of a lease are charged by the arithmetic in
`leases`, from DeviceLeaseStarted on.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from .money import Currency, Minor
from .plans import STANDARD_TAX, Body, Id, Money, ProductKind, Quantity, TaxCode
from .pricing import PriceMinor
from .tracking import Serial, TrackingNumber

MAX_UNITS = 1500  # in one order
ShipTo = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="A reference to an address kept elsewhere")]


class Speed(StrEnum):
    STANDARD = "standard"
    EXPRESS = "express"


class ReplacementReason(StrEnum):
    DEFECT = "defect"
    DAMAGED_IN_TRANSIT = "damaged_in_transit"
    WRONG_DEVICE = "wrong_device"


class DeviceLine(Body):
    """A device in an order. unit_minor: what one costs, a month if rented, else once. list_minor: what one costs that
    is kept. family: of the plans whose licences allow for it."""

    line_id: Id
    sku: Id
    name: str
    kind: ProductKind
    family: Id
    quantity: Quantity
    unit_minor: PriceMinor
    list_minor: PriceMinor
    book_version: int
    tax_code: TaxCode = STANDARD_TAX


class OrderContents(Body):
    """What is wanted. due_on_submission: sales and shipping. monthly_minor: the rent of a month, once all is there."""

    lines: Annotated[tuple[DeviceLine, ...], Field(min_length=1)]
    shipping: DeviceLine
    ship_to: ShipTo
    speed: Speed
    due_on_submission: Money
    monthly_minor: Minor


class Unit(Body):
    """One device in a parcel. number: counts the units of an order from 1, and stays when a parcel is sent anew."""

    number: Quantity
    line_id: Id
    serial: Serial


class DeviceOrderPlaced(Body):
    """Until hold_until it may be amended once, or cancelled; then it is submitted by itself."""

    order_id: Id
    currency: Currency
    time_zone: str
    contents: OrderContents
    placed_at: AwareDatetime
    hold_until: AwareDatetime


class DeviceOrderAmended(Body):
    """The order asks for something else now."""

    order_id: Id
    before: OrderContents
    after: OrderContents


class DeviceOrderSubmitted(Body):
    """The order is binding. money: sales and shipping."""

    order_id: Id
    submitted_at: AwareDatetime
    money: Money


class DeviceOrderCancelled(Body):
    """The order was taken back before it was submitted; nothing is charged."""

    order_id: Id


class ShipmentDispatched(Body):
    """A parcel is on its way. replaces: the lost shipment whose units go out again, with other serials."""

    order_id: Id
    shipment_id: Id
    carrier: str
    tracking_number: TrackingNumber
    units: Annotated[tuple[Unit, ...], Field(min_length=1)]
    dispatched_at: AwareDatetime
    replaces: Id | None


class ShipmentDelivered(Body):
    """A parcel is with the customer. money: the first month of every rented unit in it, whose leases begin that day."""

    order_id: Id
    shipment_id: Id
    delivered_at: AwareDatetime
    money: Money


class ShipmentLost(Body):
    """A parcel will not arrive; its units are sent again."""

    order_id: Id
    shipment_id: Id
    lost_at: AwareDatetime
    reported_by: Literal["carrier", "customer"]


class DeviceLeaseStarted(Body):
    """One rented unit is with its customer, from started_on to ends_on (half-open), for monthly_minor a month."""

    lease_id: Id
    order_id: Id
    shipment_id: Id
    line_id: Id
    sku: Id
    name: str
    family: Id
    serial: Serial
    currency: Currency
    time_zone: str
    monthly_minor: PriceMinor
    list_minor: PriceMinor
    book_version: int
    started_on: date
    ends_on: date
    tax_code: TaxCode = STANDARD_TAX


class DeviceReplacementRequested(Body):
    """The customer asks for another device in place of this one. serial: of the device that shall be replaced."""

    lease_id: Id
    serial: Serial
    reason: ReplacementReason
    ship_to: ShipTo
    requested_at: AwareDatetime


class DeviceReplacementSent(Body):
    """From now on the lease is one of the device with `serial`."""

    lease_id: Id
    replaces: Serial
    serial: Serial
    carrier: str
    tracking_number: TrackingNumber
    sent_at: AwareDatetime


class DeviceReturnRequested(Body):
    """The customer will send the device back. rma: the number to send the device back under. due_on: the last day
    without a fee."""

    lease_id: Id
    rma: Id
    due_on: date


class DeviceReturned(Body):
    """The lease is over, on ended_on or earlier if its 36 months were. The month that has begun stays charged."""

    lease_id: Id
    rma: Id
    serial: Serial
    ended_on: date


class DeviceReturnOverdue(Body):
    """The device did not come back in time and is the customer's. money: the fee; no lines when the rentals have paid
    for the device."""

    lease_id: Id
    due_on: date
    rentals_minor: Minor
    fee_minor: Minor
    money: Money


OrderEvent = (
    DeviceOrderPlaced
    | DeviceOrderAmended
    | DeviceOrderSubmitted
    | DeviceOrderCancelled
    | ShipmentDispatched
    | ShipmentDelivered
    | ShipmentLost
)
LeaseEvent = (
    DeviceLeaseStarted
    | DeviceReplacementRequested
    | DeviceReplacementSent
    | DeviceReturnRequested
    | DeviceReturned
    | DeviceReturnOverdue
)
