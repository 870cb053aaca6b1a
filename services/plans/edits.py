"""What a line becomes: more or less of it, another product, another cycle, now or on a later day (DOMAIN M6, M7, B6,
B7). Pure."""

from datetime import date

from contracts.plans import (
    CapacityResized,
    Direction,
    DiscardReason,
    PlanCycleChanged,
    PlanEdited,
    PlanEditScheduled,
    PlanEvent,
    PlanLine,
    Product,
    ProductKind,
)
from contracts.problems import Refused
from contracts.terms import term

from .catalogue import Catalogue
from .charges import charge, credit, edit_money, money
from .commands import ChangeCycle, DiscardPendingChange, EditPlan, ResizeCapacity
from .offers import (
    LAST_DAY,
    check_base_allows,
    check_kept_by,
    check_not_there,
    check_quantity,
    direction,
    line_of,
    price_of,
    sold,
)
from .plan import BASE_LINE, PendingChange, Plan, evolve
from .scheduled import discarded
from .telling import told

Edit = EditPlan | ResizeCapacity


def edit(command: Edit, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    before = plan.lines[command.line_id or BASE_LINE]
    after, product = _wanted(command, plan, before, catalogue)
    pending = plan.pending.get(before.line_id)
    if after == before:
        if pending is None:
            raise Refused("no_change")
        return [_discard(plan, pending, before.line_id, DiscardReason.SAME_AS_PRESENT, command.on, catalogue)]
    check_quantity(product, after.quantity)
    if before.line_id == BASE_LINE:
        if after.quantity < len(plan.assigned):
            raise Refused("licences_assigned", assigned=len(plan.assigned), requested=after.quantity)
        if after.sku != before.sku:
            check_kept_by(plan, after.sku, command.on, catalogue)
    effective_on = _effective_on(command, plan, before, after, product)
    if pending and (pending.after, pending.effective_on) == (after, effective_on):
        raise Refused("no_change")
    if effective_on > command.on:
        return [_scheduled(command, plan, before, after, effective_on, pending, catalogue)]
    return _edited_now(command, plan, before, after, pending, catalogue)


def _wanted(command: Edit, plan: Plan, before: PlanLine, catalogue: Catalogue) -> tuple[PlanLine, Product]:
    """The line as it is wanted, and its product. More of the same keeps the line's own price for its term (B10)."""
    quantity = before.quantity if command.quantity is None else command.quantity
    if command.sku is None or command.sku == before.sku:
        total_minor = before.price.total_minor(quantity)
        wanted = before.model_copy(update={"quantity": quantity, "total_minor": total_minor})
        return wanted, catalogue.any_product(before.sku, command.on)
    product = sold(catalogue, command.sku, command.on)
    if before.line_id == BASE_LINE:
        if product.kind is not ProductKind.BASE or product.family != plan.family:
            raise Refused("different_family", family=plan.family)
    elif before.kind is ProductKind.CAPACITY:
        tier_of = catalogue.any_product(before.sku, command.on).tier_of
        if tier_of is None or product.tier_of != tier_of:
            raise Refused("different_family", sku=before.sku)
        check_base_allows(plan, product)
        check_not_there(plan, product.sku, "capacity_exists", but=before.line_id)
    else:
        raise Refused("not_a_base", sku=before.sku)
    price = price_of(product, plan.currency, plan.cycle)
    return line_of(before.line_id, product, quantity, price, catalogue, command.on), product


def _effective_on(command: Edit, plan: Plan, before: PlanLine, after: PlanLine, product: Product) -> date:
    """Less takes effect at the end of the term, but for a product that gives back at once (DOMAIN M6); anything else on
    the day that was asked for, today when none was. Raises Refused date_out_of_range."""
    at_end = direction(before, after) is Direction.DOWN and not product.credits_reductions
    earliest = plan.term.end if at_end else command.on
    wanted = command.effective_on or earliest
    if not earliest <= wanted <= plan.term.end:  # what comes later is asked for in the next term (DOMAIN B12)
        limits = {"not_before": earliest.isoformat(), "not_after": plan.term.end.isoformat()}
        raise Refused("date_out_of_range", **limits)
    return wanted


def _scheduled(
    command: Edit,
    plan: Plan,
    before: PlanLine,
    after: PlanLine,
    effective_on: date,
    pending: PendingChange | None,
    catalogue: Catalogue,
) -> PlanEvent:
    event = PlanEditScheduled(
        bundle_id=plan.bundle_id,
        change_id=command.change_id,
        before=before,
        after=after,
        direction=direction(before, after),
        effective_on=effective_on,
        supersedes=pending.change_id if pending else None,
        next_renewal=plan.next_renewal(),
    )
    return told(plan, event, command.on, catalogue)


def _edited_now(
    command: Edit,
    plan: Plan,
    before: PlanLine,
    after: PlanLine,
    pending: PendingChange | None,
    catalogue: Catalogue,
) -> list[PlanEvent]:
    """An immediate edit, after what it supersedes is discarded (DOMAIN B6)."""
    events: list[PlanEvent] = []
    if pending:
        events.append(_discard(plan, pending, before.line_id, DiscardReason.SUPERSEDED, command.on, catalogue))
        plan = evolve(plan, events[0], command.on)
    due, turned, renewal = edit_money(plan, before, after, command.on), direction(before, after), plan.next_renewal()
    bundle_id = plan.bundle_id
    if before.kind is ProductKind.CAPACITY:
        resized = CapacityResized(
            bundle_id=bundle_id, before=before, after=after, direction=turned, money=due, next_renewal=renewal
        )
        return [*events, told(plan, resized, command.on, catalogue)]
    edited = PlanEdited(
        bundle_id=bundle_id,
        before=before,
        after=after,
        direction=turned,
        change_id=None,
        money=due,
        next_renewal=renewal,
    )
    return [*events, told(plan, edited, command.on, catalogue)]


def discard_pending_change(command: DiscardPendingChange, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    line_id = command.line_id or BASE_LINE
    return [_discard(plan, plan.pending[line_id], line_id, DiscardReason.ASKED, command.on, catalogue)]


def change_cycle(command: ChangeCycle, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    """A new term begins today, at the prices an existing customer has today; what is left of the old one is given back
    (DOMAIN M7). Lines that were to end with the old term end with it today."""
    if command.cycle is plan.cycle:
        raise Refused("no_change")
    if plan.pending and not command.discard_pending:  # DOMAIN B7
        raise Refused("pending_change", changes=[change.change_id for change in plan.pending.values()])
    if command.on > LAST_DAY:
        raise Refused("date_out_of_range")
    events: list[PlanEvent] = []
    for line_id, pending in plan.pending.items():
        events.append(_discard(plan, pending, line_id, DiscardReason.SUPERSEDED, command.on, catalogue))
        plan = evolve(plan, events[-1], command.on)
    kept = [line for line_id, line in plan.lines.items() if line_id not in plan.ending]
    lines = [catalogue.priced(line, command.on, plan.currency, command.cycle) for line in kept]
    if unpriced := [line.sku for line, priced in zip(kept, lines, strict=True) if priced is None]:
        raise Refused("cycle_unavailable", skus=unpriced)
    credits = [credit(plan, line, command.on) for line in plan.lines.values()]
    first = term(command.on, command.cycle, 0)
    changed = PlanCycleChanged(
        bundle_id=plan.bundle_id,
        before=plan.cycle,
        after=command.cycle,
        term_start=first.start,
        term_end=first.end,
        lines=tuple(line for line in lines if line),
        money=money(plan),
        next_renewal=plan.next_renewal(),
    )
    begun = evolve(plan, changed, command.on)
    charges = [charge(begun, line, line.total_minor, line.quantity, command.on) for line in changed.lines]
    paid = changed.model_copy(update={"money": money(plan, [*credits, *charges])})
    return [*events, told(plan, paid, command.on, catalogue)]


def _discard(
    plan: Plan, pending: PendingChange, line_id: str, reason: DiscardReason, on: date, catalogue: Catalogue
) -> PlanEvent:
    return told(plan, discarded(plan, pending, line_id, reason), on, catalogue)
