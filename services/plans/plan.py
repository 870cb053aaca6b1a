"""A bundle: one base line with its capacities and add-ons, their term, what is pending, who has a licence. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import assert_never

from contracts.money import Currency, within_range
from contracts.plan_actions import LineKind, LineStanding, PlanStanding, PlanStatus
from contracts.plans import (
    AddOnCancelled,
    AddOnPurchased,
    AddOnReinstated,
    CapacityPurchased,
    CapacityResized,
    LicenceAssigned,
    LicenceUnassigned,
    Money,
    NextRenewal,
    PlanCancelled,
    PlanCycleChanged,
    PlanEditDiscarded,
    PlanEdited,
    PlanEditScheduled,
    PlanEditWarned,
    PlanEnded,
    PlanEvent,
    PlanLapsed,
    PlanLine,
    PlanReinstated,
    PlanStarted,
    PlanTermAdvanced,
    RenewalLine,
    RenewalRequoted,
)
from contracts.proration import Period
from contracts.terms import Cycle

BASE_LINE = "line-1"

Renewed = Callable[[PlanLine], PlanLine]


def _unchanged(line: PlanLine) -> PlanLine:
    return line


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A line as it will be from a later day of the term on, or from its end. warned: that it will fail."""

    change_id: str
    after: PlanLine
    effective_on: date
    warned: bool = False


@dataclass(frozen=True, slots=True)
class Cancellation:
    """cancelled_with: lines that cascade cancelled."""

    ends_on: date
    cancelled_with: tuple[str, ...]
    refunded: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """lines: by id, the base first; every line shares the term (DOMAIN B2). charged_minor: per line in this term, net
    of credits. ending: lines that will not renew; ended_alone: those cancelled before their plan. last_effective_on:
    nothing is dated before it (DOMAIN B12). told: the
    next renewal as it was last told. ended_on: when it ended or lapsed; nothing happens to it any more."""

    bundle_id: str
    family: str
    currency: Currency
    cycle: Cycle
    time_zone: str
    anchor_on: date
    term: Period
    lines: Mapping[str, PlanLine]
    charged_minor: Mapping[str, int]
    last_effective_on: date
    term_number: int = 0
    bought_lines: int = 1
    told: NextRenewal | None = None
    ended_on: date | None = None
    pending: Mapping[str, PendingChange] = field(default_factory=dict)
    ending: frozenset[str] = frozenset()
    ended_alone: frozenset[str] = frozenset()
    cancellation: Cancellation | None = None
    assigned: frozenset[str] = frozenset()

    @property
    def base(self) -> PlanLine:
        return self.lines[BASE_LINE]

    def live_addons(self) -> tuple[str, ...]:
        """Lines beside the base that will renew unless they are cancelled."""
        return tuple(line_id for line_id in self.lines if line_id != BASE_LINE and line_id not in self.ending)

    def standing(self) -> PlanStanding:
        return PlanStanding(
            status=self._status(),
            one_month=self.cycle is Cycle.ONE_MONTH,
            ends_on=self.cancellation.ends_on if self.cancellation else self.term.end,
            licences=self.base.quantity,
            assigned=len(self.assigned),
            lines={line_id: self._line_standing(line_id, line) for line_id, line in self.lines.items()},
            refunded=self.cancellation is not None and self.cancellation.refunded,
        )

    def _line_standing(self, line_id: str, line: PlanLine) -> LineStanding:
        return LineStanding(LineKind(line.kind), ending=line_id in self.ending, pending=line_id in self.pending)

    def _status(self) -> PlanStatus:
        if self.ended_on:
            return PlanStatus.ENDED
        return PlanStatus.CANCEL_SCHEDULED if self.cancellation else PlanStatus.ACTIVE

    def next_renewal(self, renewed: Renewed = _unchanged) -> NextRenewal:
        """What the next term will cost, pending changes included. renewed: a line at the prices of its first day.
        Raises AmountTooLarge."""
        lines = tuple(self._renewal_lines(renewed))
        return NextRenewal(
            cadence=self.cycle,
            due_on=self.term.end,
            currency=self.currency,
            amount_minor=within_range(sum(line.amount_minor for line in lines)),
            lines=lines,
        )

    def _renewal_lines(self, at_renewal: Renewed) -> Iterator[RenewalLine]:
        if self.ended_on or self.cancellation or self.cycle is Cycle.ONE_MONTH:
            return
        for line_id, line in self.lines.items():
            if line_id not in self.ending:
                renewed = at_renewal(self.pending[line_id].after if line_id in self.pending else line)
                yield RenewalLine(
                    line_id=line_id,
                    sku=renewed.sku,
                    name=renewed.name,
                    quantity=renewed.quantity,
                    unit_minor=renewed.price.unit_minor(renewed.quantity),
                    amount_minor=renewed.total_minor,
                )


