"""An account's upcoming renewals: scheduled, requoted, moved, emptied; older news is moot."""

from datetime import date

from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.money import Currency
from contracts.plans import NextRenewal, RenewalLine
from contracts.renewals import RenewalEvent, RenewalQuoteChanged, RenewalScheduled
from contracts.terms import Cycle
from services.renewals.account import AccountRenewals, evolve
from services.renewals.commands import ForecastRenewal
from services.renewals.forecast import decide

FEB_1, MARCH_1 = date(2026, 2, 1), date(2026, 3, 1)


def forecast(bundle: str, revision: int, amount: int, due_on: date = FEB_1) -> ForecastRenewal:
    line = RenewalLine(
        line_id="line-1", sku="workplace_pro", name="Pro", quantity=1, unit_minor=amount, amount_minor=amount
    )
    renewal = NextRenewal(
        cadence=Cycle.MONTHLY,
        due_on=due_on,
        currency=Currency.USD,
        amount_minor=amount,
        lines=(line,) if amount else (),
    )
    return ForecastRenewal(bundle, revision, renewal)


def after(*commands: ForecastRenewal) -> tuple[AccountRenewals | None, list[RenewalEvent]]:
    state: AccountRenewals | None = None
    events: list[RenewalEvent] = []
    for command in commands:
        events = decide(command, state)
        for event in events:
            state = evolve(state, event, FEB_1)
    return state, events


def amounts(state: AccountRenewals | None) -> dict[tuple[Cycle, date], int]:
    upcoming = state.upcoming if state else {}
    return {due: sum(share.amount_minor for share in shares.values()) for due, shares in upcoming.items() if shares}


def test_the_first_bundle_due_on_a_day_schedules_its_renewal() -> None:
    _, events = after(forecast("a", 0, 1699))
    assert [type(event) for event in events] == [RenewalScheduled]
    assert events[0].amount_minor == 1699


def test_a_second_bundle_due_the_same_day_adds_its_share() -> None:
    state, events = after(forecast("a", 0, 1699), forecast("b", 0, 4000))
    assert isinstance(events[0], RenewalQuoteChanged)
    assert (events[0].before_minor, events[0].amount_minor) == (1699, 5699)
    assert amounts(state) == {(Cycle.MONTHLY, FEB_1): 5699}


def test_a_bundle_that_moves_to_another_day_leaves_the_old_one() -> None:
    state, events = after(forecast("a", 0, 1699), forecast("b", 0, 4000), forecast("a", 1, 1799, MARCH_1))
    assert [type(event) for event in events] == [RenewalQuoteChanged, RenewalScheduled]
    assert amounts(state) == {(Cycle.MONTHLY, FEB_1): 4000, (Cycle.MONTHLY, MARCH_1): 1799}


def test_a_cancelled_bundle_is_due_nothing_and_a_reinstated_one_is_due_again() -> None:
    state, events = after(forecast("a", 0, 1699), forecast("a", 1, 0))
    assert isinstance(events[0], RenewalQuoteChanged)
    assert events[0].amount_minor == 0
    assert amounts(state) == {}
    _, events = after(forecast("a", 0, 1699), forecast("a", 1, 0), forecast("a", 2, 1699))
    assert isinstance(events[0], RenewalQuoteChanged)
    assert (events[0].before_minor, events[0].amount_minor) == (0, 1699)


def test_the_same_forecast_again_records_nothing() -> None:
    _, events = after(forecast("a", 0, 1699), forecast("a", 1, 1699))
    assert events == []


news = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([0, 100, 200]), st.sampled_from([FEB_1, MARCH_1])), max_size=12
)


@settings(max_examples=500)
@given(news, st.integers(0, 12), st.integers(0, 12))
@example([("a", 100, FEB_1), ("a", 100, FEB_1), ("a", 200, FEB_1)], 3, 1)
def test_news_delivered_again_from_any_earlier_point_changes_nothing(
    items: list[tuple[str, int, date]], upto: int, back: int
) -> None:
    """Delivered again, a command that recorded something is known by its stream; one that did not is decided anew."""
    commands = [forecast(bundle, number, amount, due_on) for number, (bundle, amount, due_on) in enumerate(items)]
    upto = min(upto, len(commands))
    back = min(back, upto)
    state: AccountRenewals | None = None
    recorded: set[int] = set()
    for number in [*range(upto), *range(back, len(commands))]:
        if number not in recorded:
            for event in decide(commands[number], state):
                state = evolve(state, event, FEB_1)
                recorded.add(number)
    assert amounts(state) == amounts(after(*commands)[0])


@given(news)
def test_every_day_is_due_the_sum_of_what_each_bundle_last_said(items: list[tuple[str, int, date]]) -> None:
    commands = [forecast(bundle, number, amount, due_on) for number, (bundle, amount, due_on) in enumerate(items)]
    last = {command.bundle_id: command.next_renewal for command in commands}
    expected: dict[tuple[Cycle, date], int] = {}
    for renewal in last.values():
        if renewal.amount_minor:
            due = (renewal.cadence, renewal.due_on)
            expected[due] = expected.get(due, 0) + renewal.amount_minor
    assert amounts(after(*commands)[0]) == expected
