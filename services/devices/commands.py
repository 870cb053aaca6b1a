"""What may be asked of a device order and of a lease: by a customer, or by the time that has come."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from contracts.devices import DeviceLine, ReplacementReason, Speed, Unit
from contracts.money import Currency

Wanted = tuple[tuple[str, int], ...]  # skus with their quantities


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Common to all commands of a customer. at: now. on: today in the account's zone. privileges: the caller's."""

    at: datetime
    on: date
    privileges: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder(Asked):
    order_id: str
    lines: Wanted
    ship_to: str
    speed: Speed


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendOrder(Asked):
    """What is None stays as it is."""

    lines: Wanted | None = None
    ship_to: str | None = None
    speed: Speed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOrder(Asked):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder(Asked):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLoss(Asked):
    tracking_number: str


@dataclass(frozen=True, slots=True)
class EndHold:
    """The hold has run out."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The carrier has taken a parcel."""

    shipment_id: str
    carrier: str
    tracking_number: str
    units: tuple[Unit, ...]
    replaces: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Arrive:
    """A parcel is where it was sent to, or will never be."""

    shipment_id: str
    fate: Literal["delivered", "lost"]
    at: datetime


OrderRequest = AmendOrder | SubmitOrder | CancelOrder | ReportLoss
OrderCommand = PlaceOrder | OrderRequest | EndHold | Dispatch | Arrive


@dataclass(frozen=True, slots=True)
class StartLease:
    """A rented unit has been delivered."""

    lease_id: str
    order_id: str
    shipment_id: str
    line: DeviceLine
    serial: str
    currency: Currency
    time_zone: str
    started_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReplacement(Asked):
    serial: str
    reason: ReplacementReason
    ship_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReturn(Asked):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnDevice(Asked):
    rma: str
    serial: str


@dataclass(frozen=True, slots=True)
class SendReplacement:
    """The carrier has taken the device that replaces a lease's present one."""

    serial: str
    carrier: str
    tracking_number: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MissReturn:
    """The last day on which the device might have come back is over."""


LeaseRequest = RequestReplacement | RequestReturn | ReturnDevice
LeaseCommand = StartLease | LeaseRequest | SendReplacement | MissReturn
