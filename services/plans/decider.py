"""The rules of a bundle: a command and what is known become events, or a refusal. Pure (DOMAIN 4, 5)."""

from dataclasses import replace
from typing import assert_never

from contracts.money import AmountTooLarge
from contracts.plan_actions import LINE_ACTIONS, PlanAction, why_not
from contracts.plans import PlanEvent
from contracts.problems import Refused

from . import cancellations, edits, licences, purchases
from .account import Account
from .catalogue import Catalogue
from .commands import (
    AssignLicence,
    BuyAddOn,
    BuyCapacity,
    CancelLine,
    CancelPlan,
    ChangeCycle,
    DiscardPendingChange,
    EditPlan,
    PlanCommand,
    ReinstateLine,
    ReinstatePlan,
    ResizeCapacity,
    StartPlan,
    UnassignLicence,
)
from .plan import BASE_LINE, Plan

ACTIONS: dict[type, PlanAction] = {
    EditPlan: PlanAction.EDIT_PLAN,
    ChangeCycle: PlanAction.CHANGE_CYCLE,
    BuyCapacity: PlanAction.BUY_CAPACITY,
    ResizeCapacity: PlanAction.RESIZE_CAPACITY,
    BuyAddOn: PlanAction.BUY_ADD_ON,
    DiscardPendingChange: PlanAction.DISCARD_PENDING_CHANGE,
    CancelLine: PlanAction.CANCEL_LINE,
    ReinstateLine: PlanAction.REINSTATE_LINE,
    CancelPlan: PlanAction.CANCEL_PLAN,
    ReinstatePlan: PlanAction.REINSTATE_PLAN,
    AssignLicence: PlanAction.ASSIGN_LICENCE,
    UnassignLicence: PlanAction.UNASSIGN_LICENCE,
}


def decide(command: PlanCommand, plan: Plan | None, account: Account, catalogue: Catalogue) -> list[PlanEvent]:
    """What a command records, always at least one event. Raises Refused where a rule says no."""
    try:
        if isinstance(command, StartPlan):
            return purchases.start(command, plan, account, catalogue)
        if plan is None:
            raise Refused("plan_not_found")
        return _change(command, _allowed(command, plan, account), catalogue)
    except AmountTooLarge:
        raise Refused("amount_too_large") from None


def _allowed(command: PlanCommand, plan: Plan, account: Account) -> Plan:
    """The plan, if its standing lets this be asked (DOMAIN B18) and no later day is recorded already (B12)."""
    standing, action = replace(plan.standing(), holds=account.held_for()), ACTIONS[type(command)]
    line_id = (getattr(command, "line_id", None) or BASE_LINE) if action in LINE_ACTIONS else None
    missing = line_id is not None and line_id not in plan.lines
    if missing:  # what stands against the whole plan is said first
        standing, line_id = replace(standing, lines={}), None
    if reason := why_not(action, standing, command.on, command.privileges, line_id):
        raise account.refused(reason)
    if missing:
        raise Refused("line_not_found", line_id=getattr(command, "line_id", None))
    if command.on < plan.last_effective_on:
        raise Refused("date_out_of_range", not_before=plan.last_effective_on.isoformat())
    return plan


def _change(command: PlanCommand, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    match command:
        case EditPlan() | ResizeCapacity():
            return edits.edit(command, plan, catalogue)
        case ChangeCycle():
            return edits.change_cycle(command, plan, catalogue)
        case DiscardPendingChange():
            return edits.discard_pending_change(command, plan, catalogue)
        case BuyCapacity():
            return purchases.buy_capacity(command, plan, catalogue)
        case BuyAddOn():
            return purchases.buy_add_on(command, plan, catalogue)
        case CancelLine():
            return cancellations.cancel_line(command, plan, catalogue)
        case ReinstateLine():
            return cancellations.reinstate_line(command, plan, catalogue)
        case CancelPlan():
            return cancellations.cancel(command, plan, catalogue)
        case ReinstatePlan():
            return cancellations.reinstate(command, plan, catalogue)
        case AssignLicence():
            return licences.assign(command, plan)
        case UnassignLicence():
            return licences.unassign(command, plan)
        case StartPlan():
            raise Refused("second_base")
        case _:
            assert_never(command)
