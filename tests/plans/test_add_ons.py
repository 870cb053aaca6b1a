"""Buying an add-on beside the base: co-terminating, prorated, by tiers, and only where the base allows it (DOMAIN B2,
B11, M11)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.plans import AddOnPurchased, PlanEdited, PlanEditScheduled
from contracts.terms import Cycle
from services.plans.term_end import advance
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    JUNE_11,
    VIEWER,
    add,
    business_annual,
    cancel,
    catalogue_of,
    edit,
    line,
    nothing,
    parts,
    priced,
    pro_monthly,
    published,
    renewed,
    start,
)

TIERS = [{"up_to": 10, "unit_minor": 1000}, {"up_to": None, "unit_minor": 800}]


def test_an_add_on_is_charged_for_the_rest_of_the_term_of_its_plan() -> None:
    bought = pro_monthly().when(add(quantity=60)).then(AddOnPurchased)
    assert bought.line.total_minor == 14440  # 50 at 249 and 10 at 199
    assert parts(bought.money) == [("charge", 9627)]  # 20 of 30 days
    assert bought.money.lines[0].period_end == JULY_1
    assert renewed(bought.next_renewal) == {"workplace_pro": (9, 15291), "whiteboard_plus": (60, 14440)}


@pytest.mark.parametrize(("model", "total_minor"), [("graduated", 13200), ("volume", 11200)])
def test_fourteen_in_tiers(model: str, total_minor: int) -> None:
    tiers: dict[str, Any] = {"USD": {"monthly": {"model": model, "tiers": TIERS}}}
    given = pro_monthly().with_books(published(products=priced("whiteboard_plus", tiers)))
    bought = given.when(add(quantity=14, on=JUNE_1)).then(AddOnPurchased)
    assert (bought.line.total_minor, bought.money.net_minor) == (total_minor, total_minor)


def test_an_add_on_has_the_cycle_of_its_plan() -> None:
    bought = business_annual().when(add("premier_support", cycle=Cycle.ANNUAL)).then(AddOnPurchased)
    assert bought.line.total_minor == 299000
    business_annual().when(add(cycle=Cycle.MONTHLY)).then_refused("term_mismatch", cycle="annual")
    pro_monthly().when(add(cycle=Cycle.ANNUAL)).then_refused("term_mismatch", cycle="monthly")


def test_an_add_on_needs_a_base_that_allows_it_now_and_in_the_next_term() -> None:
    pro_monthly().when(add("premier_support")).then_refused("requirement_unmet")
    nothing().after(start("rooms", 1)).when(add("room_connector", 2)).then(AddOnPurchased)
    nothing().after(start("phone_us_metered", 1)).when(add("phone_toll_free")).then(AddOnPurchased)
    nothing().after(start("rooms", 1)).when(add("phone_toll_free")).then_refused("requirement_unmet")
    pro_monthly(3).after(edit(sku="workplace_basic")).when(add()).then_refused("requirement_unmet")


def test_an_add_on_is_one_line_and_neither_a_base_nor_a_capacity() -> None:
    pro_monthly().after(add()).when(add()).then_refused("add_on_exists")
    pro_monthly().when(add("storage_30")).then_refused("not_an_add_on")
    pro_monthly().when(add("workplace_business", 10)).then_refused("second_base")


def test_the_limits_of_an_add_on_hold() -> None:
    business_annual().when(add("premier_support", 2)).then_refused("quantity_out_of_range", maximum=1)
    pro_monthly().when(add(quantity=10_001)).then_refused("quantity_out_of_range", maximum=10_000)


def test_the_quantity_of_an_add_on_goes_up_now_and_down_at_the_end_of_the_term() -> None:
    given = pro_monthly().after(add(quantity=50, on=JUNE_1))
    up = given.when(edit(60, line_id="line-2")).then(PlanEdited)
    assert parts(up.money) == [("charge", 1327)]  # 20 of 30 days of 10 at 199
    down = given.when(edit(40, line_id="line-2")).then(PlanEditScheduled)
    assert (down.effective_on, renewed(down.next_renewal)["whiteboard_plus"]) == (JULY_1, (40, 9960))


def test_an_add_on_goes_on_with_its_plan() -> None:
    given = pro_monthly().after(add(quantity=60))
    advanced = advance(given.plan, JULY_1, given.catalogue)[-1]
    assert parts(advanced.money) == [("charge", 15291), ("charge", 14440)]  # type: ignore[union-attr]


def test_an_add_on_of_a_newer_book_is_bought_while_the_base_keeps_its_own() -> None:
    newer = replace(pro_monthly(), catalogue=catalogue_of(published(), published(2, JUNE_11)))
    after = newer.after(add())
    assert (line(after, "line-2").book_version, line(after).book_version) == (2, 1)


def test_no_add_on_where_nothing_may_be_bought() -> None:
    pro_monthly().after(cancel(JUNE_1)).when(add()).then_refused("plan_cancelled")
    bases = frozenset({"workplace_pro"})
    month = nothing().after(start("webinar_one_month_500", 1, Cycle.ONE_MONTH, account_bases=bases))
    month.when(add()).then_refused("one_month_plan")
    pro_monthly().when(add(privileges=VIEWER)).then_refused("forbidden")
