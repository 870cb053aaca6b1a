"""What an HTTP body asks for, as a command: one entry per command in the address, and nothing decided yet."""

from datetime import date

from pydantic import BaseModel

from contracts.plan_commands import (
    AssignLicenceBody,
    BuyAddOnBody,
    BuyCapacityBody,
    CancelLineBody,
    CancelPlanBody,
    ChangeCycleBody,
    Confirmable,
    DiscardPendingChangeBody,
    EditPlanBody,
    ReinstateLineBody,
    ReinstatePlanBody,
    ResizeCapacityBody,
    StartPlanBody,
    UnassignLicenceBody,
)

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

# The last part of the address of a command on a bundle, and of its quote.
CHANGES: dict[str, type[Confirmable]] = {
    "edit": EditPlanBody,
    "change-cycle": ChangeCycleBody,
    "capacities": BuyCapacityBody,
    "resize-capacity": ResizeCapacityBody,
    "add-ons": BuyAddOnBody,
    "discard-pending-change": DiscardPendingChangeBody,
    "cancel-line": CancelLineBody,
    "reinstate-line": ReinstateLineBody,
    "cancel": CancelPlanBody,
    "reinstate": ReinstatePlanBody,
    "assign-licence": AssignLicenceBody,
    "unassign-licence": UnassignLicenceBody,
}


def plan_command(
    body: BaseModel,
    *,
    bundle_id: str,
    on: date,
    change_id: str,
    privileges: frozenset[str],
    account_bases: frozenset[str],
) -> PlanCommand:
    """The command `body` asks for on a day. account_bases: skus of the account's active base products."""
    said = body.model_dump(exclude={"quote_token"})
    asked = {"bundle_id": bundle_id, "on": on, "change_id": change_id, "privileges": privileges, **said}
    match body:
        case StartPlanBody():
            return StartPlan(**asked, account_bases=account_bases)
        case EditPlanBody():
            return EditPlan(**asked)
        case ChangeCycleBody():
            return ChangeCycle(**asked)
        case ResizeCapacityBody():
            return ResizeCapacity(**asked)
        case BuyCapacityBody():
            return BuyCapacity(**asked)
        case BuyAddOnBody():
            return BuyAddOn(**asked)
        case DiscardPendingChangeBody():
            return DiscardPendingChange(**asked)
        case ReinstateLineBody():  # before CancelLineBody, whose subclass it is
            return ReinstateLine(**asked)
        case CancelLineBody():
            return CancelLine(**asked)
        case CancelPlanBody():
            return CancelPlan(**asked)
        case ReinstatePlanBody():
            return ReinstatePlan(**asked)
        case UnassignLicenceBody():  # before AssignLicenceBody, whose subclass it is
            return UnassignLicence(**asked)
        case AssignLicenceBody():
            return AssignLicence(**asked)
        case _:
            raise TypeError(f"{type(body).__name__} asks for nothing a plan can do")
