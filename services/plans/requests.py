"""What an HTTP body asks for, as a command: one entry per command in the address, and nothing decided yet."""

from datetime import date
from typing import assert_never

from contracts.plan_commands import (
    AssignLicenceBody,
    BuyCapacityBody,
    CancelPlanBody,
    Confirmable,
    DiscardPendingChangeBody,
    EditPlanBody,
    ReinstatePlanBody,
    StartPlanBody,
    UnassignLicenceBody,
)

from .commands import (
    AssignLicence,
    BuyCapacity,
    CancelPlan,
    DiscardPendingChange,
    EditPlan,
    PlanCommand,
    ReinstatePlan,
    StartPlan,
    UnassignLicence,
)

PlanBody = (
    StartPlanBody
    | EditPlanBody
    | BuyCapacityBody
    | DiscardPendingChangeBody
    | CancelPlanBody
    | ReinstatePlanBody
    | UnassignLicenceBody
    | AssignLicenceBody
)

# The last part of the address of a command on a bundle, and of its quote.
CHANGES: dict[str, type[Confirmable]] = {
    "edit": EditPlanBody,
    "capacities": BuyCapacityBody,
    "discard-pending-change": DiscardPendingChangeBody,
    "cancel": CancelPlanBody,
    "reinstate": ReinstatePlanBody,
    "assign-licence": AssignLicenceBody,
    "unassign-licence": UnassignLicenceBody,
}


def plan_command(
    body: PlanBody,
    *,
    bundle_id: str,
    on: date,
    change_id: str,
    privileges: frozenset[str],
    account_bases: frozenset[str],
) -> PlanCommand:
    """The command `body` asks for on a day. account_bases: skus of the account's active base products."""
    raise NotImplementedError
