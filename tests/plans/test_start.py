"""Starting a plan: what may be bought, at which price, for which term (DOMAIN B1, B3, B9, M1, M2, M12)."""

from datetime import date

import pytest

from contracts.money import MAX_MINOR, Currency
from contracts.plans import PlanStarted
from contracts.pricing import Price
from contracts.terms import Cycle
from services.plans.account import Account
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    VIEWER,
    Given,
    fixed,
    nothing,
    parts,
    priced,
    pro_monthly,
    published,
    renewed,
    start,
    with_product,
)

WORKPLACE = frozenset({"workplace_pro"})


def test_a_new_plan_is_charged_its_whole_first_term() -> None:
    started = nothing().when(start("workplace_pro", 9)).then(PlanStarted)
    assert (started.term_start, started.term_end, started.anchor_on) == (JUNE_1, JULY_1, JUNE_1)
    assert (started.line.price, started.line.book_version, started.family) == (Price.fixed(1699), 1, "workplace")
    assert parts(started.money) == [("charge", 9 * 1699)]
    assert started.money.net_minor == started.line.total_minor == 15291
    assert started.time_zone == "America/New_York"


def test_a_new_plan_tells_what_its_second_term_will_cost() -> None:
    renewal = nothing().when(start("workplace_pro", 9)).then(PlanStarted).next_renewal
    assert (renewal.cadence, renewal.due_on, renewal.amount_minor) == (Cycle.MONTHLY, JULY_1, 15291)
    assert renewed(renewal) == {"workplace_pro": (9, 15291)}


def test_an_annual_plan_costs_its_annual_price_for_a_year() -> None:
    started = nothing().when(start("workplace_business", 10, Cycle.ANNUAL, date(2028, 2, 29))).then(PlanStarted)
    assert started.term_end == date(2029, 2, 28)
    assert started.money.net_minor == 10 * 21990


def test_a_free_plan_is_an_event_without_money_lines() -> None:
    money = nothing().when(start("workplace_basic", 1)).then(PlanStarted).money
    assert (money.net_minor, money.lines) == (0, ())


def test_a_bundle_has_one_base_only() -> None:
    pro_monthly().when(start()).then_refused("second_base")


@pytest.mark.parametrize(
    ("sku", "quantity", "minimum", "maximum"),
    [("workplace_pro", 10, 1, 9), ("workplace_business", 9, 10, 250), ("workplace_business", 251, 10, 250)],
)
def test_a_quantity_outside_the_limits_of_a_product_is_refused_with_them(
    sku: str, quantity: int, minimum: int, maximum: int
) -> None:
    nothing().when(start(sku, quantity)).then_refused(
        "quantity_out_of_range", minimum=minimum, maximum=maximum, pack=1, requested=quantity
    )


@pytest.mark.parametrize(("sku", "quantity"), [("workplace_pro", 1), ("workplace_pro", 9), ("workplace_business", 250)])
def test_the_limits_themselves_may_be_bought(sku: str, quantity: int) -> None:
    nothing().when(start(sku, quantity)).then(PlanStarted)


def test_a_product_in_packs_is_sold_in_whole_packs() -> None:
    given = nothing().with_books(published(products=with_product("workplace_pro", pack=3)))
    given.when(start(quantity=6)).then(PlanStarted)
    given.when(start(quantity=7)).then_refused("quantity_out_of_range", pack=3, requested=7)


def test_what_is_not_in_the_book_in_force_cannot_be_bought() -> None:
    nothing().when(start("no_such_thing")).then_refused("product_not_found", sku="no_such_thing")
    nothing().with_books().when(start()).then_refused("product_not_found")
    nothing().when(start(on=date(2024, 12, 31))).then_refused("product_not_found")


def test_a_product_for_sales_only_is_not_sold_here() -> None:
    nothing().when(start("workplace_enterprise", 250)).then_refused("sales_only", sku="workplace_enterprise")


@pytest.mark.parametrize("sku", ["large_meeting_500", "whiteboard_plus"])
def test_only_a_base_starts_a_plan(sku: str) -> None:
    nothing().when(start(sku, 1)).then_refused("not_a_base", sku=sku)


def test_a_webinar_needs_an_active_workplace_plan_in_the_account() -> None:
    nothing().when(start("webinar_500", 1)).then_refused("requirement_unmet")
    nothing().when(start("webinar_500", 1, account_bases=frozenset({"rooms"}))).then_refused("requirement_unmet")
    nothing().when(start("webinar_500", 1, account_bases=WORKPLACE)).then(PlanStarted)


def test_a_one_month_plan_ends_with_its_month_and_announces_no_renewal() -> None:
    command = start("webinar_one_month_500", 2, Cycle.ONE_MONTH, account_bases=WORKPLACE)
    started = nothing().when(command).then(PlanStarted)
    assert (started.money.net_minor, started.next_renewal.amount_minor, started.next_renewal.lines) == (19800, 0, ())


def test_a_cycle_without_a_price_is_refused_with_those_that_have_one() -> None:
    nothing().when(start(cycle=Cycle.ONE_MONTH)).then_refused("cycle_unavailable", cycles=["annual", "monthly"])


def test_the_currency_is_the_accounts_and_is_never_converted() -> None:
    nothing().when(start(currency=Currency.USD)).then(PlanStarted)
    nothing().when(start(currency=Currency.JPY)).then_refused("currency_mismatch", currency=Currency.USD)
    japan = Given(account=Account(Currency.JPY, "Asia/Tokyo"))
    dollars = published(products=priced("workplace_pro", {"USD": {"monthly": fixed(1699)}}))
    japan.with_books(dollars).when(start()).then_refused("currency_unavailable", currencies=["USD"])
    yen = japan.with_books(published(products=priced("workplace_pro", {"JPY": {"monthly": fixed(2400)}})))
    assert yen.when(start(quantity=7)).then(PlanStarted).money.net_minor == 16800


def test_an_amount_beyond_what_can_be_billed_is_refused() -> None:
    dear = nothing().with_books(published(products=priced("workplace_pro", {"USD": {"monthly": fixed(MAX_MINOR)}})))
    assert dear.when(start(quantity=1)).then(PlanStarted).money.net_minor == MAX_MINOR
    dear.when(start(quantity=2)).then_refused("amount_too_large")


def test_who_may_only_look_starts_nothing() -> None:
    nothing().when(start(privileges=VIEWER)).then_refused("forbidden")


def test_a_plan_cannot_reach_beyond_the_calendar() -> None:
    nothing().when(start(on=date(9999, 12, 31))).then_refused("date_out_of_range")
