"""DOMAIN B18: what may be done with a plan of which standing, told by the function that guards the commands too."""

from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from contracts.plan_actions import (
    Hold,
    LineKind,
    LineStanding,
    PlanAction,
    PlanStanding,
    PlanStatus,
    Privilege,
    allowed_actions,
    standing_on,
    why_not,
)
from contracts.problems import PROBLEMS

EDITOR = frozenset({Privilege.SUBSCRIPTION_EDIT})
VIEWER = frozenset(set(Privilege) - {Privilege.SUBSCRIPTION_EDIT})
JUNE_30, JULY_1 = date(2026, 6, 30), date(2026, 7, 1)
LINES = {"line-1": LineStanding(LineKind.BASE), "line-2": LineStanding(LineKind.CAPACITY)}
ACTIVE = PlanStanding(PlanStatus.ACTIVE, one_month=False, ends_on=JULY_1, licences=9, assigned=3, lines=LINES)
CANCELLED = replace(ACTIVE, status=PlanStatus.CANCEL_SCHEDULED)
ONE_MONTH = replace(ACTIVE, one_month=True)
WITH_PENDING = replace(ACTIVE, lines={**LINES, "line-1": LineStanding(LineKind.BASE, pending=True)})
A = PlanAction
KEPT = {A.REINSTATE_PLAN: "not_cancelled", A.REINSTATE_LINE: "line_not_cancelled"}
CANCELLING = {A.CANCEL_PLAN, A.CANCEL_LINE}
BUYING = set(A) - CANCELLING - {A.ASSIGN_LICENCE, A.UNASSIGN_LICENCE}
OF_STANDING: dict[str, tuple[PlanStanding, dict[PlanAction, str]]] = {
    "active": (ACTIVE, {**KEPT, A.DISCARD_PENDING_CHANGE: "no_pending_change"}),
    "with a pending change": (WITH_PENDING, KEPT),
    "of its base alone": (
        replace(WITH_PENDING, lines={"line-1": LineStanding(LineKind.BASE, pending=True)}),
        {**KEPT, A.CANCEL_LINE: "base_line", A.RESIZE_CAPACITY: "not_a_capacity"},
    ),
    "with an add-on": (
        replace(WITH_PENDING, lines={"line-1": LINES["line-1"], "line-3": LineStanding(LineKind.ADD_ON, pending=True)}),
        {**KEPT, A.RESIZE_CAPACITY: "not_a_capacity"},
    ),
    "with a cancelled line": (
        replace(WITH_PENDING, lines={**WITH_PENDING.lines, "line-2": LineStanding(LineKind.CAPACITY, ending=True)}),
        {A.REINSTATE_PLAN: "not_cancelled", A.CANCEL_LINE: "line_cancelled", A.RESIZE_CAPACITY: "line_cancelled"},
    ),
    "cancelled": (
        CANCELLED,
        {
            A.EDIT_PLAN: "plan_cancelled",
            A.CHANGE_CYCLE: "plan_cancelled",
            A.BUY_CAPACITY: "plan_cancelled",
            A.RESIZE_CAPACITY: "plan_cancelled",
            A.BUY_ADD_ON: "plan_cancelled",
            A.DISCARD_PENDING_CHANGE: "plan_cancelled",
            A.REINSTATE_LINE: "plan_cancelled",
            A.CANCEL_LINE: "already_cancelled",
            A.CANCEL_PLAN: "already_cancelled",
        },
    ),
    "of one month": (
        ONE_MONTH,
        {
            **KEPT,
            A.EDIT_PLAN: "one_month_plan",
            A.CHANGE_CYCLE: "one_month_plan",
            A.BUY_CAPACITY: "one_month_plan",
            A.RESIZE_CAPACITY: "one_month_plan",
            A.BUY_ADD_ON: "one_month_plan",
            A.DISCARD_PENDING_CHANGE: "no_pending_change",
            A.CANCEL_LINE: "one_month_plan",
            A.CANCEL_PLAN: "one_month_plan",
        },
    ),
    "full": (replace(WITH_PENDING, assigned=9), {**KEPT, A.ASSIGN_LICENCE: "all_licences_assigned"}),
    "unassigned": (replace(WITH_PENDING, assigned=0), {**KEPT, A.UNASSIGN_LICENCE: "no_change"}),
    "of an unpaid account": (
        replace(ACTIVE, holds=frozenset({Hold.UNPAID})),
        dict.fromkeys(BUYING, "unpaid_invoices"),
    ),
    "of an unpaid account under contract": (
        replace(ACTIVE, holds=frozenset({Hold.UNPAID, Hold.CONTRACT})),
        dict.fromkeys(BUYING | CANCELLING, "contract_managed"),
    ),
    "under a legal hold": (
        replace(ACTIVE, holds=frozenset({Hold.CONTRACT, Hold.LEGAL})),
        dict.fromkeys(BUYING | CANCELLING, "account_on_hold"),
    ),
}


