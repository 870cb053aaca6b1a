"""Whatever is asked of a plan, in any order, while days go by: what must hold after every answer."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.money import MAX_MINOR
from contracts.plan_actions import LINE_ACTIONS, PlanAction, why_not
from contracts.plans import PlanCycleChanged, PlanEditDiscarded, PlanEdited, PlanEnded, PlanEvent, PlanTermAdvanced
from contracts.problems import PROBLEMS
from contracts.terms import Cycle
from deploy.local.recount import costs
from deploy.local.recount_terms import Terms
from services.plans import term_end
from services.plans.catalogue import Catalogue
from services.plans.commands import PlanCommand
from services.plans.decider import ACTIONS
from services.plans.plan import BASE_LINE, Plan
from services.plans.quotes import due_now, next_renewal_after
from services.plans.scheduled import due_later, take_effect, warning
from tests.plans.given import (
    EDITOR,
    FOR_SALE,
    JUNE_1,
    US,
    VIEWER,
    Given,
    add,
    assign,
    buy,
    cancel,
    cancel_line,
    catalogue_of,
    change_cycle,
    discard,
    edit,
    fixed,
    folded,
    priced,
    published,
    reinstate,
    reinstate_line,
    resize,
    start,
    unassign,
)

# What only the guard says; no_change and no_pending_change are told by rules about one line or person as well.
GUARD_ONLY = {"forbidden", "plan_ended", "plan_cancelled", "already_cancelled", "not_cancelled", "renewal_due"}
GUARD_ONLY |= {"one_month_plan", "all_licences_assigned", "base_line", "line_cancelled", "line_not_cancelled"}
BASES = [
    ("workplace_basic", Cycle.MONTHLY),
    ("workplace_pro", Cycle.MONTHLY),
    ("workplace_pro", Cycle.ANNUAL),
    ("workplace_business", Cycle.ANNUAL),
    ("webinar_one_month_500", Cycle.ONE_MONTH),
]
WORKPLACE = ["workplace_basic", "workplace_pro", "workplace_business", "workplace_business_plus", "no_such_thing"]
TIERS = ["large_meeting_500", "large_meeting_1000", "storage_30", "storage_200", "whiteboard_plus", "rooms"]
CAPACITIES = ["large_meeting_500", "large_meeting_1000", "storage_30", "phone_number_extra", "whiteboard_plus", "rooms"]
ADD_ONS = ["whiteboard_plus", "premier_support", "phone_toll_free", "large_meeting_500", "rooms"]
# A capacity so dear that a second one, or one beside a paid base, is beyond what can be billed.
DEAR = catalogue_of(published(products=priced("large_meeting_500", {"USD": {"monthly": fixed(MAX_MINOR)}})))
MOST = 1_000_000  # what a body may ask for
lines = st.sampled_from([None, "line-1", "line-2", "line-3"])
quantities = st.integers(1, 14) | st.just(MOST)
people = st.sampled_from(["ann", "bob", "cy", "dee"])
who = st.sampled_from([EDITOR] * 9 + [VIEWER])


class PlanMachine(RuleBasedStateMachine):
    @initialize(base=st.sampled_from(BASES), quantity=st.integers(1, 12), sold=st.sampled_from([FOR_SALE] * 4 + [DEAR]))
    def begins(self, base: tuple[str, Cycle], quantity: int, sold: Catalogue) -> None:
        sku, cycle = base
        quantity = {"workplace_business": 10 + quantity, "workplace_pro": min(quantity, 9)}.get(sku, min(quantity, 10))
        bases = frozenset({"workplace_pro"})
        self.given: Given = Given(catalogue=sold).after(start(sku, quantity, cycle, account_bases=bases))
        self.on, self.asked = JUNE_1, 0
        self.terms, self.recount = [self.plan.term], Terms()
        self._recount(self.given.told)
        self.quoted: dict[str, int] = {}  # what a scheduled edit will cost on its day, by change id

    @property
    def plan(self) -> Plan:
        return self.given.known()

    @rule(days=st.sampled_from([1, 1, 3, 9, 9, 25, 120]), renewals=st.sampled_from([True, True, True, False]))
    @precondition(lambda self: self.on < JUNE_1 + timedelta(days=800))
    def days_go_by(self, days: int, renewals: bool) -> None:
        """renewals: the clock of renewals goes too; without it a term may be over and not renewed yet."""
        for _ in range(days):
            self.on += timedelta(days=1)
            self._day_begins(renewals)

    def _day_begins(self, renewals: bool) -> None:
        plan, sold = self.plan, self.given.catalogue
        self._by_itself(warning(plan, self.on), self.on)
        for pending in list(plan.pending.values()):
            if pending.effective_on <= self.on:
                self._takes_effect(take_effect(self.plan, pending.change_id, US, sold), pending.effective_on)
        self._by_itself(term_end.end(self.plan, self.on), self.on)
        while (
            renewals
            and self.plan.term.end <= self.on
            and (events := term_end.advance(self.plan, self.plan.term.end, sold))
        ):
            self._by_itself(events, self.plan.term.end)
            assert isinstance(events[-1], PlanTermAdvanced | PlanEnded)

    def _takes_effect(self, events: Sequence[PlanEvent], on: date) -> None:
        for event in events:
            if isinstance(event, PlanEdited):
                assert event.money.net_minor == self.quoted[event.change_id or ""]
            else:
                assert isinstance(event, PlanEditDiscarded)
        self._by_itself(events, on)

    def _by_itself(self, events: Sequence[PlanEvent], on: date) -> None:
        self._recount(events)
        plan = folded(self.given.plan, events, on)
        self.given = replace(self.given, plan=plan, told=(*self.given.told, *events))
        self._note_term()

    def _recount(self, events: Sequence[PlanEvent]) -> None:
        """As reconciliation does: no day of a line is billed twice, and no more is given back than was charged."""
        for event in events:
            body = json.loads(event.model_dump_json())
            for lines in [body["money"]["lines"]] if body.get("money") else []:
                assert not list(self.recount.take(body["bundle_id"], lines, dict(costs(body)), type(event).__name__))

    def _note_term(self) -> None:
        """One term begins where the other ends, or today when its cycle is changed."""
        if self.plan.term != self.terms[-1]:
            assert self.terms[-1].start <= self.plan.term.start <= self.terms[-1].end
            self.terms.append(self.plan.term)

    @rule(
        by=who,
        quantity=st.none() | quantities,
        sku=st.none() | st.sampled_from(WORKPLACE),
        line_id=lines,
        later=st.none() | st.integers(-1, 40),
    )
    def edits(
        self, by: frozenset[Any], quantity: int | None, sku: str | None, line_id: str | None, later: int | None
    ) -> None:
        on = None if later is None else self.on + timedelta(days=later)
        wish = {"sku": sku, "line_id": line_id, "effective_on": on, "change_id": self._change_id()}
        self._ask(edit(quantity, self.on, privileges=by, **wish))

    @rule(more=st.integers(1, 3), later=st.integers(1, 20))
    def grows_on_a_later_day(self, more: int, later: int) -> None:
        on, quantity = self.on + timedelta(days=later), min(self.plan.base.quantity + more, MOST)
        self._ask(edit(quantity, self.on, effective_on=on, change_id=self._change_id()))

    @rule(by=who, line_id=lines.filter(bool), quantity=st.none() | quantities, sku=st.none() | st.sampled_from(TIERS))
    def resizes(self, by: frozenset[Any], line_id: str, quantity: int | None, sku: str | None) -> None:
        self._ask(resize(line_id, self.on, quantity=quantity, sku=sku, privileges=by, change_id=self._change_id()))

    @rule(by=who, cycle=st.sampled_from([Cycle.MONTHLY, Cycle.ANNUAL]), discard_pending=st.booleans())
    def changes_the_cycle(self, by: frozenset[Any], cycle: Cycle, discard_pending: bool) -> None:
        self._ask(change_cycle(cycle, self.on, discard_pending=discard_pending, privileges=by))

    @rule(by=who, line_id=lines.filter(bool))
    def cancels_a_line(self, by: frozenset[Any], line_id: str) -> None:
        self._ask(cancel_line(line_id, self.on, privileges=by))

    @rule(by=who, line_id=lines.filter(bool))
    def reinstates_a_line(self, by: frozenset[Any], line_id: str) -> None:
        self._ask(reinstate_line(line_id, self.on, privileges=by))

    @rule(by=who, quantity=quantities)
    def changes_licences(self, by: frozenset[Any], quantity: int) -> None:
        self._ask(edit(quantity, self.on, privileges=by, change_id=self._change_id()))

    @rule(by=who, sku=st.sampled_from(CAPACITIES), quantity=st.integers(1, 3), cycle=st.none() | st.sampled_from(Cycle))
    def buys_a_capacity(self, by: frozenset[Any], sku: str, quantity: int, cycle: Cycle | None) -> None:
        self._ask(buy(sku, quantity, self.on, cycle=cycle, privileges=by))

    @rule(
        by=who,
        sku=st.sampled_from(ADD_ONS),
        quantity=quantities | st.just(60),
        cycle=st.none() | st.sampled_from(Cycle),
    )
    def buys_an_add_on(self, by: frozenset[Any], sku: str, quantity: int, cycle: Cycle | None) -> None:
        self._ask(add(sku, quantity, self.on, cycle=cycle, privileges=by))

    @rule(by=who, line_id=lines)
    def discards(self, by: frozenset[Any], line_id: str | None) -> None:
        self._ask(discard(self.on, line_id=line_id, privileges=by))

    @rule(by=who, refund=st.booleans(), cascade=st.sampled_from([True, True, False]))
    def cancels(self, by: frozenset[Any], refund: bool, cascade: bool) -> None:
        self._ask(cancel(self.on, refund=refund, cascade=cascade, privileges=by))

    @rule(by=who)
    def reinstates(self, by: frozenset[Any]) -> None:
        self._ask(reinstate(self.on, privileges=by))

    @rule(by=who, person=people)
    def assigns(self, by: frozenset[Any], person: str) -> None:
        self._ask(assign(person, self.on, privileges=by))

    @rule(by=who, person=people)
    def unassigns(self, by: frozenset[Any], person: str) -> None:
        self._ask(unassign(person, self.on, privileges=by))

    @rule(line_id=lines)
    def a_reduction_and_its_discard_change_nothing(self, line_id: str | None) -> None:
        before = self.plan
        line = before.lines.get(line_id or BASE_LINE)
        if line is None or line.quantity == 1 or line.line_id in before.pending:
            return
        outcome = self.given.when(edit(line.quantity - 1, self.on, line_id=line_id, change_id="a-moment"))
        if outcome.refused is None and self.on < before.term.end:
            after = outcome.happened().after(discard(self.on, line_id=line_id)).known()
            assert (after.lines, after.next_renewal()) == (before.lines, before.next_renewal())
            assert (after.pending, after.charged_minor) == (before.pending, before.charged_minor)

    def _change_id(self) -> str:
        self.asked += 1
        return f"change-{self.asked}"

    def _ask(self, command: PlanCommand) -> None:
        before = self.plan
        expected = self._against(command)
        outcome = self.given.when(command)
        if outcome.refused is not None:
            assert outcome.refused.code in PROBLEMS
            assert expected in (None, outcome.refused.code)
            assert (expected is None) <= (outcome.refused.code not in GUARD_ONLY)
            return
        assert expected is None
        assert outcome.events
        if later := due_later(before, outcome.events, lambda _: ()):
            self.quoted[command.change_id] = later.money.net_minor
        self._recount(outcome.events)
        self.given = outcome.happened()
        self._note_term()
        self._check_money(before, outcome.events)

    def _against(self, command: PlanCommand) -> str | None:
        """What the card says of the line's button, or of the plan's."""
        action, standing = ACTIONS[type(command)], self.plan.standing()
        if action not in LINE_ACTIONS:
            return why_not(action, standing, command.on, command.privileges)
        line_id = getattr(command, "line_id", None) or BASE_LINE
        if line_id in standing.lines:
            return why_not(action, standing, command.on, command.privileges, line_id)
        return why_not(action, replace(standing, lines={}), command.on, command.privileges)

    def _check_money(self, before: Plan, events: list[PlanEvent]) -> None:
        due = due_now(events, self.plan.currency)
        assert next_renewal_after(events, self.plan.next_renewal()) == self.plan.next_renewal()
        for part in due.lines:
            assert (part.amount_minor >= 0) == (part.part == "charge") or part.amount_minor == 0
            assert abs(part.amount_minor) <= part.full_minor
        if isinstance(events[-1], PlanCycleChanged):
            self._check_new_cycle(before, events[-1])
            return
        assert due.net_minor == sum(self.plan.charged_minor.values()) - sum(before.charged_minor.values())
        assert {(part.period_start, part.period_end) for part in due.lines} <= {(before.term.start, before.term.end)}

    def _check_new_cycle(self, before: Plan, changed: PlanCycleChanged) -> None:
        """At most what was paid for the old term is given back, and the whole new one is charged."""
        parts = changed.money.lines
        given_back = {line.line_id: -line.amount_minor for line in parts if line.part == "credit"}
        assert all(minor <= before.charged_minor.get(line_id, 0) for line_id, minor in given_back.items())
        charged = {line.line_id: line.amount_minor for line in parts if line.part == "charge"}
        assert charged == {line_id: line.total_minor for line_id, line in self.plan.lines.items() if line.total_minor}

    @invariant()
    def credits_never_exceed_charges(self) -> None:
        assert all(charged >= 0 for charged in self.plan.charged_minor.values())

    @invariant()
    def a_line_is_charged_at_most_its_dearest_term(self) -> None:
        for line_id, line in self.plan.lines.items():
            dearest = max([line.total_minor, *(edit.before.total_minor for edit in self._edits_of(line_id))])
            assert self.plan.charged_minor.get(line_id, 0) <= dearest

    @invariant()
    def nobody_loses_a_licence(self) -> None:
        assert len(self.plan.assigned) <= self.plan.base.quantity

    @invariant()
    def a_plan_has_one_base_and_each_line_has_one_pending_change_at_most(self) -> None:
        assert [line.line_id for line in self.plan.lines.values() if line.kind == "base"] == [BASE_LINE]
        assert set(self.plan.pending) <= set(self.plan.lines)
        changes = [change.change_id for change in self.plan.pending.values()]
        assert len(set(changes)) == len(changes)
        assert all(
            self.on < change.effective_on or change.effective_on == self.plan.term.end
            for change in self.plan.pending.values()
        )
        assert all(change.effective_on <= self.plan.term.end for change in self.plan.pending.values())

    @invariant()
    def the_next_term_holds_what_its_base_allows(self) -> None:
        renewed = {line.line_id: line for line in self.plan.next_renewal().lines}
        for line_id, line in renewed.items():
            requires = self.given.catalogue.product(line.sku, self.on).requires
            assert line_id == BASE_LINE or not requires or renewed[BASE_LINE].sku in requires

    @invariant()
    def what_ends_does_not_renew(self) -> None:
        if self.plan.cancellation or self.plan.cycle is Cycle.ONE_MONTH:
            assert self.plan.next_renewal().amount_minor == 0
        assert self.plan.ending - self.plan.ended_alone <= set(self.plan.lines if self.plan.cancellation else ())
        assert not set(self.plan.pending) & self.plan.ended_alone

    @invariant()
    def every_action_is_guarded(self) -> None:
        assert set(ACTIONS.values()) == set(PlanAction)

    def _edits_of(self, line_id: str) -> list[Any]:
        return [e for e in self.given.told if getattr(getattr(e, "before", None), "line_id", None) == line_id]


PlanMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestPlanMachine = PlanMachine.TestCase
