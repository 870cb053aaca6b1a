"""DOMAIN B18: what may be done with an order or a lease of which standing, and that nothing else decides it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from contracts.device_actions import (
    LeaseAction,
    LeaseStanding,
    LeaseStatus,
    OrderAction,
    OrderStanding,
    OrderStatus,
    allowed_lease_actions,
    allowed_order_actions,
    lease_status_on,
    order_status_at,
    shipping_status,
    why_no_order_action,
)
from contracts.plan_actions import Hold, Privilege
from contracts.problems import PROBLEMS

EDITOR = frozenset({Privilege.SUBSCRIPTION_EDIT})
VIEWER = frozenset(set(Privilege) - {Privilege.SUBSCRIPTION_EDIT})
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HELD = OrderStanding(OrderStatus.HOLD, NOON, amended=False, in_transit=0)
ENDS_ON = date(2029, 6, 6)
ACTIVE = LeaseStanding(LeaseStatus.ACTIVE, ENDS_ON, replacement_requested=False, return_requested=False)
ORDER, LEASE = OrderAction, LeaseAction
OVER = dict.fromkeys([ORDER.AMEND, ORDER.SUBMIT, ORDER.CANCEL], "order_hold_over")
NOTHING_MOVES = {ORDER.REPORT_LOSS: "nothing_in_transit"}
BEFORE = NOON - timedelta(microseconds=1)
ORDERS: dict[str, tuple[OrderStanding, datetime, dict[OrderAction, str]]] = {
    "held": (HELD, BEFORE, NOTHING_MOVES),
    "amended": (replace(HELD, amended=True), BEFORE, {ORDER.AMEND: "order_amended_already", **NOTHING_MOVES}),
    "past its hold": (HELD, NOON, {**OVER, **NOTHING_MOVES}),
    "submitted": (replace(HELD, status=OrderStatus.SUBMITTED), BEFORE, {**OVER, **NOTHING_MOVES}),
    "shipped": (replace(HELD, status=OrderStatus.SHIPPED, in_transit=1), NOON, OVER),
    "of an unpaid account": (
        replace(HELD, holds=frozenset({Hold.UNPAID})),
        BEFORE,
        {**dict.fromkeys([ORDER.AMEND, ORDER.SUBMIT], "unpaid_invoices"), **NOTHING_MOVES},
    ),
    "of an account under contract": (
        replace(HELD, holds=frozenset({Hold.CONTRACT})),
        BEFORE,
        {**dict.fromkeys([ORDER.AMEND, ORDER.SUBMIT, ORDER.CANCEL], "contract_managed"), **NOTHING_MOVES},
    ),
    "cancelled": (replace(HELD, status=OrderStatus.CANCELLED), BEFORE, dict.fromkeys(ORDER, "order_cancelled")),
}
NO_RMA = {LEASE.RETURN: "return_not_requested"}
LAST, DUE_ON = ENDS_ON - timedelta(days=1), ENDS_ON + timedelta(days=21)
LEASES: dict[str, tuple[LeaseStanding, date, dict[LeaseAction, str]]] = {
    "active": (ACTIVE, LAST, NO_RMA),
    "with a replacement on its way": (
        replace(ACTIVE, replacement_requested=True),
        LAST,
        {**dict.fromkeys([LEASE.REQUEST_REPLACEMENT, LEASE.REQUEST_RETURN], "replacement_requested"), **NO_RMA},
    ),
    "being returned": (
        replace(ACTIVE, return_requested=True),
        LAST,
        dict.fromkeys([LEASE.REQUEST_REPLACEMENT, LEASE.REQUEST_RETURN], "return_requested"),
    ),
    "past its end": (ACTIVE, DUE_ON, {LEASE.REQUEST_REPLACEMENT: "lease_over", **NO_RMA}),
    "past its return": (ACTIVE, DUE_ON + timedelta(days=1), dict.fromkeys(LEASE, "lease_over")),
    "returned": (replace(ACTIVE, status=LeaseStatus.RETURNED), LAST, dict.fromkeys(LEASE, "lease_over")),
    "overdue": (replace(ACTIVE, status=LeaseStatus.OVERDUE), LAST, dict.fromkeys(LEASE, "lease_over")),
}


@pytest.mark.parametrize(("standing", "now", "against"), ORDERS.values(), ids=ORDERS)
def test_what_may_be_done_with_an_order(
    standing: OrderStanding, now: datetime, against: dict[OrderAction, str]
) -> None:
    assert allowed_order_actions(standing, now, EDITOR) == {action: against.get(action) for action in ORDER}
    assert allowed_order_actions(standing, now, VIEWER) == dict.fromkeys(ORDER, "forbidden")


@pytest.mark.parametrize(("standing", "today", "against"), LEASES.values(), ids=LEASES)
def test_what_may_be_done_with_a_lease(standing: LeaseStanding, today: date, against: dict[LeaseAction, str]) -> None:
    assert allowed_lease_actions(standing, today, EDITOR) == {action: against.get(action) for action in LEASE}
    assert allowed_lease_actions(standing, today, VIEWER) == dict.fromkeys(LEASE, "forbidden")


def test_every_reason_is_a_problem_with_a_text() -> None:
    for standing, moving in product([each[0] for each in ORDERS.values()], [0, 1]):
        for now in (BEFORE, NOON):
            codes = allowed_order_actions(replace(standing, in_transit=moving), now, EDITOR).values()
            assert {code for code in codes if code} <= set(PROBLEMS)
    for standing_of_lease, today, _ in LEASES.values():
        assert {c for c in allowed_lease_actions(standing_of_lease, today, EDITOR).values() if c} <= set(PROBLEMS)


def test_a_hold_runs_out_at_its_instant_though_nobody_has_recorded_it() -> None:
    assert order_status_at(HELD, BEFORE) is OrderStatus.HOLD
    assert order_status_at(HELD, NOON) is OrderStatus.SUBMITTED
    assert why_no_order_action(ORDER.CANCEL, HELD, NOON, EDITOR) == "order_hold_over"


def test_a_lease_is_to_be_returned_for_21_days_and_overdue_afterwards() -> None:
    days = (LAST, ENDS_ON, DUE_ON, DUE_ON + timedelta(days=1))
    assert [lease_status_on(ACTIVE, on) for on in days] == [
        LeaseStatus.ACTIVE,
        LeaseStatus.RETURN_DUE,
        LeaseStatus.RETURN_DUE,
        LeaseStatus.OVERDUE,
    ]


@pytest.mark.parametrize(
    ("delivered", "in_transit", "status"),
    [
        (0, 0, "submitted"),
        (0, 6, "part_shipped"),
        (6, 0, "part_shipped"),
        (6, 4, "shipped"),
        (0, 10, "shipped"),
        (10, 0, "delivered"),
    ],
)
def test_an_order_is_as_far_as_its_units_are(delivered: int, in_transit: int, status: str) -> None:
    assert shipping_status(10, delivered, in_transit) == status
