"""The HTTP bodies of device commands, as gateway and devices service agree on them."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from .devices import MAX_UNITS, ReplacementReason, ShipTo, Speed
from .plan_commands import Request
from .plans import Id, Quantity
from .tracking import Serial, TrackingNumber


class WantedDevice(Request):
    sku: Id
    quantity: Annotated[Quantity, Field(le=MAX_UNITS)]


Wanted = Annotated[tuple[WantedDevice, ...], Field(min_length=1, max_length=20)]


class PlaceDeviceOrderBody(Request):
    """ship_to: an opaque reference to an address, never the address."""

    lines: Wanted
    ship_to: ShipTo
    speed: Speed = Speed.STANDARD


class AmendDeviceOrderBody(Request):
    """What is left out stays as it is."""

    lines: Wanted | None = None
    ship_to: ShipTo | None = None
    speed: Speed | None = None

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        if self.lines is None and self.ship_to is None and self.speed is None:
            raise ValueError("say which lines, ship_to or speed the order shall have")
        return self


class SubmitDeviceOrderBody(Request):
    pass


class CancelDeviceOrderBody(Request):
    pass


class ReportLossBody(Request):
    tracking_number: TrackingNumber


class RequestReplacementBody(Request):
    """serial: of the device as it says on it, so that nobody replaces another one."""

    serial: Serial
    reason: ReplacementReason
    ship_to: ShipTo


class RequestReturnBody(Request):
    pass


class ReturnDeviceBody(Request):
    """A device has come back: what the label of its parcel and the device itself say."""

    rma: Id
    serial: Serial
