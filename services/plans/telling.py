"""What the next term will cost, told with every event that changes it. Pure."""

from datetime import date
from typing import TypeVar

from contracts.plans import (
    AddOnCancelled,
    AddOnPurchased,
    AddOnReinstated,
    CapacityPurchased,
    CapacityResized,
    NextRenewal,
    PlanCancelled,
    PlanCycleChanged,
    PlanEditDiscarded,
    PlanEdited,
    PlanEditScheduled,
    PlanLine,
    PlanReinstated,
)

from .catalogue import Catalogue
from .plan import Plan, evolve

Telling = TypeVar(
    "Telling",
    PlanEdited,
    PlanEditScheduled,
    PlanEditDiscarded,
    PlanCycleChanged,
    CapacityPurchased,
    CapacityResized,
    AddOnPurchased,
    AddOnCancelled,
    AddOnReinstated,
    PlanCancelled,
    PlanReinstated,
)


def next_renewal(plan: Plan, catalogue: Catalogue) -> NextRenewal:
    """What the next term will cost by the price books known now. Raises AmountTooLarge."""
    return plan.next_renewal(lambda line: renewed(plan, line, catalogue))


def renewed(plan: Plan, line: PlanLine, catalogue: Catalogue) -> PlanLine:
    """A line as the next term begins with it."""
    return catalogue.renewed(line, plan.term.end, plan.currency, plan.cycle)


def told(plan: Plan, event: Telling, on: date, catalogue: Catalogue) -> Telling:
    """The event with what the next term will cost once it has happened."""
    return event.model_copy(update={"next_renewal": next_renewal(evolve(plan, event, on), catalogue)})
