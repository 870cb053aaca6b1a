"""Whatever happens to an account's plans, devices and payments, in any order, while days go by: what must hold of its
invoices after every step."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.renewals import Invoice
from deploy.local.recount import Recount
from tests.tax import HERE, THERE, table

from .history import History

tokens = st.sampled_from(["card", "card-declined", "card-flaky"])


class RenewalsMachine(RuleBasedStateMachine):
    @initialize(token=tokens, rate=st.sampled_from([0, 825]))
    def begins(self, token: str, rate: int) -> None:
        self.history = History(rates=table(rate, telephony=1363))
        self.history.token = token
        self.recount, self.counted = Recount(), 0
        self.drafted: dict[str, Invoice] = {}
        self.units = 0

    @rule(minor=st.integers(0, 100_000), code=st.sampled_from(["standard", "telephony"]))
    def a_plan_starts(self, minor: int, code: str) -> None:
        self.history.start(f"plan-{len(self.history.bundles)}", minor, code)

    @rule(place=st.sampled_from([HERE, THERE, None]), exemption=st.sampled_from([None, "certificate-7"]))
    def the_account_is_taxed_elsewhere(self, place: str | None, exemption: str | None) -> None:
        self.history.move(place, exemption)

    @precondition(lambda self: self.renewing())
    @rule(data=st.data(), more=st.integers(-50_000, 50_000))
    def a_plan_is_edited(self, data: st.DataObject, more: int) -> None:
        name = data.draw(st.sampled_from(self.renewing()))
        self.history.edit(name, max(more, -self.history.bundles[name].minor))

    @precondition(lambda self: self.renewing())
    @rule(data=st.data(), refund=st.booleans())
    def a_plan_is_cancelled(self, data: st.DataObject, refund: bool) -> None:
        self.history.cancel(data.draw(st.sampled_from(self.renewing())), refund)

    @rule()
    def a_unit_is_leased(self) -> None:
        self.units += 1
        self.history.lease(f"o1-{self.units}", self.history.on)

    @precondition(lambda self: self.leased())
    @rule(data=st.data())
    def a_unit_comes_back(self, data: st.DataObject) -> None:
        self.history.give_back(data.draw(st.sampled_from(self.leased())))

    @rule(days=st.sampled_from([1, 2, 7, 30, 45, 100]))
    def days_go_by(self, days: int) -> None:
        self.history.live_until(self.history.on + timedelta(days=days))

    @rule(token=tokens)
    def the_card_is_another(self, token: str) -> None:
        self.history.token = token

    @precondition(lambda self: any(state.remains_minor for state in self.history.invoices.values()))
    @rule(data=st.data())
    def somebody_pays_by_hand(self, data: st.DataObject) -> None:
        owed = sorted(name for name, state in self.history.invoices.items() if state.remains_minor)
        self.history.pay(data.draw(st.sampled_from(owed)))

    @rule(data=st.data())
    def what_was_heard_is_heard_again(self, data: st.DataObject) -> None:
        heard = [event for event in self.history.events if not event.type.startswith("renewals.")]
        before = len(self.history.events)
        self.history.react(data.draw(st.sampled_from(heard)))
        assert len(self.history.events) == before

    @invariant()
    def numbers_have_no_gap_and_what_was_issued_stays(self) -> None:
        issued = [state.issued for state in self.history.invoices.values()]
        assert [invoice.number for invoice in issued] == list(range(1, len(issued) + 1))
        for invoice in issued:
            assert self.drafted.setdefault(invoice.invoice_id, invoice) == invoice

    @invariant()
    def credit_is_never_below_nothing(self) -> None:
        account = self.history.account
        assert account is not None
        assert all(minor > 0 for minor in account.credits.values())

    @invariant()
    def nobody_is_billed_twice_for_a_day(self) -> None:
        """Of one plan, the whole terms it was charged do not overlap; of one order, a month has as many units as began
        together."""
        terms: dict[str, list[tuple[date, date]]] = defaultdict(list)
        months: Counter[tuple[date, date]] = Counter()
        for state in self.history.invoices.values():
            for line in state.issued.lines:
                if state.issued.kind == "rental":
                    months[line.period_start, line.period_end] += line.quantity
                elif state.issued.kind == "renewal":
                    terms[line.bundle_id].append((line.period_start, line.period_end))
        for charged in terms.values():
            assert all(first[1] <= second[0] for first, second in pairwise(charged))
        assert all(units <= self.units for units in months.values())

    @invariant()
    def nobody_gets_more_tax_back_than_was_charged(self) -> None:
        """Of the terms that begin on one day, code by code, but for half a unit of rounding per invoice."""
        taxes: Counter[tuple[date, str]] = Counter()
        rounded: Counter[tuple[date, str]] = Counter()
        for state in self.history.invoices.values():
            on = max(line.period_start for line in state.issued.lines)
            for tax in state.issued.taxes:
                taxes[on, tax.code] += tax.tax_minor
                rounded[on, tax.code] += 1
        assert all(minor >= -(rounded[key] // 2) for key, minor in taxes.items())

    @invariant()
    def it_reconciles(self) -> None:
        for event in self.history.events[self.counted :]:
            self.recount.take(event)
        self.counted = len(self.history.events)
        assert self.recount.accounts["acme"].troubles(self.recount.newest) == []

    def renewing(self) -> list[str]:
        return sorted(name for name, bundle in self.history.bundles.items() if bundle.live and bundle.renews)

    def leased(self) -> list[str]:
        account = self.history.account
        kept = account.rentals if account else {}
        return sorted(name for name, rental in kept.items() if rental.ended_on == date.max)


RenewalsMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestRenewals = RenewalsMachine.TestCase
