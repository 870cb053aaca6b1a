"""What ends with its term, or goes on after all: a bundle, or one line beside its base (DOMAIN B1, B8). Pure."""

from datetime import timedelta

from contracts.plans import (
    AddOnCancelled,
    AddOnReinstated,
    DiscardReason,
    PlanCancelled,
    PlanEvent,
    PlanReinstated,
)
from contracts.problems import Refused

from .catalogue import Catalogue
from .charges import credit, money
from .commands import CancelLine, CancelPlan, ReinstateLine, ReinstatePlan
from .offers import check_base_allows
from .plan import BASE_LINE, Plan, evolve
from .scheduled import discarded
from .telling import told

REFUND_DAYS = 30  # DOMAIN B8


def cancel(command: CancelPlan, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    """The base ends last: with it go the other lines, in the same append, or it is refused (DOMAIN B1, B8)."""
    live = plan.live_addons()
    if live and not command.cascade:
        raise Refused("active_addons", lines=list(live))
    closes_on = plan.term.start + timedelta(days=REFUND_DAYS)
    if command.refund and command.on > closes_on:
        raise Refused("refund_window_closed", closed_on=closes_on.isoformat())
    tomorrow = min(command.on + timedelta(days=1), plan.term.end)
    ends_on = tomorrow if command.refund else plan.term.end  # what is given back is not served as well, nor the reverse
    with_it = [line_id for line_id in plan.lines if line_id != BASE_LINE] if command.refund else live
    credits = [credit(plan, line, ends_on) for line in plan.lines.values()] if command.refund else []
    events: list[PlanEvent] = [
        AddOnCancelled(bundle_id=plan.bundle_id, line_id=line_id, ends_on=ends_on, next_renewal=None)
        for line_id in with_it
    ]
    cancelled = PlanCancelled(
        bundle_id=plan.bundle_id,
        reason=command.reason,
        comment=command.comment and f"{command.comment}-{command.change_id}",  # said again later, it is another one
        ends_on=ends_on,
        refund_requested=command.refund,
        money=money(plan, credits),
        next_renewal=plan.next_renewal(),
    )
    return [*events, told(plan, cancelled, command.on, catalogue)]


def reinstate(command: ReinstatePlan, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    cancellation = plan.cancellation
    if cancellation is None:
        raise Refused("not_cancelled")
    event = PlanReinstated(
        bundle_id=plan.bundle_id, line_ids=cancellation.cancelled_with, next_renewal=plan.next_renewal()
    )
    return [told(plan, event, command.on, catalogue)]


def cancel_line(command: CancelLine, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    """A line beside the base is served and paid to the end of the term; what was pending for it is discarded."""
    events: list[PlanEvent] = []
    if pending := plan.pending.get(command.line_id):
        event = discarded(plan, pending, command.line_id, DiscardReason.SUPERSEDED)
        events.append(told(plan, event, command.on, catalogue))
        plan = evolve(plan, events[0], command.on)
    cancelled = AddOnCancelled(
        bundle_id=plan.bundle_id, line_id=command.line_id, ends_on=plan.term.end, next_renewal=plan.next_renewal()
    )
    return [*events, told(plan, cancelled, command.on, catalogue)]


def reinstate_line(command: ReinstateLine, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    """Raises Refused requirement_unmet when the base has become one that does not allow the line."""
    check_base_allows(plan, catalogue.any_product(plan.lines[command.line_id].sku, command.on))
    event = AddOnReinstated(bundle_id=plan.bundle_id, line_id=command.line_id, next_renewal=plan.next_renewal())
    return [told(plan, event, command.on, catalogue)]
