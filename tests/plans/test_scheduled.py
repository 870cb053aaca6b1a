"""Edits of a later day: scheduled, warned of, and taken in on their day (DOMAIN 3, M6, B4, B6, B12)."""

from datetime import date, timedelta

import pytest

from contracts.plan_actions import Hold
from contracts.plans import (
    DiscardReason,
    LicenceAssigned,
    PlanEditDiscarded,
    PlanEdited,
    PlanEditScheduled,
    PlanEditWarned,
)
from services.plans.scheduled import due_later, take_effect, warning
from services.plans.term_end import advance
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    JUNE_11,
    JUNE_15,
    JUNE_30,
    US,
    Given,
    assign,
    cancel,
    discard,
    edit,
    folded,
    line,
    parts,
    pro_monthly,
    published,
    renewed,
    with_assigned,
    with_product,
)

HELD = type(US)(US.currency, US.time_zone, holds={(Hold.UNPAID, "invoice-1"): 100})
A_DAY = timedelta(days=1)


def untaxed(_: object) -> tuple[()]:
    return ()


def rising(on: date = JUNE_15) -> Given:
    """From 3 to 6 licences on a later day."""
    return pro_monthly(3).after(edit(6, effective_on=on))


def test_an_increase_of_a_later_day_costs_nothing_until_then() -> None:
    scheduled = pro_monthly(3).when(edit(6, effective_on=JUNE_15)).then(PlanEditScheduled)
    assert (scheduled.effective_on, scheduled.direction) == (JUNE_15, "up")
    assert renewed(scheduled.next_renewal) == {"workplace_pro": (6, 10194)}
    assert line(rising()).quantity == 3


def test_on_its_day_it_is_charged_for_the_rest_of_the_term_as_was_quoted() -> None:
    given = rising()
    (edited,) = take_effect(given.plan, "change-1", US, given.catalogue)
    assert isinstance(edited, PlanEdited)
    assert (edited.change_id, parts(edited.money)) == ("change-1", [("charge", 2718)])  # 16 of 30 days of 5097
    later = due_later(pro_monthly(3).plan, given.told, untaxed)
    assert later is not None
    assert (later.on, later.money) == (JUNE_15, edited.money)
    after = folded(given.plan, [edited], JUNE_15)
    assert after is not None
    assert (after.base.quantity, after.pending) == (6, {})
    assert take_effect(after, "change-1", US, given.catalogue) == []


def test_of_what_happens_at_once_or_at_the_end_of_the_term_nothing_is_due_later() -> None:
    for wish in (edit(2), edit(6), edit(6, effective_on=JULY_1)):
        assert due_later(pro_monthly(3).plan, pro_monthly(3).when(wish).events, untaxed) is None


def test_the_end_of_the_term_takes_in_an_increase_as_it_does_a_reduction() -> None:
    given = rising(on=JULY_1)
    assert take_effect(given.plan, "change-1", US, given.catalogue) == []
    edited, advanced = advance(given.plan, JULY_1, given.catalogue)
    assert isinstance(edited, PlanEdited)
    assert (edited.money.lines, parts(advanced.money)) == ((), [("charge", 10194)])  # type: ignore[union-attr]


@pytest.mark.parametrize("on", [JUNE_11 - A_DAY, JULY_1 + A_DAY, date(2027, 1, 1)])
def test_no_day_before_today_or_after_the_term(on: date) -> None:
    limits = {"not_before": "2026-06-11", "not_after": "2026-07-01"}
    pro_monthly(3).when(edit(6, effective_on=on)).then_refused("date_out_of_range", **limits)


def test_today_is_now() -> None:
    pro_monthly(3).when(edit(6, effective_on=JUNE_11)).then(PlanEdited)


@pytest.mark.parametrize("on", [JUNE_11, JUNE_30, JULY_1 + A_DAY])
def test_less_is_for_the_end_of_the_term_only(on: date) -> None:
    pro_monthly(9).when(edit(6, effective_on=on)).then_refused("date_out_of_range", not_before="2026-07-01")
    pro_monthly(9).when(edit(6, effective_on=JULY_1)).then(PlanEditScheduled)


def test_a_product_may_give_back_at_once() -> None:
    giving = published(products=with_product("workplace_pro", credits_reductions=True))
    given = pro_monthly(9).with_books(giving)
    edited = given.when(edit(6)).then(PlanEdited)
    assert (edited.direction, parts(edited.money)) == ("down", [("credit", -3398)])  # 20 of 30 days of 5097
    given.when(edit(6, effective_on=JUNE_15)).then(PlanEditScheduled)


def test_a_new_change_of_the_line_takes_the_place_of_the_one_that_waits() -> None:
    again = rising().when(edit(8, effective_on=JUNE_30, change_id="change-2")).then(PlanEditScheduled)
    assert again.supersedes == "change-1"
    rising().when(edit(8)).then(PlanEditDiscarded, PlanEdited)
    assert rising().when(edit(3)).then(PlanEditDiscarded).reason is DiscardReason.SAME_AS_PRESENT
    rising().when(discard()).then(PlanEditDiscarded)


def test_a_cancelled_plan_and_a_held_account_do_not_grow() -> None:
    given = rising()
    (held,) = take_effect(given.plan, "change-1", HELD, given.catalogue)
    assert isinstance(held, PlanEditDiscarded)
    assert (held.reason, renewed(held.next_renewal)) == (DiscardReason.ACCOUNT_HELD, {"workplace_pro": (3, 5097)})
    cancelled = given.after(cancel())
    (dropped,) = take_effect(cancelled.plan, "change-1", US, cancelled.catalogue)
    assert isinstance(dropped, PlanEditDiscarded)
    assert dropped.reason is DiscardReason.PLAN_CANCELLED


def falling(assigned: int) -> Given:
    """From 9 licences to 6 at the end of June, of which somebody has so many."""
    return with_assigned(0).after(edit(6, on=JUNE_1), *(assign(f"person-{n}", JUNE_11) for n in range(assigned)))


def test_a_reduction_that_will_fail_is_warned_of_a_week_before() -> None:
    plan = falling(7).plan
    assert warning(plan, date(2026, 6, 23)) == []
    (warned,) = warning(plan, date(2026, 6, 24))
    assert isinstance(warned, PlanEditWarned)
    assert (warned.effective_on, warned.assigned, warned.requested) == (JULY_1, 7, 6)
    assert warning(folded(plan, [warned], date(2026, 6, 24)), date(2026, 6, 25)) == []
    assert warning(falling(6).plan, JUNE_30) == []
    assert warning(falling(7).after(cancel()).plan, JUNE_30) == []


def test_a_licence_that_makes_it_fail_in_the_last_week_is_assigned_with_the_warning() -> None:
    last_week = date(2026, 6, 24)
    falling(6).when(assign("one-more", last_week)).then(LicenceAssigned, PlanEditWarned)
    falling(6).when(assign("one-more", last_week - A_DAY)).then(LicenceAssigned)
    warned = falling(6).after(assign("one-more", last_week))
    warned.when(assign("and-another", last_week)).then(LicenceAssigned)
    falling(5).when(assign("one-more", last_week)).then(LicenceAssigned)