def evolve(plan: Plan | None, event: PlanEvent, effective_on: date) -> Plan:
    """The plan after an event. `event` was decided on `plan`, so it fits; PlanStarted alone needs none."""
    if isinstance(event, PlanStarted):
        return _charged(_started(event, effective_on), event.money)
    if plan is None:
        raise ValueError(f"{type(event).__name__} on a plan that was never started")
    told: NextRenewal | None = getattr(event, "next_renewal", None) or plan.told
    plan = replace(plan, last_effective_on=max(effective_on, plan.last_effective_on), told=told)
    match event:
        case PlanEdited():
            return _charged(_with_line(_without_pending(plan, event.change_id), event.after), event.money)
        case PlanEditScheduled():
            change = PendingChange(event.change_id, event.after, event.effective_on)
            return replace(plan, pending={**plan.pending, event.after.line_id: change})
        case PlanEditWarned():
            warned = replace(plan.pending[event.line_id], warned=True)
            return replace(plan, pending={**plan.pending, event.line_id: warned})
        case PlanEditDiscarded():
            return _without_pending(plan, event.change_id)
        case CapacityPurchased() | AddOnPurchased():
            bought = replace(plan, bought_lines=plan.bought_lines + 1)
            return _charged(_with_line(bought, event.line), event.money)
        case CapacityResized():
            return _charged(_with_line(plan, event.after), event.money)
        case PlanCycleChanged():
            return _cycle_changed(plan, event)
        case AddOnReinstated():
            back = {event.line_id}
            return replace(plan, ending=plan.ending - back, ended_alone=plan.ended_alone - back)
        case AddOnCancelled():
            alone = {event.line_id} if event.next_renewal else set()
            return replace(plan, ending=plan.ending | {event.line_id}, ended_alone=plan.ended_alone | alone)
        case PlanCancelled():
            return _charged(_cancelled(plan, event), event.money)
        case PlanTermAdvanced():
            return _advanced(plan, event)
        case PlanEnded():
            return replace(plan, ended_on=event.ended_on, pending={})
        case PlanLapsed():
            return replace(plan, ended_on=event.lapsed_on, pending={})
        case RenewalRequoted():
            return plan
        case PlanReinstated():
            return replace(plan, cancellation=None, ending=plan.ending - set(event.line_ids))
        case LicenceAssigned():
            return replace(plan, assigned=plan.assigned | {event.assignee})
        case LicenceUnassigned():
            return replace(plan, assigned=plan.assigned - {event.assignee})
        case _:
            assert_never(event)


def _started(event: PlanStarted, effective_on: date) -> Plan:
    return Plan(
        bundle_id=event.bundle_id,
        family=event.family,
        currency=event.money.currency,
        cycle=event.cycle,
        time_zone=event.time_zone,
        anchor_on=event.anchor_on,
        term=Period(event.term_start, event.term_end),
        lines={event.line.line_id: event.line},
        charged_minor={},
        last_effective_on=effective_on,
        told=event.next_renewal,
    )


def _advanced(plan: Plan, event: PlanTermAdvanced) -> Plan:
    begun = _begun(plan, Period(event.term_start, event.term_end), event.lines)
    return _charged(replace(begun, term_number=event.number), event.money)


def _cycle_changed(plan: Plan, event: PlanCycleChanged) -> Plan:
    begun = _begun(plan, Period(event.term_start, event.term_end), event.lines)
    begun = replace(begun, cycle=event.cycle, anchor_on=event.term_start, term_number=0)
    new_term = tuple(line for line in event.money.lines if line.part == "charge")  # the credits are of the old one
    return _charged(begun, event.money.model_copy(update={"lines": new_term}))


def _begun(plan: Plan, term: Period, lines: tuple[PlanLine, ...]) -> Plan:
    return replace(
        plan,
        term=term,
        lines={line.line_id: line for line in lines},
        charged_minor={},
        ending=frozenset(),
        ended_alone=frozenset(),
    )


def _cancelled(plan: Plan, event: PlanCancelled) -> Plan:
    # The lines that cascade cancelled are those whose AddOnCancelled came in the same append, right before this event.
    return replace(
        plan,
        cancellation=Cancellation(event.ends_on, tuple(sorted(plan.ending - plan.ended_alone)), event.refund_requested),
    )


def _with_line(plan: Plan, line: PlanLine) -> Plan:
    return replace(plan, lines={**plan.lines, line.line_id: line})


def _without_pending(plan: Plan, change_id: str | None) -> Plan:
    if change_id is None:
        return plan
    return replace(plan, pending={k: change for k, change in plan.pending.items() if change.change_id != change_id})


def _charged(plan: Plan, money: Money) -> Plan:
    if not money.lines:
        return plan
    charged = dict(plan.charged_minor)
    for line in money.lines:
        charged[line.line_id] = charged.get(line.line_id, 0) + line.amount_minor
    return replace(plan, charged_minor=charged)
