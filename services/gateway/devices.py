"""Device orders and leases as their account sees them now: from rows to answers."""

from datetime import date, datetime
from typing import Any

from contracts.device_actions import (
    LeaseStanding,
    LeaseStatus,
    OrderStanding,
    OrderStatus,
    allowed_lease_actions,
    allowed_order_actions,
    lease_status_on,
    order_status_at,
    shipping_status,
)
from contracts.plan_actions import Hold

from .answers import DeviceLease, DeviceOrder, Permission

Row = dict[str, Any]


def order(row: Row, now: datetime, privileges: frozenset[str], holds: frozenset[Hold] = frozenset()) -> DeviceOrder:
    """now: an order leaves its hold at an instant, not on a day. privileges: the caller's in this account. holds: the
    account's."""
    contents, shipments = row["contents"], row["shipments"].values()
    facts = order_standing(row, holds)
    actions = allowed_order_actions(facts, now, privileges)
    kept = ("order_id", "currency", "time_zone", "placed_at", "hold_until", "amended", "submitted_at")
    return DeviceOrder.model_validate(
        {
            **{name: row[name] for name in (*kept, "last_event_id", "revision")},
            **{name: contents[name] for name in ("lines", "shipping", "ship_to", "speed", "monthly_minor")},
            "status": order_status_at(facts, now),
            "due_on_submission_minor": contents["due_on_submission"]["net_minor"],
            "units": sum(line["quantity"] for line in contents["lines"]),
            "units_delivered": _units(row, "delivered"),
            "units_in_transit": _units(row, "in_transit"),
            "shipments": list(shipments),
            "allowed_actions": {action: Permission.of(code) for action, code in actions.items()},
        },
        strict=False,
    )


def lease(row: Row, today: date, privileges: frozenset[str]) -> DeviceLease:
    """today: in the account's zone."""
    facts = lease_standing(row)
    actions = allowed_lease_actions(facts, today, privileges)
    return DeviceLease.model_validate(
        {
            **{name: value for name, value in row.items() if name not in ("account_id", "from")},
            "status": lease_status_on(facts, today),
            "allowed_actions": {action: Permission.of(code) for action, code in actions.items()},
        },
        strict=False,
    )


def order_standing(row: Row, holds: frozenset[Hold] = frozenset()) -> OrderStanding:
    """The facts that decide what may be done with an order, as its decider has them too (DOMAIN B18)."""
    units = sum(line["quantity"] for line in row["contents"]["lines"])
    if row["cancelled"]:
        status = OrderStatus.CANCELLED
    elif row["submitted_at"] is None:
        status = OrderStatus.HOLD
    else:
        status = shipping_status(units, _units(row, "delivered"), _units(row, "in_transit"))
    return OrderStanding(
        status=status,
        hold_until=datetime.fromisoformat(row["hold_until"]),
        amended=row["amended"],
        in_transit=sum(each["whereabouts"] == "in_transit" for each in row["shipments"].values()),
        holds=holds,
    )


def lease_standing(row: Row) -> LeaseStanding:
    return LeaseStanding(
        status=LeaseStatus(row["status"]),
        ends_on=date.fromisoformat(row["ends_on"]),
        replacement_requested=row["replacement_requested"],
        return_requested=row["returning"] is not None,
    )


def _units(row: Row, whereabouts: str) -> int:
    return sum(len(each["units"]) for each in row["shipments"].values() if each["whereabouts"] == whereabouts)