@pytest.mark.parametrize(("standing", "refused"), OF_STANDING.values(), ids=OF_STANDING)
def test_a_standing_forbids_these_actions_and_no_other(standing: PlanStanding, refused: dict[PlanAction, str]) -> None:
    told = allowed_actions(standing, JUNE_30, EDITOR)
    assert {action: code for action, code in told.items() if code} == refused


def test_every_action_is_told_with_a_code_that_is_a_problem() -> None:
    every = product(OF_STANDING.values(), (JUNE_30, JULY_1), (EDITOR, VIEWER))
    for (standing, _), today, privileges in every:
        told = allowed_actions(standing, today, privileges)
        assert set(told) == set(PlanAction)
        assert all(code is None or code in PROBLEMS for code in told.values())
        assert told == {action: why_not(action, standing, today, privileges) for action in PlanAction}


def test_who_may_only_look_is_forbidden_everything() -> None:
    assert set(allowed_actions(ACTIVE, JUNE_30, VIEWER).values()) == {"forbidden"}


@pytest.mark.parametrize("standing", [CANCELLED, ONE_MONTH])
def test_a_cancelled_and_a_one_month_plan_have_ended_when_their_term_is_over(standing: PlanStanding) -> None:
    assert standing_on(standing, JUNE_30) is standing.status
    assert standing_on(standing, JULY_1) is PlanStatus.ENDED
    assert set(allowed_actions(standing, JULY_1, EDITOR).values()) == {"plan_ended"}


def test_a_plan_that_renews_is_left_alone_until_its_new_term_has_begun_but_for_its_licences() -> None:
    told = allowed_actions(ACTIVE, JULY_1, EDITOR)
    assert {action for action, code in told.items() if code is None} == {A.ASSIGN_LICENCE, A.UNASSIGN_LICENCE}
    assert set(told.values()) == {None, "renewal_due"}


def test_a_line_is_told_what_can_be_done_with_it_alone() -> None:
    lines = {
        "line-1": LineStanding(LineKind.BASE),
        "line-2": LineStanding(LineKind.CAPACITY, pending=True),
        "line-3": LineStanding(LineKind.ADD_ON, ending=True),
    }
    standing = replace(ACTIVE, lines=lines)
    told = {line: allowed_actions(standing, JUNE_30, EDITOR, line) for line in lines}
    assert told["line-1"] == {
        A.EDIT_PLAN: None,
        A.RESIZE_CAPACITY: "not_a_capacity",
        A.DISCARD_PENDING_CHANGE: "no_pending_change",
        A.CANCEL_LINE: "base_line",
        A.REINSTATE_LINE: "line_not_cancelled",
    }
    assert {action for action, code in told["line-2"].items() if code} == {A.REINSTATE_LINE}
    assert told["line-3"] == {
        A.EDIT_PLAN: "line_cancelled",
        A.RESIZE_CAPACITY: "not_a_capacity",
        A.DISCARD_PENDING_CHANGE: "no_pending_change",
        A.CANCEL_LINE: "line_cancelled",
        A.REINSTATE_LINE: None,
    }


def test_what_stands_against_the_plan_stands_against_its_lines() -> None:
    for standing in (CANCELLED, ONE_MONTH):
        whole, line = (allowed_actions(standing, JUNE_30, EDITOR, of) for of in (None, "line-2"))
        assert {action: whole[action] for action in line} == line
