"""Price books: which one is in force, what a running plan keeps, and which book is no book (DOMAIN B10, 6)."""

from datetime import date
from typing import Any

import pytest

from contracts.plans import PlanEdited, PlanStarted, PriceBookPublished
from contracts.problems import Refused
from contracts.terms import Cycle
from services.plans.catalogue import Catalogue, decide, evolve
from services.plans.commands import PublishPriceBook
from tests.plans.given import (
    BOOK_BODY,
    FOR_SALE,
    JUNE_11,
    JUNE_15,
    Given,
    buy,
    catalogue_of,
    edit,
    fixed,
    line,
    nothing,
    priced,
    pro_monthly,
    published,
    start,
    with_large_meetings,
    with_product,
)

DEARER = priced("workplace_pro", {"USD": {"monthly": fixed(1799)}})
DEAREST = priced("workplace_pro", {"USD": {"monthly": fixed(1899)}})
WITHOUT_PRO = tuple(
    product.model_copy(update={"requires": tuple(sku for sku in product.requires if sku != "workplace_pro")})
    for product in BOOK_BODY.products
    if product.sku != "workplace_pro"
)


def publish(version: int = 2, on: date = JUNE_11, effective_from: date = JUNE_11, **different: Any) -> PublishPriceBook:
    members = {"applies_to_existing_from": None, "products": BOOK_BODY.products, **different}
    return PublishPriceBook("standard", version, effective_from, on=on, **members)


def refusal(command: PublishPriceBook, catalogue: Catalogue | None = FOR_SALE) -> Refused:
    with pytest.raises(Refused) as refused:
        decide(command, catalogue)
    return refused.value


def test_the_book_we_sell_from_is_sound() -> None:
    first = publish(1, effective_from=BOOK_BODY.effective_from)
    (event,) = decide(first, None)
    assert isinstance(event, PriceBookPublished)
    assert evolve(None, event, JUNE_11).book_on(JUNE_11) == event


def test_the_book_in_force_is_the_latest_one_that_has_begun() -> None:
    catalogue = catalogue_of(published(1), published(2, JUNE_15, products=DEARER))
    assert [catalogue.book_on(on).book_version for on in (JUNE_11, JUNE_15)] == [1, 2]  # type: ignore[union-attr]
    assert catalogue.book_on(date(2024, 12, 31)) is None


@pytest.mark.parametrize("versions", [(2, 3), (3, 2)])
def test_of_two_books_with_one_date_the_higher_version_wins_whichever_came_first(versions: tuple[int, int]) -> None:
    products = {2: DEARER, 3: DEAREST}
    books = [published(version, JUNE_11, products=products[version]) for version in versions]
    given = nothing().with_books(published(1), *books)
    started = given.when(start(on=JUNE_11, quantity=1)).then(PlanStarted)
    assert (started.money.net_minor, started.line.book_version) == (1899, 3)


def test_a_running_plan_keeps_its_price_when_a_dearer_book_begins() -> None:
    given = pro_monthly(3).with_books(published(1), published(2, JUNE_11, products=DEARER))
    edited = given.when(edit(6, JUNE_11)).then(PlanEdited)
    assert edited.money.net_minor == 3398  # 20 of 30 days of 3 x 1699
    assert (edited.after.price, edited.after.book_version) == (edited.before.price, 1)


def test_a_change_of_product_is_priced_by_the_book_in_force() -> None:
    dearer = priced("workplace_business", {"USD": {"monthly": fixed(2299)}})
    given = pro_monthly(9).with_books(published(1), published(2, JUNE_11, products=dearer))
    edited = given.when(edit(10, JUNE_11, sku="workplace_business")).then(PlanEdited)
    assert (edited.after.total_minor, edited.after.book_version) == (22990, 2)


def test_a_product_that_left_the_book_is_retired_for_buyers_and_kept_by_who_has_it() -> None:
    given = pro_monthly(3).with_books(published(1), published(2, JUNE_11, products=WITHOUT_PRO))
    nothing().with_books(published(1), published(2, JUNE_11, products=WITHOUT_PRO)).when(
        start(on=JUNE_15)
    ).then_refused("product_retired", sku="workplace_pro")
    assert line(given.after(edit(6))).quantity == 6
    given.when(edit(10)).then_refused("quantity_out_of_range", maximum=9)


