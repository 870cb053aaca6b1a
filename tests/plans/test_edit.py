"""Editing a plan: up now and prorated, down at the end of the term, one pending change a line (DOMAIN B3–B6, M3–M8)."""

from datetime import date, timedelta

from hypothesis import given as every
from hypothesis import strategies as st

from contracts.money import Currency
from contracts.plans import Direction, DiscardReason, PlanEditDiscarded, PlanEdited, PlanEditScheduled
from contracts.terms import Cycle
from services.plans.account import Account
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    JUNE_11,
    JUNE_15,
    JUNE_30,
    VIEWER,
    Given,
    assign,
    business_annual,
    cancel,
    discard,
    edit,
    fixed,
    line,
    nothing,
    parts,
    priced,
    pro_monthly,
    published,
    renewed,
    start,
    with_assigned,
    with_large_meetings,
    with_product,
)


def test_more_licences_are_served_and_charged_from_today_to_the_end_of_the_term() -> None:
    given = pro_monthly(3, on=date(2026, 1, 31))
    edited = given.when(edit(6, on=date(2026, 2, 10))).then(PlanEdited)
    assert (edited.before.quantity, edited.after.quantity, edited.direction) == (3, 6, Direction.UP)
    assert edited.change_id is None
    assert parts(edited.money) == [("charge", 3277)]
    shown = edited.money.lines[0]
    assert (shown.quantity, shown.full_minor, shown.days_served, shown.days) == (3, 5097, 10, 28)
    assert renewed(edited.next_renewal) == {"workplace_pro": (6, 6 * 1699)}


def test_more_annual_licences_are_charged_for_the_rest_of_the_year() -> None:
    edited = business_annual(10).when(edit(15, on=date(2026, 7, 1))).then(PlanEdited)
    assert (edited.money.net_minor, edited.next_renewal.amount_minor) == (75308, 15 * 21990)


def test_yen_are_prorated_in_whole_yen() -> None:
    yen = Given(account=Account(Currency.JPY, "Asia/Tokyo")).with_books(
        published(products=priced("workplace_pro", {"JPY": {"monthly": fixed(2400)}}))
    )
    given = yen.after(start(quantity=1, on=date(2026, 2, 1)))
    assert given.when(edit(8, on=date(2026, 2, 14))).then(PlanEdited).money.net_minor == 9000


def test_the_anchor_and_the_term_stay_when_licences_are_added() -> None:
    before = pro_monthly(3).known()
    after = pro_monthly(3).after(edit(6)).known()
    assert (after.anchor_on, after.term) == (before.anchor_on, before.term)


def test_an_increase_on_the_first_day_costs_its_whole_term_and_on_the_last_one_a_day() -> None:
    assert pro_monthly(3).when(edit(6, on=JUNE_1)).then(PlanEdited).money.net_minor == 3 * 1699
    assert pro_monthly(3).when(edit(6, on=JUNE_30)).then(PlanEdited).money.net_minor == 170  # 5097 / 30 = 169.9


def test_half_a_cent_counts_as_earned() -> None:
    assert pro_monthly(1).when(edit(2, on=date(2026, 6, 16))).then(PlanEdited).money.net_minor == 849  # of 849.5


def test_a_hundred_licences_are_rounded_once() -> None:
    wide = nothing().with_books(published(products=with_product("workplace_pro", maximum=None)))
    given = wide.after(start(quantity=1, on=date(2026, 1, 31)))
    assert given.when(edit(101, on=date(2026, 2, 10))).then(PlanEdited).money.net_minor == 109221


def test_an_increase_of_a_free_plan_is_an_event_without_money_lines() -> None:
    edited = nothing().after(start("workplace_basic", 1)).when(edit(5)).then(PlanEdited)
    assert (edited.money.net_minor, edited.money.lines, edited.after.quantity) == (0, (), 5)


def test_a_reduction_waits_for_the_end_of_the_term_and_moves_no_money() -> None:
    given = pro_monthly(9)
    scheduled = given.when(edit(6)).then(PlanEditScheduled)
    assert (scheduled.before.quantity, scheduled.after.quantity, scheduled.effective_on) == (9, 6, JULY_1)
    assert (scheduled.direction, scheduled.supersedes) == (Direction.DOWN, None)
    assert renewed(scheduled.next_renewal) == {"workplace_pro": (6, 6 * 1699)}
    after = given.after(edit(6)).known()
    assert after.base.quantity == 9
    assert after.charged_minor == given.known().charged_minor


