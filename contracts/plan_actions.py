"""What may be done with a plan right now, and why not: the one function behind grey buttons and refusals (DOMAIN B18).

The decider of plans asks it before every command; the gateway asks it for every product card. Both give it the same
`PlanStanding`, so a button and a refusal cannot disagree.
"""

from collections.abc import Collection
from dataclasses import dataclass
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
    BUY_CAPACITY = "buy_capacity"
    BUY_ADD_ON = "buy_add_on"
    DISCARD_PENDING_CHANGE = "discard_pending_change"
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


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """The facts about a plan that decide what may be done with it. ends_on: the end of its term, or of a cancelled
    plan. refunded: cancelled, and what was left of it given back. holds: of its account."""

    status: PlanStatus
    one_month: bool
    ends_on: date
    licences: int
    assigned: int
    pending_changes: int
    refunded: bool = False
    holds: frozenset[Hold] = frozenset()


def standing_on(standing: PlanStanding, today: date) -> PlanStatus:
    """The status on a day: a cancelled or one-month plan has ended once its term is over (DOMAIN B8, B9)."""
    over = standing.status is PlanStatus.CANCEL_SCHEDULED or standing.one_month
    return PlanStatus.ENDED if over and today >= standing.ends_on else standing.status


_LICENSING = (PlanAction.ASSIGN_LICENCE, PlanAction.UNASSIGN_LICENCE)


def why_held(holds: Collection[Hold], cancelling: bool = False) -> str | None:
    """The problem code of a hold that forbids an account to buy or change anything (DOMAIN B5). An unpaid account may
    still cancel; under a contract or a legal hold nothing is done without us."""
    if Hold.LEGAL in holds:
        return "account_on_hold"
    if Hold.CONTRACT in holds:
        return "contract_managed"
    return "unpaid_invoices" if Hold.UNPAID in holds and not cancelling else None


def why_not(action: PlanAction, standing: PlanStanding, today: date, privileges: frozenset[str]) -> str | None:
    """The problem code that stands against `action` today, or None when it may be asked for."""
    if Privilege.SUBSCRIPTION_EDIT not in privileges:
        return "forbidden"
    status = standing_on(standing, today)
    if status is PlanStatus.ENDED:
        return "plan_ended"
    if action not in _LICENSING and (code := why_held(standing.holds, action is PlanAction.CANCEL_PLAN)):
        return code
    cancelled = status is PlanStatus.CANCEL_SCHEDULED
    if today >= standing.ends_on and action not in _LICENSING:
        return "renewal_due"
    match action:
        case PlanAction.EDIT_PLAN | PlanAction.BUY_CAPACITY | PlanAction.BUY_ADD_ON:
            if cancelled:
                return "plan_cancelled"
            return "one_month_plan" if standing.one_month else None
        case PlanAction.DISCARD_PENDING_CHANGE:
            if cancelled:
                return "plan_cancelled"
            return None if standing.pending_changes else "no_pending_change"
        case PlanAction.CANCEL_PLAN:
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
        case _:
            assert_never(action)


def allowed_actions(standing: PlanStanding, today: date, privileges: frozenset[str]) -> dict[PlanAction, str | None]:
    """Every action with the problem code that stands against it today, or None."""
    return {action: why_not(action, standing, today, privileges) for action in PlanAction}