def test_a_product_marked_retired_is_not_bought_but_its_lines_are_edited() -> None:
    book = published(2, JUNE_11, products=with_product("large_meeting_500", retired=True))
    given = with_large_meetings(2).with_books(published(1), book)
    assert line(given.after(edit(3, line_id="line-2")), "line-2").quantity == 3
    retired = published(2, JUNE_11, products=with_product("workplace_pro", retired=True))
    nothing().with_books(published(1), retired).when(start(on=JUNE_11)).then_refused("product_retired")


def test_a_product_of_a_book_that_has_not_begun_is_not_known() -> None:
    Given(catalogue=catalogue_of(published(2, JUNE_15))).when(start(on=JUNE_11)).then_refused("product_not_found")


def test_the_same_version_published_again_is_no_news_and_a_different_one_is_refused() -> None:
    again = publish(1, effective_from=BOOK_BODY.effective_from)
    assert decide(again, FOR_SALE) == []
    assert refusal(publish(1)).code == "price_book_exists"


def test_only_the_first_book_may_begin_in_the_past() -> None:
    yesterday = date(2026, 6, 10)
    assert decide(publish(effective_from=yesterday), None)
    assert decide(publish(effective_from=JUNE_11), FOR_SALE)
    assert "past" in refusal(publish(effective_from=yesterday)).facts["errors"][0]


NO_BOOKS: dict[str, tuple[dict[str, Any], str]] = {
    "existing customers before new ones": ({"applies_to_existing_from": date(2026, 6, 10)}, "applies_to_existing_from"),
    "a product twice": ({"products": (*BOOK_BODY.products, BOOK_BODY.products[0])}, "workplace_basic is there twice"),
    "a requirement that is not there": (
        {"products": with_product("rooms", requires=("attic",))},
        "rooms requires attic",
    ),
    "a circle of requirements": (
        {"products": with_product("workplace_pro", requires=("large_meeting_500",))},
        "circle",
    ),
    "a product that requires itself": ({"products": with_product("rooms", requires=("rooms",))}, "circle"),
    "a maximum below the minimum": (
        {"products": with_product("rooms", minimum=5, maximum=4)},
        "rooms has a maximum below",
    ),
    "no price": ({"products": with_product("rooms", prices={})}, "rooms has no price"),
    "a capacity for one month": (
        {"products": priced("storage_30", {"USD": {"one_month": fixed(1)}})},
        "storage_30 cannot be sold for one month",
    ),
    "a renewing base for one month": (
        {"products": priced("rooms", {"USD": {"one_month": fixed(1), "monthly": fixed(1)}})},
        "rooms cannot be sold for one month",
    ),
    "a plan that is sold once": (
        {"products": priced("rooms", {"USD": {"once": fixed(1), "monthly": fixed(1)}})},
        "rooms is no device",
    ),
    "a rented device without a list price": (
        {"products": priced("haas_desk_phone", {"USD": {"monthly": fixed(1)}})},
        "haas_desk_phone needs fixed prices for monthly, once",
    ),
    "a device sold by the month": (
        {"products": priced("desk_phone_buy", {"USD": {"monthly": fixed(1)}})},
        "desk_phone_buy needs fixed prices for once",
    ),
    "a device at a price by quantity": (
        {"products": priced("desk_phone_buy", {"USD": {"once": {**fixed(1), "model": "volume"}}})},
        "desk_phone_buy needs fixed prices for once",
    ),
}


@pytest.mark.parametrize(("different", "error"), NO_BOOKS.values(), ids=NO_BOOKS)
def test_a_book_that_contradicts_itself_is_refused_with_the_reason(different: dict[str, Any], error: str) -> None:
    refused = refusal(publish(**different))
    assert refused.code == "price_book_invalid"
    assert any(error in told for told in refused.facts["errors"])


def test_all_that_is_wrong_with_a_book_is_told_at_once() -> None:
    products = tuple(product.model_copy(update={"prices": {}}) for product in BOOK_BODY.products)
    assert len(refusal(publish(products=products)).facts["errors"]) == len(products) - 1  # one is for sales only


def test_a_device_is_for_sale_at_fixed_prices_and_plans_sell_none() -> None:
    for sku in ("haas_desk_phone", "desk_phone_buy", "shipping_express"):
        nothing().when(start(sku, 1)).then_refused("not_a_base")
        nothing().when(start(sku, 1, Cycle.ONCE)).then_refused("not_a_base")
        pro_monthly().when(buy(sku, 1)).then_refused("not_a_capacity")
        pro_monthly().when(edit(sku=sku)).then_refused("different_family")
    nothing().when(start("workplace_pro", 1, Cycle.ONCE)).then_refused("cycle_unavailable")