def test_a_reduction_below_the_assigned_licences_is_refused_when_it_is_asked_for() -> None:
    with_assigned(4).when(edit(3)).then_refused("licences_assigned", assigned=4, requested=3)
    with_assigned(4).when(edit(4)).then(PlanEditScheduled)


def test_the_licences_of_a_capacity_are_nobodys() -> None:
    given = with_large_meetings(5).after(assign("person-1"), assign("person-2"))
    given.when(edit(1, line_id="line-2")).then(PlanEditScheduled)


def test_another_reduction_supersedes_the_pending_one_and_says_so() -> None:
    given = pro_monthly(9).after(edit(6, change_id="first"))
    scheduled = given.when(edit(5, JUNE_15, change_id="second")).then(PlanEditScheduled)
    assert scheduled.supersedes == "first"
    pending = given.after(edit(5, JUNE_15, change_id="second")).known().pending
    assert [change.change_id for change in pending.values()] == ["second"]


def test_an_increase_discards_the_pending_reduction_first_and_both_are_told() -> None:
    given = pro_monthly(5).after(edit(3, change_id="first"))
    edited = given.when(edit(7, JUNE_15)).then(PlanEditDiscarded, PlanEdited)
    assert given.when(edit(7, JUNE_15)).events[0].reason is DiscardReason.SUPERSEDED
    assert renewed(edited.next_renewal) == {"workplace_pro": (7, 7 * 1699)}
    assert given.after(edit(7, JUNE_15)).known().pending == {}


def test_a_change_to_what_is_already_so_discards_the_pending_one() -> None:
    given = pro_monthly(9).after(edit(6, change_id="first"))
    discarded = given.when(edit(9, JUNE_15)).then(PlanEditDiscarded)
    assert (discarded.change_id, discarded.reason) == ("first", DiscardReason.SAME_AS_PRESENT)


def test_a_change_to_what_is_already_so_is_no_change_when_nothing_is_pending() -> None:
    pro_monthly(9).when(edit(9)).then_refused("no_change")
    pro_monthly(9).when(edit()).then_refused("no_change")
    pro_monthly(9).when(edit(9, sku="workplace_pro")).then_refused("no_change")


def test_each_line_has_its_own_pending_change() -> None:
    first = with_large_meetings(2).after(edit(6, change_id="a"))
    assert first.when(edit(1, line_id="line-2", change_id="b")).then(PlanEditScheduled).supersedes is None
    given = first.after(edit(1, line_id="line-2", change_id="b"))
    assert {line_id: change.change_id for line_id, change in given.known().pending.items()} == {
        "line-1": "a",
        "line-2": "b",
    }
    after = given.after(discard(line_id="line-2")).known()
    assert list(after.pending) == ["line-1"]


@every(st.integers(1, 8), st.integers(0, 29))
def test_a_reduction_and_its_discard_change_nothing(licences: int, days: int) -> None:
    given = with_large_meetings()
    on = JUNE_1 + timedelta(days=days)
    after = given.after(edit(licences, on), discard(on)).known()
    before = given.known()
    assert (after.lines, after.next_renewal(), after.charged_minor, after.pending) == (
        before.lines,
        before.next_renewal(),
        before.charged_minor,
        {},
    )


def test_there_is_nothing_to_discard_when_nothing_is_pending() -> None:
    pro_monthly().when(discard()).then_refused("no_pending_change")
    with_large_meetings().after(edit(6)).when(discard(line_id="line-2")).then_refused("no_pending_change")


def test_a_bigger_product_credits_the_old_rest_and_charges_the_new_one_as_one_net_amount() -> None:
    edited = pro_monthly(9).when(edit(10, sku="workplace_business")).then(PlanEdited)
    assert parts(edited.money) == [("credit", -10194), ("charge", 14660)]
    assert edited.money.net_minor == 4466
    assert (edited.before.sku, edited.after.sku, edited.after.line_id) == (
        "workplace_pro",
        "workplace_business",
        "line-1",
    )
    assert renewed(edited.next_renewal) == {"workplace_business": (10, 21990)}


def test_a_smaller_product_waits_for_the_end_of_the_term() -> None:
    given = nothing().after(start("workplace_business", 10))
    scheduled = given.when(edit(9, sku="workplace_pro")).then(PlanEditScheduled)
    assert (scheduled.after.sku, scheduled.effective_on) == ("workplace_pro", JULY_1)


def test_a_product_that_costs_the_same_is_served_from_today() -> None:
    same = priced("workplace_basic", {"USD": {"monthly": fixed(1699)}})
    given = pro_monthly(3).with_books(published(), published(2, JUNE_11, products=same))
    edited = given.when(edit(sku="workplace_basic")).then(PlanEdited)
    assert (parts(edited.money), edited.money.net_minor) == ([("credit", -3398), ("charge", 3398)], 0)


