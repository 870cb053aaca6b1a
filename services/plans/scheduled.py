"""A scheduled edit on its day, and a week before it (DOMAIN B4, B6). Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from contracts.money import within_range
from contracts.plan_actions import why_held
from contracts.plan_commands import DueLater
from contracts.plans import (
    DiscardReason,
    Money,
    MoneyLine,
    PlanEditDiscarded,
    PlanEdited,
    PlanEditScheduled,
    PlanEditWarned,
    PlanEvent,
)
from contracts.tax import TaxLine

from .account import Account
from .catalogue import Catalogue
from .charges import edit_money
from .offers import direction
from .plan import BASE_LINE, PendingChange, Plan, evolve
from .telling import next_renewal

Taxing = Callable[[Sequence[MoneyLine]], tuple[TaxLine, ...]]
WARNED_BEFORE = timedelta(days=7)


def take_effect(plan: Plan | None, change_id: str, account: Account, catalogue: Catalogue) -> list[PlanEvent]:
    """An edit within the term, whose day has come. Empty when it is pending no more; one of the end of the term is
    taken in by the next one."""
    if plan is None or plan.ended_on:
        return []
    pending = next(((line_id, each) for line_id, each in plan.pending.items() if each.change_id == change_id), None)
    if pending is None or pending[1].effective_on >= plan.term.end:
        return []
    line_id, change = pending
    event = _on_its_day(plan, change, line_id, account)
    renewal = next_renewal(evolve(plan, event, change.effective_on), catalogue)
    return [event.model_copy(update={"next_renewal": renewal})]


def _on_its_day(plan: Plan, pending: PendingChange, line_id: str, account: Account) -> PlanEdited | PlanEditDiscarded:
    if plan.cancellation:
        return discarded(plan, pending, line_id, DiscardReason.PLAN_CANCELLED)
    if why_held(account.held_for()):
        return discarded(plan, pending, line_id, DiscardReason.ACCOUNT_HELD)
    return edited(plan, pending, line_id)


def edited(plan: Plan, pending: PendingChange, line_id: str) -> PlanEdited | PlanEditDiscarded:
    """An edit on its day. Fewer licences than are assigned by now stay as they were (DOMAIN B4). One of the end of the
    term costs nothing by itself: the whole new term is charged right after."""
    if line_id == BASE_LINE and pending.after.quantity < len(plan.assigned):
        return discarded(plan, pending, line_id, DiscardReason.LICENCES_ASSIGNED)
    before = plan.lines[line_id]
    within = pending.effective_on < plan.term.end
    nothing = Money(currency=plan.currency, net_minor=0, lines=())
    return PlanEdited(
        bundle_id=plan.bundle_id,
        before=before,
        after=pending.after,
        direction=direction(before, pending.after),
        change_id=pending.change_id,
        money=edit_money(plan, before, pending.after, pending.effective_on) if within else nothing,
        next_renewal=plan.next_renewal(),
    )


def discarded(plan: Plan, pending: PendingChange, line_id: str, reason: DiscardReason) -> PlanEditDiscarded:
    return PlanEditDiscarded(
        bundle_id=plan.bundle_id,
        change_id=pending.change_id,
        line_id=line_id,
        reason=reason,
        next_renewal=plan.next_renewal(),
    )


def due_later(plan: Plan | None, events: Iterable[object], tax: Taxing) -> DueLater | None:
    """What the edit among `events` that is scheduled within the term will cost on its day, as things stand."""
    for event in events:
        if plan and isinstance(event, PlanEditScheduled) and event.effective_on < plan.term.end:
            then = edit_money(plan, event.before, event.after, event.effective_on)
            taxes = tax(then.lines)
            total_minor = within_range(then.net_minor + sum(line.tax_minor for line in taxes))
            return DueLater(on=event.effective_on, money=then, taxes=taxes, total_minor=total_minor)
    return None


def warning(plan: Plan | None, on: date) -> list[PlanEvent]:
    """That the reduction of the coming days will fail, said once (DOMAIN B4). Empty when it will not."""
    pending = plan.pending.get(BASE_LINE) if plan and not plan.cancellation else None
    if plan is None or pending is None or pending.warned or len(plan.assigned) <= pending.after.quantity:
        return []
    if on < pending.effective_on - WARNED_BEFORE:
        return []
    return [
        PlanEditWarned(
            bundle_id=plan.bundle_id,
            change_id=pending.change_id,
            line_id=BASE_LINE,
            effective_on=pending.effective_on,
            assigned=len(plan.assigned),
            requested=pending.after.quantity,
        )
    ]
