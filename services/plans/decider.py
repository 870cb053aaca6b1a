"""The rules of a bundle: a command and what is known become events, or a refusal. Pure (DOMAIN 4, 5)."""

from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar, assert_never

from contracts.money import AmountTooLarge, Currency
from contracts.plan_actions import PlanAction, Privilege, why_held, why_not
from contracts.plans import (
    AddOnCancelled,
    AddOnPurchased,
    CapacityPurchased,
    Direction,
    DiscardReason,
    LicenceAssigned,
    LicenceUnassigned,
    Money,
    NextRenewal,
    PlanCancelled,
    PlanEditDiscarded,
    PlanEdited,
    PlanEditScheduled,
    PlanEvent,
    PlanLine,
    PlanReinstated,
    PlanStarted,
    Product,
    ProductKind,
)
from contracts.pricing import Price
from contracts.problems import Refused
from contracts.terms import Cycle, term

from .account import Account
from .catalogue import Catalogue
from .charges import charge, credit, money
from .commands import (
    AssignLicence,
    BuyAddOn,
    BuyCapacity,
    CancelPlan,
    DiscardPendingChange,
    EditPlan,
    PlanCommand,
    ReinstatePlan,
    StartPlan,
    UnassignLicence,
)
from .plan import BASE_LINE, PendingChange, Plan, evolve
from .term_end import next_renewal

REFUND_DAYS = 30  # DOMAIN B8
LAST_DAY = date(9900, 1, 1)  # so that no term reaches beyond the calendar

# Events that say what the next term will cost.
Telling = TypeVar(
    "Telling",
    PlanEdited,
    PlanEditScheduled,
    PlanEditDiscarded,
    CapacityPurchased,
    AddOnPurchased,
    PlanCancelled,
    PlanReinstated,
)

ACTIONS: dict[type, PlanAction] = {
    EditPlan: PlanAction.EDIT_PLAN,
    BuyCapacity: PlanAction.BUY_CAPACITY,
    BuyAddOn: PlanAction.BUY_ADD_ON,
    DiscardPendingChange: PlanAction.DISCARD_PENDING_CHANGE,
    CancelPlan: PlanAction.CANCEL_PLAN,
    ReinstatePlan: PlanAction.REINSTATE_PLAN,
    AssignLicence: PlanAction.ASSIGN_LICENCE,
    UnassignLicence: PlanAction.UNASSIGN_LICENCE,
}


def decide(command: PlanCommand, plan: Plan | None, account: Account, catalogue: Catalogue) -> list[PlanEvent]:
    """What a command records, always at least one event. Raises Refused where a rule says no."""
    try:
        if isinstance(command, StartPlan):
            return _start(command, plan, account, catalogue)
        if plan is None:
            raise Refused("plan_not_found")
        return _change(command, _allowed(command, plan, account), catalogue)
    except AmountTooLarge:
        raise Refused("amount_too_large") from None


def _allowed(command: PlanCommand, plan: Plan, account: Account) -> Plan:
    """The plan, if its standing lets this be asked (DOMAIN B18) and no later day is recorded already (B12)."""
    standing = replace(plan.standing(), holds=account.held_for())
    if reason := why_not(ACTIONS[type(command)], standing, command.on, command.privileges):
        raise _refused(reason, account)
    if command.on < plan.last_effective_on:
        raise Refused("date_out_of_range", not_before=plan.last_effective_on.isoformat())
    return plan


def _refused(reason: str, account: Account) -> Refused:
    return Refused(reason, **account.unpaid()) if reason == "unpaid_invoices" else Refused(reason)


