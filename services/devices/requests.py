"""What an HTTP body asks for, as a command: one entry per command in the address, and nothing decided yet."""

from datetime import date, datetime

from pydantic import BaseModel

from contracts.device_commands import (
    AmendDeviceOrderBody,
    CancelDeviceOrderBody,
    PlaceDeviceOrderBody,
    ReportLossBody,
    RequestReplacementBody,
    RequestReturnBody,
    ReturnDeviceBody,
    SubmitDeviceOrderBody,
    WantedDevice,
)
from contracts.plan_commands import Request

from .commands import (
    AmendOrder,
    CancelOrder,
    LeaseRequest,
    OrderRequest,
    PlaceOrder,
    ReportLoss,
    RequestReplacement,
    RequestReturn,
    ReturnDevice,
    SubmitOrder,
    Wanted,
)

# The last part of the address of a command on an order, and on a lease.
ORDER_CHANGES: dict[str, type[Request]] = {
    "amend": AmendDeviceOrderBody,
    "submit": SubmitDeviceOrderBody,
    "cancel": CancelDeviceOrderBody,
    "report-loss": ReportLossBody,
}
LEASE_CHANGES: dict[str, type[Request]] = {
    "request-replacement": RequestReplacementBody,
    "request-return": RequestReturnBody,
    "return": ReturnDeviceBody,
}


def order_command(
    body: BaseModel, *, order_id: str, at: datetime, on: date, privileges: frozenset[str]
) -> PlaceOrder | OrderRequest:
    """The command `body` asks for at an instant, on the day it is then in the account's zone."""
    match body:
        case PlaceDeviceOrderBody():
            return PlaceOrder(
                at=at,
                on=on,
                privileges=privileges,
                order_id=order_id,
                lines=_wanted(body.lines),
                ship_to=body.ship_to,
                speed=body.speed,
            )
        case AmendDeviceOrderBody():
            lines = None if body.lines is None else _wanted(body.lines)
            return AmendOrder(at=at, on=on, privileges=privileges, lines=lines, ship_to=body.ship_to, speed=body.speed)
        case SubmitDeviceOrderBody():
            return SubmitOrder(at=at, on=on, privileges=privileges)
        case CancelDeviceOrderBody():
            return CancelOrder(at=at, on=on, privileges=privileges)
        case ReportLossBody():
            return ReportLoss(at=at, on=on, privileges=privileges, tracking_number=body.tracking_number)
        case _:
            raise TypeError(f"{type(body).__name__} asks for nothing an order can do")


def lease_command(body: BaseModel, *, at: datetime, on: date, privileges: frozenset[str]) -> LeaseRequest:
    asked = {"at": at, "on": on, "privileges": privileges, **body.model_dump()}
    match body:
        case RequestReplacementBody():
            return RequestReplacement(**asked)
        case RequestReturnBody():
            return RequestReturn(**asked)
        case ReturnDeviceBody():
            return ReturnDevice(**asked)
        case _:
            raise TypeError(f"{type(body).__name__} asks for nothing a lease can do")


def _wanted(lines: tuple[WantedDevice, ...]) -> Wanted:
    return tuple((line.sku, line.quantity) for line in lines)
