"""Cancelling at the end of the term, with or without a refund, and reinstating (DOMAIN B1, B8, B9, M8)."""

from datetime import date, timedelta

from contracts.plans import AddOnCancelled, CancelReason, PlanCancelled, PlanReinstated
from contracts.terms import Cycle
from services.plans.charges import credit
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    JUNE_11,
    JUNE_30,
    VIEWER,
    assign,
    business_annual,
    buy,
    cancel,
    edit,
    nothing,
    parts,
    pro_monthly,
    published,
    reinstate,
    start,
    with_large_meetings,
    with_product,
)


def test_a_cancelled_plan_runs_to_the_end_of_its_term_and_does_not_renew() -> None:
    cancelled = pro_monthly().when(cancel(reason=CancelReason.OTHER, comment="Bye")).then(PlanCancelled)
    assert (cancelled.ends_on, cancelled.reason, cancelled.comment) == (JULY_1, "other", "Bye-change-1")
    assert (cancelled.money.lines, cancelled.refund_requested) == ((), False)
    assert (cancelled.next_renewal.amount_minor, cancelled.next_renewal.lines) == (0, ())


def test_the_base_ends_last() -> None:
    given = with_large_meetings().after(buy("storage_30"))
    given.when(cancel()).then_refused("active_addons", lines=["line-2", "line-3"])


def test_cancelling_with_cascade_ends_every_line_in_one_append() -> None:
    given = with_large_meetings()
    given.when(cancel(cascade=True)).then(AddOnCancelled, PlanCancelled)
    ended = given.when(cancel(cascade=True)).events[0]
    assert (ended.line_id, ended.ends_on) == ("line-2", JULY_1)
    assert given.after(cancel(cascade=True)).known().next_renewal().lines == ()


def test_a_plan_is_cancelled_once() -> None:
    pro_monthly().after(cancel()).when(cancel()).then_refused("already_cancelled")


def test_a_refund_gives_back_what_is_left_of_every_line() -> None:
    cancelled = with_large_meetings(2).when(cancel(refund=True, cascade=True)).then(AddOnCancelled, PlanCancelled)
    # Today is served and paid: 19 of 30 days of 15291 and 10000 are left from tomorrow on.
    assert parts(cancelled.money) == [("credit", -9684), ("credit", -6333)]
    assert (cancelled.money.net_minor, cancelled.refund_requested) == (-16017, True)


def test_nobody_is_served_for_nothing_by_a_refund_on_the_first_day() -> None:
    cancelled = business_annual(10, JUNE_1).when(cancel(JUNE_1, refund=True)).then(PlanCancelled)
    assert cancelled.money.net_minor == -(219900 - 602)  # a 365th of 219900, half up


def test_a_credit_is_at_most_what_was_charged() -> None:
    # Bought one by one, 3333 each; the rest of both together would round to 6667 (DOMAIN M8).
    plan = pro_monthly().after(buy(quantity=1), edit(2, line_id="line-2")).known()
    assert credit(plan, plan.lines["line-2"], JUNE_11).amount_minor == -6666


def test_a_credit_is_at_most_what_was_charged_less_earlier_credits() -> None:
    # Three for 3333 each; one is given back at once, for 3333; the rest of the other two would round to 6667.
    giving = published(products=with_product("large_meeting_500", credits_reductions=True))
    steps = [buy(quantity=1), edit(2, line_id="line-2"), edit(3, line_id="line-2"), edit(2, line_id="line-2")]
    plan = pro_monthly().with_books(giving).after(*steps).known()
    assert plan.charged_minor["line-2"] == 6666
    assert credit(plan, plan.lines["line-2"], JUNE_11).amount_minor == -6666


def test_a_free_plan_is_refunded_nothing() -> None:
    free = nothing().after(start("workplace_basic", 1))
    assert free.when(cancel(refund=True)).then(PlanCancelled).money.lines == ()


def test_a_refund_is_possible_up_to_30_days_after_the_term_began() -> None:
    begun = date(2026, 3, 8)
    last, too_late = begun + timedelta(days=30), begun + timedelta(days=31)
    assert business_annual(10, begun).when(cancel(last, refund=True)).then(PlanCancelled).money.net_minor < 0
    business_annual(10, begun).when(cancel(too_late, refund=True)).then_refused(
        "refund_window_closed", closed_on="2026-04-07"
    )
    business_annual(10, begun).when(cancel(too_late)).then(PlanCancelled)


def test_a_reinstated_plan_renews_as_before() -> None:
    given = with_large_meetings()
    reinstated = given.after(cancel(cascade=True)).when(reinstate()).then(PlanReinstated)
    assert reinstated.line_ids == ("line-2",)
    assert reinstated.next_renewal == given.known().next_renewal()


def test_a_plan_whose_rest_is_refunded_ends_tomorrow_with_all_its_lines_and_stays_cancelled() -> None:
    given = with_large_meetings()
    tomorrow = JUNE_11 + timedelta(days=1)
    addon, cancelled = given.when(cancel(JUNE_11, refund=True, cascade=True)).events
    assert (addon.ends_on, cancelled.ends_on) == (tomorrow, tomorrow)
    refunded = given.after(cancel(JUNE_11, refund=True, cascade=True))
    refunded.when(reinstate(JUNE_11)).then_refused("plan_refunded")
    for command in (reinstate(tomorrow), edit(4, tomorrow), assign("ann", tomorrow), cancel(tomorrow)):
        refunded.when(command).then_refused("plan_ended")


def test_on_the_last_day_of_a_term_nothing_is_left_to_refund() -> None:
    cancelled = pro_monthly().when(cancel(JUNE_30, refund=True)).then(PlanCancelled)
    assert (cancelled.money.net_minor, cancelled.ends_on) == (0, JULY_1)


def test_a_plan_can_be_cancelled_with_a_refund_after_it_was_reinstated() -> None:
    given = pro_monthly().after(cancel(), reinstate())
    assert given.when(cancel(refund=True)).then(PlanCancelled).money.net_minor == -9684


def test_what_was_pending_stays_pending_through_a_cancellation() -> None:
    given = pro_monthly(9).after(edit(6), cancel(), reinstate())
    assert given.known().next_renewal().amount_minor == 6 * 1699


def test_a_plan_that_is_not_cancelled_is_not_reinstated_and_one_that_has_ended_neither() -> None:
    pro_monthly().when(reinstate()).then_refused("not_cancelled")
    pro_monthly().after(cancel()).when(reinstate(JULY_1)).then_refused("plan_ended")
    pro_monthly().after(cancel()).when(reinstate(JUNE_30)).then(PlanReinstated)
    pro_monthly().after(cancel()).when(cancel(JULY_1)).then_refused("plan_ended")


def test_a_one_month_plan_ends_by_itself() -> None:
    bases = frozenset({"workplace_pro"})
    month = nothing().after(start("webinar_one_month_500", 1, Cycle.ONE_MONTH, account_bases=bases))
    month.when(cancel()).then_refused("one_month_plan")
    month.when(cancel(JULY_1)).then_refused("plan_ended")


def test_who_may_only_look_cancels_and_reinstates_nothing() -> None:
    pro_monthly().when(cancel(privileges=VIEWER)).then_refused("forbidden")
    pro_monthly().after(cancel()).when(reinstate(JUNE_11, privileges=VIEWER)).then_refused("forbidden")


def test_nothing_is_cancelled_before_what_is_recorded_already() -> None:
    given = pro_monthly(3).after(edit(5, JUNE_11))
    given.when(cancel(JUNE_1)).then_refused("date_out_of_range", not_before="2026-06-11")
