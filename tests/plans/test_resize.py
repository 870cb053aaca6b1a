"""A capacity changes its size, or its tier (DOMAIN 3)."""

from contracts.plans import CapacityResized, PlanEditScheduled
from contracts.terms import Cycle
from tests.plans.given import (
    JUNE_15,
    VIEWER,
    add,
    buy,
    cancel_line,
    edit,
    nothing,
    parts,
    pro_monthly,
    renewed,
    resize,
    start,
    with_large_meetings,
)


def test_a_bigger_tier_is_served_now_and_costs_the_difference_of_the_rests() -> None:
    given = pro_monthly().after(buy("storage_30"))
    resized = given.when(resize(sku="storage_200")).then(CapacityResized)
    assert parts(resized.money) == [("credit", -667), ("charge", 2667)]  # 20 of 30 days of 1000 and of 4000
    assert resized.direction == "up"
    assert renewed(resized.next_renewal)["storage_200"] == (1, 4000)


def test_a_smaller_tier_and_a_smaller_number_wait_for_the_end_of_the_term() -> None:
    given = pro_monthly().after(buy("storage_200"))
    assert given.when(resize(sku="storage_30")).then(PlanEditScheduled).after.sku == "storage_30"
    assert with_large_meetings(2).when(resize(quantity=1)).then(PlanEditScheduled).after.quantity == 1
    with_large_meetings(2).when(resize(quantity=5, effective_on=JUNE_15)).then(PlanEditScheduled)


def test_a_tier_and_a_number_change_together() -> None:
    resized = with_large_meetings(2).when(resize(sku="large_meeting_1000", quantity=3)).then(CapacityResized)
    assert (resized.after.sku, resized.after.quantity, resized.after.total_minor) == ("large_meeting_1000", 3, 27000)


def test_a_capacity_becomes_a_tier_of_its_own_kind_only() -> None:
    given = with_large_meetings()
    given.when(resize(sku="storage_30")).then_refused("different_family", sku="large_meeting_500")
    given.when(resize(sku="workplace_business")).then_refused("different_family")
    given.when(resize(sku="no_such_thing")).then_refused("product_not_found")
    both = given.after(buy("storage_30"))
    both.when(resize("line-3", sku="large_meeting_1000")).then_refused("different_family")


def test_no_product_gets_two_lines() -> None:
    given = with_large_meetings(1).after(buy("large_meeting_1000"))
    given.when(resize(sku="large_meeting_1000")).then_refused("capacity_exists")
    waiting = pro_monthly().after(buy("storage_200"), resize(sku="storage_30"))
    waiting.when(buy("storage_30")).then_refused("capacity_exists")


def test_the_base_of_the_next_term_must_keep_the_tier_that_waits() -> None:
    """Whatever a change would make of a line must be allowed by what the base becomes."""
    given = pro_monthly().after(buy("storage_200"), resize(sku="storage_30"))
    given.when(edit(sku="workplace_basic")).then_refused("requirement_unmet", lines=["line-2"])


def test_only_a_capacity_is_resized() -> None:
    given = pro_monthly().after(add("whiteboard_plus", 3), buy("storage_30"))
    given.when(resize("line-1", quantity=3)).then_refused("not_a_capacity")
    given.when(resize("line-2", quantity=5)).then_refused("not_a_capacity")
    given.when(resize("line-9", quantity=5)).then_refused("line_not_found")
    given.when(resize("line-3", quantity=2)).then_refused("quantity_out_of_range", maximum=1)
    given.when(resize("line-3", sku="storage_30")).then_refused("no_change")
    given.when(resize("line-3", sku="storage_200", privileges=VIEWER)).then_refused("forbidden")
    given.after(cancel_line("line-3")).when(resize("line-3", sku="storage_200")).then_refused("line_cancelled")


def test_without_capacities_the_button_is_grey_for_that_reason() -> None:
    pro_monthly().when(resize("line-1", quantity=3)).then_refused("not_a_capacity")
    one_month = start("webinar_one_month_500", 1, Cycle.ONE_MONTH, account_bases=frozenset({"workplace_pro"}))
    nothing().after(one_month).when(resize("line-1", quantity=2)).then_refused("one_month_plan")
