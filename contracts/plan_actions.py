"""What may be done with a plan right now, and why not: the one function behind grey buttons and refusals (DOMAIN B18).

The decider of plans asks it before every command; the gateway asks it for every product card. Both give it the same
`PlanStanding`, so a button and a refusal cannot disagree.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import assert_never


class Privilege(StrEnum):
    SUBSCRIPTION_READ = "BillingSubscription:Read"
    SUBSCRIPTION_EDIT = "BillingSubscription:Edit"
    INFORMATION_READ = "BillingInformation:Read"
    INFORMATION_EDIT = "BillingInformation:Edit"
    AUDIT_READ = "Audit:Read"
    CATALOGUE_EDIT = "Catalogue:Edit"
    CLOCK_EDIT = "Clock:Edit"
    HOLD_EDIT = "AccountHold:Edit"
    TAX_EDIT = "AccountTax:Edit"


class PlanAction(StrEnum):
    EDIT_PLAN = "edit_plan"
    CHANGE_CYCLE = "change_cycle"
    BUY_CAPACITY = "buy_capacity"
    RESIZE_CAPACITY = "resize_capacity"
    BUY_ADD_ON = "buy_add_on"
    DISCARD_PENDING_CHANGE = "discard_pending_change"
    CANCEL_LINE = "cancel_line"
    REINSTATE_LINE = "reinstate_line"
    CANCEL_PLAN = "cancel_plan"
    REINSTATE_PLAN = "reinstate_plan"
    ASSIGN_LICENCE = "assign_licence"
    UNASSIGN_LICENCE = "unassign_licence"


class Hold(StrEnum):
    """What keeps an account from changing what it buys (DOMAIN B5)."""

    UNPAID = "unpaid"
    CONTRACT = "contract"
    LEGAL = "legal"


class PlanStatus(StrEnum):
    ACTIVE = "active"
    CANCEL_SCHEDULED = "cancel_scheduled"
    ENDED = "ended"


class LineKind(StrEnum):
    BASE = "base"
    CAPACITY = "capacity"
    ADD_ON = "add_on"


@dataclass(frozen=True, slots=True)
class LineStanding:
    """ending: cancelled, and served to the end of the term. pending: a change of it is scheduled."""

    kind: LineKind
    ending: bool = False
    pending: bool = False


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """The facts about a plan that decide what may be done with it. ends_on: the end of its term, or of a cancelled
    plan. lines: by id. refunded: cancelled, and what was left of it given back. holds: of its account."""

    status: PlanStatus
    one_month: bool
    ends_on: date
    licences: int
    assigned: int
    lines: Mapping[str, LineStanding] = field(default_factory=dict)
    refunded: bool = False
    holds: frozenset[Hold] = frozenset()


def standing_on(standing: PlanStanding, today: date) -> PlanStatus:
    """The status on a day: a cancelled or one-month plan has ended once its term is over (DOMAIN B8, B9)."""
    over = standing.status is PlanStatus.CANCEL_SCHEDULED or standing.one_month
    return PlanStatus.ENDED if over and today >= standing.ends_on else standing.status


_LICENSING = (PlanAction.ASSIGN_LICENCE, PlanAction.UNASSIGN_LICENCE)
_CANCELLING = (PlanAction.CANCEL_PLAN, PlanAction.CANCEL_LINE)


def why_held(holds: Collection[Hold], cancelling: bool = False) -> str | None:
    """The problem code of a hold that forbids an account to buy or change anything (DOMAIN B5). An unpaid account may
    still cancel; under a contract or a legal hold nothing is done without us."""
    if Hold.LEGAL in holds:
        return "account_on_hold"
    if Hold.CONTRACT in holds:
        return "contract_managed"
    return "unpaid_invoices" if Hold.UNPAID in holds and not cancelling else None


def why_not(
    action: PlanAction, standing: PlanStanding, today: date, privileges: frozenset[str], line_id: str | None = None
) -> str | None:
    """The problem code that stands against `action` today, or None when it may be asked for. line_id: one of the
    plan's, when it is asked of that line alone."""
    if Privilege.SUBSCRIPTION_EDIT not in privileges:
        return "forbidden"
    status = standing_on(standing, today)
    if status is PlanStatus.ENDED:
        return "plan_ended"
    if action not in _LICENSING and (code := why_held(standing.holds, action in _CANCELLING)):
        return code
    if today >= standing.ends_on and action not in _LICENSING:
        return "renewal_due"
    if code := _why_not_of_plan(action, standing, status is PlanStatus.CANCEL_SCHEDULED):
        return code
    asked = [standing.lines[line_id]] if line_id else list(standing.lines.values())
    codes = [_why_not_of_line(action, line) for line in asked]
    return None if not codes or None in codes else _first(codes)


