"""What may be done with a device order or a lease right now, and why not (DOMAIN B18).

The deciders of devices ask it before every command of a customer; the gateway asks it for every order and lease shown.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import assert_never

from .leases import return_due_on
from .plan_actions import Hold, Privilege, why_held


class OrderAction(StrEnum):
    AMEND = "amend"
    SUBMIT = "submit"
    CANCEL = "cancel"
    REPORT_LOSS = "report_loss"


class OrderStatus(StrEnum):
    """SUBMITTED: nothing is on its way. PART_SHIPPED: some units wait to be sent. SHIPPED: none does."""

    HOLD = "hold"
    SUBMITTED = "submitted"
    PART_SHIPPED = "part_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class OrderStanding:
    """in_transit: parcels on their way. holds: of its account."""

    status: OrderStatus
    hold_until: datetime
    amended: bool
    in_transit: int
    holds: frozenset[Hold] = frozenset()


class LeaseAction(StrEnum):
    REQUEST_REPLACEMENT = "request_replacement"
    REQUEST_RETURN = "request_return"
    RETURN = "return"


class LeaseStatus(StrEnum):
    """RETURN_DUE: the 36 months are over and the device is not back."""

    ACTIVE = "active"
    RETURN_DUE = "return_due"
    RETURNED = "returned"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class LeaseStanding:
    """status: as recorded, which RETURN_DUE never is: it is a question of the day."""

    status: LeaseStatus
    ends_on: date
    replacement_requested: bool
    return_requested: bool


def shipping_status(units: int, delivered: int, in_transit: int) -> OrderStatus:
    """Of a submitted order, by how many of its units are where; those of a lost parcel are nowhere again."""
    if delivered == units:
        return OrderStatus.DELIVERED
    if delivered + in_transit == units:
        return OrderStatus.SHIPPED
    return OrderStatus.PART_SHIPPED if delivered + in_transit else OrderStatus.SUBMITTED


def order_status_at(standing: OrderStanding, now: datetime) -> OrderStatus:
    """An order whose hold has run out is submitted, though the event may be a moment away."""
    over = standing.status is OrderStatus.HOLD and now >= standing.hold_until
    return OrderStatus.SUBMITTED if over else standing.status


def lease_status_on(standing: LeaseStanding, today: date) -> LeaseStatus:
    if standing.status is not LeaseStatus.ACTIVE or today < standing.ends_on:
        return standing.status
    return LeaseStatus.RETURN_DUE if today <= return_due_on(standing.ends_on) else LeaseStatus.OVERDUE


def why_no_order_action(
    action: OrderAction, standing: OrderStanding, now: datetime, privileges: frozenset[str]
) -> str | None:
    """The problem code that stands against `action` now, or None when it may be asked for."""
    if Privilege.SUBSCRIPTION_EDIT not in privileges:
        return "forbidden"
    status = order_status_at(standing, now)
    if status is OrderStatus.CANCELLED:
        return "order_cancelled"
    if action is not OrderAction.REPORT_LOSS and (
        code := why_held(standing.holds, cancelling=action is OrderAction.CANCEL)
    ):
        return code
    match action:
        case OrderAction.AMEND:
            if status is not OrderStatus.HOLD:
                return "order_hold_over"
            return "order_amended_already" if standing.amended else None
        case OrderAction.SUBMIT | OrderAction.CANCEL:
            return None if status is OrderStatus.HOLD else "order_hold_over"
        case OrderAction.REPORT_LOSS:
            return None if standing.in_transit else "nothing_in_transit"
        case _:
            assert_never(action)


def why_no_lease_action(
    action: LeaseAction, standing: LeaseStanding, today: date, privileges: frozenset[str]
) -> str | None:
    """As `why_no_order_action`, of a lease on a day in its account's zone."""
    if Privilege.SUBSCRIPTION_EDIT not in privileges:
        return "forbidden"
    status = lease_status_on(standing, today)
    if status in (LeaseStatus.RETURNED, LeaseStatus.OVERDUE):
        return "lease_over"
    match action:
        case LeaseAction.REQUEST_REPLACEMENT:
            if status is LeaseStatus.RETURN_DUE:
                return "lease_over"
            if standing.return_requested:
                return "return_requested"
            return "replacement_requested" if standing.replacement_requested else None
        case LeaseAction.REQUEST_RETURN:
            if standing.replacement_requested:
                return "replacement_requested"
            return "return_requested" if standing.return_requested else None
        case LeaseAction.RETURN:
            return None if standing.return_requested else "return_not_requested"
        case _:
            assert_never(action)


def allowed_order_actions(
    standing: OrderStanding, now: datetime, privileges: frozenset[str]
) -> dict[OrderAction, str | None]:
    return {action: why_no_order_action(action, standing, now, privileges) for action in OrderAction}


def allowed_lease_actions(
    standing: LeaseStanding, today: date, privileges: frozenset[str]
) -> dict[LeaseAction, str | None]:
    return {action: why_no_lease_action(action, standing, today, privileges) for action in LeaseAction}