def _change(command: PlanCommand, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    match command:
        case EditPlan():
            return _edit(command, plan, catalogue)
        case BuyCapacity():
            return _buy_capacity(command, plan, catalogue)
        case BuyAddOn():
            return _buy_add_on(command, plan, catalogue)
        case DiscardPendingChange():
            return _discard_pending_change(command, plan, catalogue)
        case CancelPlan():
            return _cancel(command, plan, catalogue)
        case ReinstatePlan():
            return _reinstate(command, plan, catalogue)
        case AssignLicence():
            return _assign(command, plan)
        case UnassignLicence():
            return _unassign(command, plan)
        case StartPlan():
            raise Refused("second_base")
        case _:
            assert_never(command)


def _start(command: StartPlan, plan: Plan | None, account: Account, catalogue: Catalogue) -> list[PlanEvent]:
    if Privilege.SUBSCRIPTION_EDIT not in command.privileges:
        raise Refused("forbidden")
    if plan is not None:
        raise Refused("second_base")
    if reason := why_held(account.held_for()):
        raise _refused(reason, account)
    if command.currency not in (None, account.currency):
        raise Refused("currency_mismatch", currency=account.currency)
    product = _sold(catalogue, command.sku, command.on)
    if product.kind is not ProductKind.BASE:
        raise Refused("not_a_base", sku=product.sku)
    if product.requires and not command.account_bases.intersection(product.requires):
        raise Refused("requirement_unmet", requires=list(product.requires))
    if command.on > LAST_DAY:
        raise Refused("date_out_of_range")
    _check_quantity(product, command.quantity)
    price = _price(product, account.currency, command.cycle)
    line = _line(BASE_LINE, product, command.quantity, price, _book_version(catalogue, command.on))
    first = term(command.on, command.cycle, 0)
    blank = NextRenewal(cadence=command.cycle, due_on=first.end, currency=account.currency, amount_minor=0, lines=())
    started = PlanStarted(
        bundle_id=command.bundle_id,
        family=product.family,
        line=line,
        cycle=command.cycle,
        time_zone=account.time_zone,
        anchor_on=command.on,
        term_start=first.start,
        term_end=first.end,
        money=Money(currency=account.currency, net_minor=0, lines=()),
        next_renewal=blank,
    )
    begun = evolve(None, started, command.on)
    due_now = money(begun, [charge(begun, line, line.total_minor, line.quantity, command.on)])
    return [started.model_copy(update={"money": due_now, "next_renewal": next_renewal(begun, catalogue)})]


def _edit(command: EditPlan, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    before = _line_of(plan, command.line_id)
    after, product = _edited_line(command, plan, before, catalogue)
    pending = plan.pending.get(before.line_id)
    if after == before:
        if pending is None:
            raise Refused("no_change")
        return [_discarded(plan, pending, before.line_id, DiscardReason.SAME_AS_PRESENT, command.on, catalogue)]
    _check_quantity(product, after.quantity)
    if before.line_id == BASE_LINE:
        _check_assigned(plan, after.quantity)
    if after.sku != before.sku:
        _check_requirements_kept(plan, after.sku, command.on, catalogue)
    if _direction(before, after) is Direction.DOWN:
        return [_scheduled(command, plan, before, after, pending, catalogue)]
    return _edited_now(command, plan, before, after, pending, catalogue)


def _edited_line(command: EditPlan, plan: Plan, before: PlanLine, catalogue: Catalogue) -> tuple[PlanLine, Product]:
    """The line as it is wanted, and its product. More of the same keeps the line's own price for its term (B10)."""
    quantity = before.quantity if command.quantity is None else command.quantity
    if command.sku is None or command.sku == before.sku:
        product = catalogue.any_product(before.sku, command.on)
        return before.model_copy(
            update={"quantity": quantity, "total_minor": before.price.total_minor(quantity)}
        ), product
    product = _sold(catalogue, command.sku, command.on)
    if before.line_id != BASE_LINE:
        raise Refused("not_a_base", sku=before.sku)
    if product.kind is not ProductKind.BASE or product.family != plan.family:
        raise Refused("different_family", family=plan.family)
    price = _price(product, plan.currency, plan.cycle)
    return _line(before.line_id, product, quantity, price, _book_version(catalogue, command.on)), product


def _direction(before: PlanLine, after: PlanLine) -> Direction:
    """The same product by its quantity; another product by what the whole term costs, a tie being up."""
    if before.sku == after.sku:
        return Direction.UP if after.quantity > before.quantity else Direction.DOWN
    return Direction.UP if after.total_minor >= before.total_minor else Direction.DOWN


def _scheduled(
    command: EditPlan,
    plan: Plan,
    before: PlanLine,
    after: PlanLine,
    pending: PendingChange | None,
    catalogue: Catalogue,
) -> PlanEvent:
    event = PlanEditScheduled(
        bundle_id=plan.bundle_id,
        change_id=command.change_id,
        before=before,
        after=after,
        direction=Direction.DOWN,
        effective_on=plan.term.end,
        supersedes=pending.change_id if pending else None,
        next_renewal=plan.next_renewal(),
    )
    return _told(plan, event, command.on, catalogue)


def _edited_now(
    command: EditPlan,
    plan: Plan,
    before: PlanLine,
    after: PlanLine,
    pending: PendingChange | None,
    catalogue: Catalogue,
) -> list[PlanEvent]:
    """An immediate edit, after what it supersedes is discarded (DOMAIN B6)."""
    events: list[PlanEvent] = []
    if pending:
        events.append(_discarded(plan, pending, before.line_id, DiscardReason.SUPERSEDED, command.on, catalogue))
        plan = evolve(plan, events[0], command.on)
    edited = PlanEdited(
        bundle_id=plan.bundle_id,
        before=before,
        after=after,
        direction=Direction.UP,
        change_id=None,
        money=_edit_money(plan, before, after, command.on),
        next_renewal=plan.next_renewal(),
    )
    return [*events, _told(plan, edited, command.on, catalogue)]


def _edit_money(plan: Plan, before: PlanLine, after: PlanLine, on: date) -> Money:
    """More of the same: the rest of the difference. Another product: credit the old rest, charge the new one (M6)."""
    if before.sku == after.sku:
        delta = after.total_minor - before.total_minor
        if delta < 0:  # volume tiers: more units, lower total
            return money(plan, [credit(plan, before, on, full_minor=-delta)])
        return money(plan, [charge(plan, after, delta, after.quantity - before.quantity, on)])
    return money(plan, [credit(plan, before, on), charge(plan, after, after.total_minor, after.quantity, on)])


def _buy_capacity(command: BuyCapacity, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    product = _sold(catalogue, command.sku, command.on)
    if product.kind is not ProductKind.CAPACITY:
        raise Refused("second_base" if product.kind is ProductKind.BASE else "not_a_capacity", sku=product.sku)
    line = _line_beside(plan, command, product, "capacity_exists", catalogue)
    event = CapacityPurchased(
        bundle_id=plan.bundle_id, line=line, money=_rest(plan, line, command.on), next_renewal=plan.next_renewal()
    )
    return [_told(plan, event, command.on, catalogue)]


def _buy_add_on(command: BuyAddOn, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    product = _sold(catalogue, command.sku, command.on)
    if product.kind is not ProductKind.ADD_ON:
        raise Refused("second_base" if product.kind is ProductKind.BASE else "not_an_add_on", sku=product.sku)
    line = _line_beside(plan, command, product, "add_on_exists", catalogue)
    event = AddOnPurchased(
        bundle_id=plan.bundle_id, line=line, money=_rest(plan, line, command.on), next_renewal=plan.next_renewal()
    )
    return [_told(plan, event, command.on, catalogue)]


def _line_beside(
    plan: Plan, command: BuyCapacity | BuyAddOn, product: Product, exists: str, catalogue: Catalogue
) -> PlanLine:
    """A new line beside the base, in its cycle and for its term (DOMAIN B2, B3, B11). exists: what is said when the
    plan has the product already."""
    pending = plan.pending.get(BASE_LINE)
    bases = {plan.base.sku, pending.after.sku if pending else plan.base.sku}  # the base of the next term allows it too
    if product.requires and not bases.issubset(product.requires):
        raise Refused("requirement_unmet", requires=list(product.requires))
    if command.cycle not in (None, plan.cycle):
        raise Refused("term_mismatch", cycle=plan.cycle)
    if any(line.sku == product.sku for line in plan.lines.values()):
        raise Refused(exists, sku=product.sku)
    _check_quantity(product, command.quantity)
    price = _price(product, plan.currency, plan.cycle)
    line_id = f"line-{plan.bought_lines + 1}"
    return _line(line_id, product, command.quantity, price, _book_version(catalogue, command.on))


def _rest(plan: Plan, line: PlanLine, on: date) -> Money:
    return money(plan, [charge(plan, line, line.total_minor, line.quantity, on)])


def _discard_pending_change(command: DiscardPendingChange, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    line = _line_of(plan, command.line_id)
    pending = plan.pending.get(line.line_id)
    if pending is None:
        raise Refused("no_pending_change")
    return [_discarded(plan, pending, line.line_id, DiscardReason.ASKED, command.on, catalogue)]


def _cancel(command: CancelPlan, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    """The base ends last: with it go the other lines, in the same append, or it is refused (DOMAIN B1, B8)."""
    live = plan.live_addons()
    if live and not command.cascade:
        raise Refused("active_addons", lines=list(live))
    closes_on = plan.term.start + timedelta(days=REFUND_DAYS)
    if command.refund and command.on > closes_on:
        raise Refused("refund_window_closed", closed_on=closes_on.isoformat())
    tomorrow = min(command.on + timedelta(days=1), plan.term.end)
    ends_on = tomorrow if command.refund else plan.term.end  # what is given back is not served as well, nor the reverse
    credits = [credit(plan, line, ends_on) for line in plan.lines.values()] if command.refund else []
    events: list[PlanEvent] = [
        AddOnCancelled(bundle_id=plan.bundle_id, line_id=line_id, ends_on=ends_on) for line_id in live
    ]
    cancelled = PlanCancelled(
        bundle_id=plan.bundle_id,
        reason=command.reason,
        comment=command.comment,
        ends_on=ends_on,
        refund_requested=command.refund,
        money=money(plan, credits),
        next_renewal=plan.next_renewal(),
    )
    return [*events, _told(plan, cancelled, command.on, catalogue)]


def _reinstate(command: ReinstatePlan, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    cancellation = plan.cancellation
    if cancellation is None:
        raise Refused("not_cancelled")
    event = PlanReinstated(
        bundle_id=plan.bundle_id,
        line_ids=cancellation.cancelled_with,
        next_renewal=plan.next_renewal(),
    )
    return [_told(plan, event, command.on, catalogue)]


def _assign(command: AssignLicence, plan: Plan) -> list[PlanEvent]:
    if command.assignee in plan.assigned:
        raise Refused("no_change")
    return [LicenceAssigned(bundle_id=plan.bundle_id, assignee=command.assignee)]


def _unassign(command: UnassignLicence, plan: Plan) -> list[PlanEvent]:
    if command.assignee not in plan.assigned:
        raise Refused("no_change")
    return [LicenceUnassigned(bundle_id=plan.bundle_id, assignee=command.assignee)]


def _discarded(
    plan: Plan, pending: PendingChange, line_id: str, reason: DiscardReason, on: date, catalogue: Catalogue
) -> PlanEvent:
    event = PlanEditDiscarded(
        bundle_id=plan.bundle_id,
        change_id=pending.change_id,
        line_id=line_id,
        reason=reason,
        next_renewal=plan.next_renewal(),
    )
    return _told(plan, event, on, catalogue)


def _told(plan: Plan, event: Telling, on: date, catalogue: Catalogue) -> Telling:
    """The event with what the next term will cost once it has happened."""
    return event.model_copy(update={"next_renewal": next_renewal(evolve(plan, event, on), catalogue)})


def _line_of(plan: Plan, line_id: str | None) -> PlanLine:
    line = plan.lines.get(line_id or BASE_LINE)
    if line is None:
        raise Refused("line_not_found", line_id=line_id)
    return line


def _sold(catalogue: Catalogue, sku: str, on: date) -> Product:
    product = catalogue.product(sku, on)
    if product.sales_only:
        raise Refused("sales_only", sku=sku)
    return product


def _price(product: Product, currency: Currency, cycle: Cycle) -> Price:
    of_cycles = product.prices.get(currency)
    if of_cycles is None:
        raise Refused("currency_unavailable", currencies=sorted(product.prices))
    if cycle not in of_cycles:
        raise Refused("cycle_unavailable", cycles=sorted(of_cycles))
    return of_cycles[cycle]


def _line(line_id: str, product: Product, quantity: int, price: Price, book_version: int) -> PlanLine:
    return PlanLine(
        line_id=line_id,
        sku=product.sku,
        name=product.name,
        kind=product.kind,
        quantity=quantity,
        price=price,
        book_version=book_version,
        total_minor=price.total_minor(quantity),
        tax_code=product.tax_code,
    )


def _book_version(catalogue: Catalogue, on: date) -> int:
    book = catalogue.book_on(on)
    return book.book_version if book else 0


def _check_quantity(product: Product, quantity: int) -> None:
    """Minimum and maximum per product, in pack steps (DOMAIN B3)."""
    above = product.maximum is not None and quantity > product.maximum
    if quantity < product.minimum or above or quantity % product.pack:
        raise Refused(
            "quantity_out_of_range",
            minimum=product.minimum,
            maximum=product.maximum,
            pack=product.pack,
            requested=quantity,
        )


def _check_assigned(plan: Plan, quantity: int) -> None:
    if quantity < len(plan.assigned):
        raise Refused("licences_assigned", assigned=len(plan.assigned), requested=quantity)


def _check_requirements_kept(plan: Plan, base_sku: str, on: date, catalogue: Catalogue) -> None:
    """What hangs on the base must still be allowed on the new one (DOMAIN B11)."""
    unmet = []
    for line_id in plan.live_addons():
        requires = catalogue.any_product(plan.lines[line_id].sku, on).requires
        if requires and base_sku not in requires:
            unmet.append(line_id)
    if unmet:
        raise Refused("requirement_unmet", lines=unmet)