def _why_not_of_plan(action: PlanAction, standing: PlanStanding, cancelled: bool) -> str | None:
    match action:
        case PlanAction.CANCEL_PLAN | PlanAction.CANCEL_LINE:
            if cancelled:
                return "already_cancelled"
            return "one_month_plan" if standing.one_month else None
        case PlanAction.REINSTATE_PLAN:
            if not cancelled:
                return "not_cancelled"
            return "plan_refunded" if standing.refunded else None
        case PlanAction.ASSIGN_LICENCE:
            return "all_licences_assigned" if standing.assigned >= standing.licences else None
        case PlanAction.UNASSIGN_LICENCE:
            return None if standing.assigned else "no_change"
        case PlanAction.DISCARD_PENDING_CHANGE | PlanAction.REINSTATE_LINE:
            return "plan_cancelled" if cancelled else None
        case (
            PlanAction.EDIT_PLAN
            | PlanAction.CHANGE_CYCLE
            | PlanAction.BUY_CAPACITY
            | PlanAction.RESIZE_CAPACITY
            | PlanAction.BUY_ADD_ON
        ):
            if cancelled:
                return "plan_cancelled"
            return "one_month_plan" if standing.one_month else None
        case _:
            assert_never(action)


def _why_not_of_line(action: PlanAction, line: LineStanding) -> str | None:
    """What stands against an action on one line. The base is cancelled as the plan (DOMAIN B1)."""
    match action:
        case PlanAction.EDIT_PLAN:
            return "line_cancelled" if line.ending else None
        case PlanAction.RESIZE_CAPACITY:
            if line.kind is not LineKind.CAPACITY:
                return "not_a_capacity"
            return "line_cancelled" if line.ending else None
        case PlanAction.DISCARD_PENDING_CHANGE:
            return None if line.pending else "no_pending_change"
        case PlanAction.CANCEL_LINE:
            if line.kind is LineKind.BASE:
                return "base_line"
            return "line_cancelled" if line.ending else None
        case PlanAction.REINSTATE_LINE:
            return None if line.ending else "line_not_cancelled"
    return None


def _first(codes: Collection[str | None]) -> str | None:
    """Why none of a plan's lines will do: what is said of a line beside the base, if there is one."""
    return next((code for code in codes if code not in ("base_line", "not_a_capacity")), next(iter(codes)))


LINE_ACTIONS = (
    PlanAction.EDIT_PLAN,
    PlanAction.RESIZE_CAPACITY,
    PlanAction.DISCARD_PENDING_CHANGE,
    PlanAction.CANCEL_LINE,
    PlanAction.REINSTATE_LINE,
)


def allowed_actions(
    standing: PlanStanding, today: date, privileges: frozenset[str], line_id: str | None = None
) -> dict[PlanAction, str | None]:
    """Every action, or every one that can be asked of one line, with the problem code that stands against it today, or
    None."""
    of = LINE_ACTIONS if line_id else PlanAction
    return {action: why_not(action, standing, today, privileges, line_id) for action in of}
