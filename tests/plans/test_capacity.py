"""Buying a capacity beside the base: same term, same cycle, and only where the base allows it (DOMAIN B2, B3, B11)."""

from contracts.plans import CapacityPurchased, CapacityResized, PlanEditScheduled
from contracts.terms import Cycle
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    JUNE_11,
    VIEWER,
    business_annual,
    buy,
    cancel,
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
    with_large_meetings,
)


def test_a_capacity_is_charged_for_the_rest_of_the_term_of_its_plan() -> None:
    bought = pro_monthly(9).when(buy("large_meeting_500", 2)).then(CapacityPurchased)
    assert parts(bought.money) == [("charge", 6667)]  # 20 of 30 days of 10000
    assert bought.money.lines[0].period_end == JULY_1
    assert renewed(bought.next_renewal) == {"workplace_pro": (9, 15291), "large_meeting_500": (2, 10000)}
    assert bought.next_renewal.amount_minor == 25291


def test_a_capacity_has_the_cycle_of_its_plan() -> None:
    bought = business_annual().when(buy(on=JUNE_11, cycle=Cycle.ANNUAL)).then(CapacityPurchased)
    assert bought.line.total_minor == 60000
    business_annual().when(buy(on=JUNE_11, cycle=Cycle.MONTHLY)).then_refused("term_mismatch", cycle="annual")
    pro_monthly().when(buy(cycle=Cycle.ANNUAL)).then_refused("term_mismatch", cycle="monthly")


def test_a_capacity_needs_a_base_that_allows_it() -> None:
    nothing().after(start("workplace_basic", 1)).when(buy()).then_refused("requirement_unmet")
    nothing().after(start("rooms", 1)).when(buy()).then_refused("requirement_unmet")


def test_a_capacity_needs_the_base_of_the_next_term_too() -> None:
    given = pro_monthly(3).after(edit(sku="workplace_basic"))
    given.when(buy()).then_refused("requirement_unmet")


def test_a_second_base_is_not_bought_into_a_plan() -> None:
    pro_monthly().when(buy("workplace_business", 10)).then_refused("second_base")


def test_an_add_on_is_no_capacity() -> None:
    pro_monthly().when(buy("whiteboard_plus")).then_refused("not_a_capacity")


def test_a_capacity_is_one_line_and_its_quantity_is_edited() -> None:
    with_large_meetings().when(buy("large_meeting_500")).then_refused("capacity_exists")
    given = with_large_meetings().after(buy("large_meeting_1000"))
    assert list(given.known().lines) == ["line-1", "line-2", "line-3"]


def test_the_quantity_of_a_capacity_goes_up_now_and_down_at_the_end_of_the_term() -> None:
    up = with_large_meetings(2).when(edit(5, line_id="line-2")).then(CapacityResized)
    assert (up.money.net_minor, up.money.lines[0].line_id) == (10000, "line-2")
    down = with_large_meetings(2).when(edit(1, line_id="line-2")).then(PlanEditScheduled)
    assert renewed(down.next_renewal)["large_meeting_500"] == (1, 5000)


def test_the_limits_of_a_capacity_hold() -> None:
    pro_monthly().when(buy("storage_30", 2)).then_refused("quantity_out_of_range", minimum=1, maximum=1, requested=2)
    with_large_meetings().when(edit(101, line_id="line-2")).then_refused("quantity_out_of_range", maximum=100)


def test_what_is_not_sold_cannot_be_bought() -> None:
    pro_monthly().when(buy("no_such_thing")).then_refused("product_not_found")
    pro_monthly().when(buy("workplace_enterprise")).then_refused("sales_only")


def test_a_capacity_of_a_newer_book_is_bought_at_its_price_while_the_base_keeps_its_own() -> None:
    dearer = priced("large_meeting_500", {"USD": {"monthly": fixed(6000)}})
    given = pro_monthly().with_books(published(), published(2, JUNE_11, products=dearer))
    bought = given.after(buy("large_meeting_500", on=JUNE_11))
    assert (line(bought, "line-2").total_minor, line(bought, "line-2").book_version) == (6000, 2)
    assert (line(bought).price.unit_minor(1), line(bought).book_version) == (1699, 1)
    assert line(given.after(buy("large_meeting_1000", on=JUNE_11)), "line-2").book_version == 2


def test_nothing_is_bought_into_a_cancelled_or_a_one_month_plan_or_by_who_may_only_look() -> None:
    pro_monthly().after(cancel(JUNE_1)).when(buy()).then_refused("plan_cancelled")
    bases = frozenset({"workplace_pro"})
    month = nothing().after(start("webinar_one_month_500", 1, Cycle.ONE_MONTH, account_bases=bases))
    month.when(buy()).then_refused("one_month_plan")
    pro_monthly().when(buy(privileges=VIEWER)).then_refused("forbidden")
