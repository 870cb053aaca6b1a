"""Who has a licence (DOMAIN B4). Pure."""

from contracts.plans import LicenceAssigned, LicenceUnassigned, PlanEvent
from contracts.problems import Refused

from .commands import AssignLicence, UnassignLicence
from .plan import Plan, evolve
from .scheduled import warning


def assign(command: AssignLicence, plan: Plan) -> list[PlanEvent]:
    """With a warning, when a reduction of the next days will fail for it."""
    if command.assignee in plan.assigned:
        raise Refused("no_change")
    assigned = LicenceAssigned(bundle_id=plan.bundle_id, assignee=command.assignee)
    return [assigned, *warning(evolve(plan, assigned, command.on), command.on)]


def unassign(command: UnassignLicence, plan: Plan) -> list[PlanEvent]:
    if command.assignee not in plan.assigned:
        raise Refused("no_change")
    return [LicenceUnassigned(bundle_id=plan.bundle_id, assignee=command.assignee)]
