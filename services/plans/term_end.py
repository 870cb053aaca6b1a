"""What becomes of a bundle when its term is over: it goes on at the prices of that day, or ends (DOMAIN 3, B10).

Pure. Nobody is asked for a privilege here: these are commands of the calendar, of renewals and of the price book.
"""

from datetime import date

from contracts.plans import (
    EndReason,
    Money,
    PlanEditDiscarded,
    PlanEdited,
    PlanEnded,
    PlanEvent,
    PlanLapsed,
    PlanTermAdvanced,
    RenewalRequoted,
)
from contracts.terms import Cycle, term

from .catalogue import Catalogue
from .charges import charge, money
from .plan import Plan, evolve
from .scheduled import edited
from .telling import next_renewal, renewed


def advance(plan: Plan | None, due_on: date, catalogue: Catalogue) -> list[PlanEvent]:
    """The next term, after the changes that wait for it; or the end of a plan that does not go on. Empty when the term
    that ends on `due_on` is not the present one: it was dealt with already."""
    if plan is None or plan.ended_on or plan.term.end != due_on:
        return []
    if plan.cancellation or plan.cycle is Cycle.ONE_MONTH:
        return end(plan, due_on)
    events: list[PlanEdited | PlanEditDiscarded] = []
    for line_id, pending in plan.pending.items():
        if line_id not in plan.ending:
            events.append(edited(plan, pending, line_id))
            plan = evolve(plan, events[-1], due_on)
    advanced = _next_term(plan, due_on, catalogue)
    # The edits, too, tell what comes after the new term: the renewal of this day is under way, and is not told anew.
    return [*(event.model_copy(update={"next_renewal": advanced.next_renewal}) for event in events), advanced]


def end(plan: Plan | None, on: date) -> list[PlanEvent]:
    """The end of a cancelled or one-month plan whose last day is over. Empty for any other."""
    if plan is None or plan.ended_on or not (plan.cancellation or plan.cycle is Cycle.ONE_MONTH):
        return []
    ends_on = plan.cancellation.ends_on if plan.cancellation else plan.term.end
    if on < ends_on:
        return []
    reason = EndReason.CANCELLED if plan.cancellation else EndReason.ONE_MONTH
    ended = PlanEnded(
        bundle_id=plan.bundle_id, cadence=plan.cycle, ended_on=ends_on, reason=reason, next_renewal=plan.next_renewal()
    )
    return [ended.model_copy(update={"next_renewal": evolve(plan, ended, ends_on).next_renewal()})]


def lapse(plan: Plan | None, invoice_id: str, on: date) -> list[PlanEvent]:
    """The end of a plan that was not paid for to the last reminder (DOMAIN B16). Empty when it has ended anyway."""
    if plan is None or plan.ended_on:
        return []
    lapsed = PlanLapsed(bundle_id=plan.bundle_id, lapsed_on=on, invoice_id=invoice_id, next_renewal=plan.next_renewal())
    return [lapsed.model_copy(update={"next_renewal": evolve(plan, lapsed, on).next_renewal()})]


def requote(plan: Plan | None, book_version: int, catalogue: Catalogue) -> list[PlanEvent]:
    """What the next term costs now that a book was published. Empty when that is what was told last."""
    if plan is None or plan.ended_on:
        return []
    quoted = next_renewal(plan, catalogue)
    if quoted == plan.told:
        return []
    return [RenewalRequoted(bundle_id=plan.bundle_id, book_version=book_version, next_renewal=quoted)]


def _next_term(plan: Plan, due_on: date, catalogue: Catalogue) -> PlanTermAdvanced:
    number = plan.term_number + 1
    period = term(plan.anchor_on, plan.cycle, number)
    lines = tuple(renewed(plan, line, catalogue) for line_id, line in plan.lines.items() if line_id not in plan.ending)
    advanced = PlanTermAdvanced(
        bundle_id=plan.bundle_id,
        cadence=plan.cycle,
        number=number,
        term_start=period.start,
        term_end=period.end,
        lines=lines,
        money=Money(currency=plan.currency, net_minor=0, lines=()),
        next_renewal=plan.next_renewal(),
    )
    begun = evolve(plan, advanced, due_on)
    charges = [charge(begun, line, line.total_minor, line.quantity, due_on) for line in lines]
    return advanced.model_copy(update={"money": money(begun, charges), "next_renewal": next_renewal(begun, catalogue)})