def test_another_product_keeps_the_limits_of_its_own() -> None:
    pro_monthly(9).when(edit(sku="workplace_business")).then_refused("quantity_out_of_range", minimum=10, requested=9)
    pro_monthly(9).when(edit(10)).then_refused("quantity_out_of_range", maximum=9, requested=10)


def test_a_plan_changes_within_its_family_only() -> None:
    pro_monthly().when(edit(sku="rooms")).then_refused("different_family", family="workplace")
    pro_monthly().when(edit(sku="large_meeting_500")).then_refused("different_family")
    pro_monthly().when(edit(sku="workplace_enterprise")).then_refused("sales_only")
    pro_monthly().when(edit(sku="no_such_thing")).then_refused("product_not_found")


def test_a_capacity_does_not_become_another_product() -> None:
    with_large_meetings().when(edit(sku="workplace_business", line_id="line-2")).then_refused("different_family")


def test_a_line_that_is_not_there_is_not_found() -> None:
    pro_monthly().when(edit(3, line_id="line-7")).then_refused("line_not_found", line_id="line-7")


def test_what_hangs_on_the_base_must_fit_the_new_one() -> None:
    with_large_meetings().when(edit(sku="workplace_basic")).then_refused("requirement_unmet", lines=["line-2"])
    pro_monthly().when(edit(sku="workplace_basic")).then(PlanEditScheduled)


def test_nothing_is_dated_before_what_is_recorded_already() -> None:
    given = pro_monthly(3).after(edit(5, JUNE_15))
    given.when(edit(6, JUNE_11)).then_refused("date_out_of_range", not_before="2026-06-15")
    given.when(edit(6, JUNE_15)).then(PlanEdited)


def test_a_cancelled_plan_is_reinstated_before_it_is_edited() -> None:
    pro_monthly(3).after(cancel()).when(edit(6)).then_refused("plan_cancelled")


def test_a_one_month_plan_is_not_edited() -> None:
    bases = frozenset({"workplace_pro"})
    given = nothing().after(start("webinar_one_month_500", 2, Cycle.ONE_MONTH, account_bases=bases))
    given.when(edit(3)).then_refused("one_month_plan")


def test_a_plan_whose_term_is_over_waits_for_its_renewal() -> None:
    pro_monthly(3).when(edit(6, JULY_1)).then_refused("renewal_due")


def test_who_may_only_look_edits_nothing_and_a_plan_that_is_not_there_is_not_found() -> None:
    pro_monthly(3).when(edit(6, privileges=VIEWER)).then_refused("forbidden")
    nothing().when(edit(6)).then_refused("plan_not_found")


def test_a_line_that_cost_nothing_yet_gets_no_credit() -> None:
    free = nothing().after(start("workplace_basic", 1))
    edited = free.when(edit(sku="workplace_pro")).then(PlanEdited)
    assert parts(edited.money) == [("charge", 1133)]


@every(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 9)), max_size=6))
def test_steps_up_on_one_day_cost_what_one_step_costs_but_for_a_rounding_each(steps: list[tuple[int, int]]) -> None:
    given, paid = pro_monthly(1), 1699
    for days, licences in sorted(steps):
        on = JUNE_1 + timedelta(days=days)
        if licences > line(given).quantity:
            outcome = given.when(edit(licences, on))
            paid += outcome.then(PlanEdited).money.net_minor
            given = outcome.happened()
    assert given.known().charged_minor == {"line-1": paid}
    assert paid <= line(given).total_minor


def test_volume_tiers_may_make_more_units_cheaper_and_then_the_rest_of_the_difference_is_given_back() -> None:
    tiers = [{"up_to": 5, "unit_minor": 1000}, {"up_to": None, "unit_minor": 500}]
    prices = {"USD": {"monthly": {"model": "volume", "tiers": tiers}}}
    given = nothing().with_books(published(products=priced("workplace_pro", prices))).after(start(quantity=5))
    edited = given.when(edit(6, JUNE_11)).then(PlanEdited)
    assert parts(edited.money) == [("credit", -1333)]  # 20 days of 5000 - 3000
    assert edited.next_renewal.amount_minor == 3000


def test_what_is_pending_already_is_no_change() -> None:
    given = pro_monthly(9).after(edit(6))
    given.when(edit(6)).then_refused("no_change")
    given.when(edit(6, effective_on=JULY_1)).then_refused("no_change")
    given.when(edit(5)).then(PlanEditScheduled)
