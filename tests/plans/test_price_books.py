"""The price books that are for sale: DOMAIN 7, word for word, and what they mean for who buys and who renews (B10)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.money import Currency
from contracts.plan_commands import PublishPriceBookBody
from contracts.plans import CapacityPurchased, PlanEdited, PlanStarted, PlanTermAdvanced, Product, ProductKind
from contracts.terms import Cycle, term
from services.plans import term_end
from services.plans.account import Account
from services.plans.catalogue import Catalogue
from tests.chassis.tokens import Issuer
from tests.plans.given import BOOK_FILE, Given, buy, catalogue_of, edit, fixed, priced, published, start
from tests.plans.portal import EDIT, Customer, SetClock, bundle_of, done, plans_service, problem

FILES = {n: BOOK_FILE.with_name(f"price_book_v{n}.json") for n in (1, 2, 3)}
BODIES = {n: PublishPriceBookBody.model_validate_json(file.read_bytes()) for n, file in FILES.items()}
MARCH_1, MARCH_31, APRIL_1, JUNE_30, JULY_1 = (
    date(2026, 3, 1),
    date(2026, 3, 31),
    date(2026, 4, 1),
    date(2026, 6, 30),
    date(2026, 7, 1),
)


def catalogue(*versions: int) -> Catalogue:
    of = [(n, BODIES[n]) for n in versions]
    return catalogue_of(
        *(
            published(
                n, body.effective_from, applies_to_existing_from=body.applies_to_existing_from, products=body.products
            )
            for n, body in of
        )
    )


def products(version: int) -> dict[str, Product]:
    return {product.sku: product for product in BODIES[version].products}


PHONE = ("phone_us_metered", "phone_us_unlimited", "phone_global_select")
WORKPLACE = ("workplace_pro", "workplace_business", "workplace_business_plus", "workplace_enterprise")
ANY_WORKPLACE = ("workplace_basic", *WORKPLACE)
BUSINESS = WORKPLACE[1:]
BASE, CAPACITY, ADD_ON = ProductKind.BASE, ProductKind.CAPACITY, ProductKind.ADD_ON
RENTAL, SALE, SHIPPING = ProductKind.DEVICE_RENTAL, ProductKind.DEVICE_SALE, ProductKind.SHIPPING

# DOMAIN 7 as it is written, in cents: sku, kind, a month, a year (a device: once), minimum, maximum, requires.
Units = int | tuple[int, ...] | None
Row = tuple[str, ProductKind, Units, Units, int, int | None, tuple[str, ...]]
SEED: list[Row] = [
    ("workplace_basic", BASE, 0, 0, 1, None, ()),
    ("workplace_pro", BASE, 1699, 15990, 1, 9, ()),
    ("workplace_business", BASE, 2199, 21990, 10, 250, ()),
    ("workplace_business_plus", BASE, 2649, 26490, 10, 250, ()),
    ("workplace_enterprise", BASE, None, None, 250, None, ()),
    ("phone_us_metered", BASE, 1000, 12000, 1, 500, ()),
    ("phone_us_unlimited", BASE, 1500, 18000, 1, 500, ()),
    ("phone_global_select", BASE, 2000, 24000, 1, 500, ()),
    ("phone_number_extra", CAPACITY, 500, 6000, 1, 1000, PHONE),
    ("phone_toll_free", ADD_ON, 500, 6000, 1, 200, PHONE),
    ("rooms", BASE, 4900, 49900, 1, 500, ()),
    ("room_connector", ADD_ON, 4900, 49900, 1, 500, ("rooms",)),
    ("large_meeting_500", CAPACITY, 5000, 60000, 1, 100, WORKPLACE),
    ("large_meeting_1000", CAPACITY, 9000, 108000, 1, 100, WORKPLACE),
    ("webinar_500", BASE, 7900, 69000, 1, 50, ANY_WORKPLACE),
    ("webinar_1000", BASE, 34000, 340000, 1, 50, ANY_WORKPLACE),
    ("webinar_3000", BASE, 99000, 990000, 1, 50, ANY_WORKPLACE),
    ("webinar_5000", BASE, 249000, 2490000, 1, 50, ANY_WORKPLACE),
    ("webinar_10000", BASE, 649000, 6490000, 1, 50, ANY_WORKPLACE),
    ("webinar_one_month_500", BASE, 9900, None, 1, 10, ANY_WORKPLACE),
    ("storage_30", CAPACITY, 1000, 12000, 1, 1, WORKPLACE),
    ("storage_200", CAPACITY, 4000, 48000, 1, 1, WORKPLACE),
    ("storage_1000", CAPACITY, 10000, 120000, 1, 1, WORKPLACE),
    ("storage_5000", CAPACITY, 40000, 480000, 1, 1, WORKPLACE),
    ("whiteboard_plus", ADD_ON, (249, 199), (2490, 1990), 1, 10000, WORKPLACE),
    ("premier_support", ADD_ON, 29900, 299000, 1, 1, BUSINESS),
    ("haas_desk_phone", RENTAL, 599, None, 1, 1500, PHONE),
    ("haas_conference", RENTAL, 1899, None, 1, 1500, PHONE),
    ("haas_room_kit_small", RENTAL, 7500, None, 1, 200, ("rooms",)),
    ("haas_room_kit_large", RENTAL, 19900, None, 1, 200, ("rooms",)),
    ("desk_phone_buy", SALE, None, 8900, 1, 500, PHONE),
    ("shipping_standard", SHIPPING, None, 0, 1, 1, ()),
    ("shipping_express", SHIPPING, None, 2500, 1, 1, ()),
]
CAPTIONS: Row = ("translated_captions", ADD_ON, 500, 6000, 1, 10000, WORKPLACE)


def as_written(product: Product) -> Row:
    def minor(*cycles: Cycle) -> Units:
        prices = product.prices.get(Currency.USD, {})
        price = next((prices[cycle] for cycle in cycles if cycle in prices), None)
        units = tuple(tier.unit_minor for tier in price.tiers) if price else ()
        return units if len(units) > 1 else units[0] if units else None

    once = () if product.kind is RENTAL else (Cycle.ONCE,)  # a rented device's list price is not in the table
    month, year = minor(Cycle.MONTHLY, Cycle.ONE_MONTH), minor(Cycle.ANNUAL, *once)
    return product.sku, product.kind, month, year, product.minimum, product.maximum, product.requires


def test_the_first_book_is_the_seed_catalogue() -> None:
    assert [as_written(product) for product in BODIES[1].products] == SEED
    assert BODIES[1].effective_from == date(2025, 1, 1)
    assert products(1)["whiteboard_plus"].prices[Currency.USD][Cycle.MONTHLY].tiers[0].up_to == 50
    assert [product.sku for product in BODIES[1].products if product.sales_only] == ["workplace_enterprise"]


@pytest.mark.parametrize("version", [2, 3])
def test_the_later_books_differ_in_pro_and_captions(version: int) -> None:
    pro = ("workplace_pro", BASE, 1799, 16990, 1, 9, ())
    expected = [pro if row[0] == "workplace_pro" else row for row in SEED]
    expected.insert([row[0] for row in expected].index("premier_support"), CAPTIONS)
    assert [as_written(product) for product in BODIES[version].products] == expected
    assert (BODIES[version].effective_from, BODIES[version].applies_to_existing_from) == (APRIL_1, JULY_1)
    assert "translated_captions" not in products(1)


def test_the_third_book_corrects_one_price_of_the_second() -> None:
    second, third = products(2), products(3)
    assert [sku for sku in third if third[sku] != second[sku]] == ["workplace_pro"]
    yen = [each["workplace_pro"].prices[Currency.JPY][Cycle.MONTHLY].unit_minor(1) for each in (second, third)]
    assert yen == [26000, 2600]


@pytest.mark.parametrize("version", FILES)
def test_whatever_is_sold_has_a_price_in_every_currency_on_the_same_cycles(version: int) -> None:
    for product in BODIES[version].products:
        if not product.sales_only:
            assert set(product.prices) == set(Currency)
            assert len({frozenset(of) for of in product.prices.values()}) == 1
            assert len({any(p.unit_minor(1) for p in of.values()) for of in product.prices.values()}) == 1


def test_prices_that_are_given_in_other_currencies() -> None:
    of = products(1)
    yen, dinar = Currency.JPY, Currency.KWD
    given = {("workplace_pro", yen): (2400, 22900), ("workplace_business", yen): (3100, 30900)}
    for (sku, currency), both in {**given, ("workplace_pro", dinar): (5200, 49000)}.items():
        prices = of[sku].prices[currency]
        assert (prices[Cycle.MONTHLY].unit_minor(1), prices[Cycle.ANNUAL].unit_minor(1)) == both


# Who renews, and who buys


def started(on: date, cycle: Cycle = Cycle.MONTHLY, currency: Currency = Currency.USD, *versions: int) -> Given:
    given = Given(catalogue=catalogue(*(versions or (1, 2, 3))), account=Account(currency, "America/New_York"))
    return given.after(start("workplace_pro", 2, cycle, on=on))


def renewed(given: Given) -> tuple[Given, PlanTermAdvanced]:
    """The plan a term later."""
    plan = given.known()
    (event,) = term_end.advance(plan, plan.term.end, given.catalogue)
    assert isinstance(event, PlanTermAdvanced)
    after = Given(term_end.evolve(plan, event, plan.term.end), given.catalogue, given.account)
    return after, event


def terms(given: Given, count: int) -> list[tuple[str, int, int]]:
    """Of the renewals to come: first day, price, book."""
    told = []
    for _ in range(count):
        given, event = renewed(given)
        line = event.lines[0]
        told.append((event.term_start.isoformat(), line.price.tiers[0].unit_minor, line.book_version))
    return told


def test_an_existing_customer_pays_the_old_price_until_the_day_the_book_names() -> None:
    """DOMAIN B10: April, May and June are renewed by the first book; July by the third, not by the second."""
    assert terms(started(MARCH_1), 5) == [
        ("2026-04-01", 1699, 1),
        ("2026-05-01", 1699, 1),
        ("2026-06-01", 1699, 1),
        ("2026-07-01", 1799, 3),
        ("2026-08-01", 1799, 3),
    ]


@pytest.mark.parametrize(
    ("on", "minor", "book"), [(MARCH_31, 1699, 1), (APRIL_1, 1799, 3), (JUNE_30, 1799, 3), (JULY_1, 1799, 3)]
)
def test_a_new_customer_pays_the_price_of_the_day(on: date, minor: int, book: int) -> None:
    line = started(on).known().base
    assert (line.price.tiers[0].unit_minor, line.book_version) == (minor, book)


def test_a_new_customer_keeps_the_newer_price_at_renewals_before_the_day_for_existing_ones() -> None:
    assert terms(started(APRIL_1), 3) == [
        ("2026-05-01", 1799, 3),
        ("2026-06-01", 1799, 3),
        ("2026-07-01", 1799, 3),
    ]


@pytest.mark.parametrize(
    ("begun", "minor", "book"),
    [(date(2025, 6, 30), 15990, 1), (date(2025, 7, 1), 16990, 3), (date(2025, 7, 2), 16990, 3)],
)
def test_an_annual_plan_is_renewed_by_the_book_of_its_day(begun: date, minor: int, book: int) -> None:
    assert terms(started(begun, Cycle.ANNUAL), 1) == [(begun.replace(year=2026).isoformat(), minor, book)]


def test_a_running_term_keeps_its_price_whatever_is_published() -> None:
    edited = started(MARCH_1, Cycle.ANNUAL).when(edit(5, on=JULY_1)).then(PlanEdited)
    assert (edited.after.price.tiers[0].unit_minor, edited.after.book_version) == (15990, 1)


def test_without_the_third_book_the_second_is_in_force_and_with_a_day_of_its_own_the_third_waits() -> None:
    yen = Currency.JPY
    assert terms(started(MARCH_1, Cycle.MONTHLY, yen, 1, 2), 4)[-1] == ("2026-07-01", 26000, 2)
    assert terms(started(MARCH_1, Cycle.MONTHLY, yen, 1, 2, 3), 4)[-1] == ("2026-07-01", 2600, 3)
    assert terms(started(MARCH_1, Cycle.MONTHLY, yen, 1, 3, 2), 4)[-1] == ("2026-07-01", 2600, 3)


def test_of_two_books_one_date_for_buyers_and_two_for_who_has_it() -> None:
    """The higher version comes later for existing customers: until then they renew by the lower one."""
    lower = published(2, APRIL_1, products=priced("workplace_pro", {"USD": {"monthly": fixed(1799)}}))
    higher = published(
        3,
        APRIL_1,
        applies_to_existing_from=date(2026, 6, 1),
        products=priced("workplace_pro", {"USD": {"monthly": fixed(1899)}}),
    )
    given = Given(catalogue=catalogue_of(published(1), lower, higher)).after(start("workplace_pro", 1, on=MARCH_1))
    assert [(minor, book) for _, minor, book in terms(given, 3)] == [(1799, 2), (1799, 2), (1899, 3)]


def test_what_only_a_newer_book_sells_is_bought_in_a_plan_of_an_older_one() -> None:
    """DOMAIN B11: its requires names the base; the base itself keeps its own price and book."""
    new = products(3)["storage_30"].model_copy(update={"sku": "storage_60", "name": "Storage 60 GB"})
    third = published(3, APRIL_1, products=(*BODIES[3].products, new), applies_to_existing_from=JULY_1)
    given = Given(catalogue=catalogue_of(published(1), third)).after(start("workplace_pro", 2, on=MARCH_1))
    given.when(buy("storage_60", on=MARCH_31)).then_refused("product_not_found")
    plan, _ = renewed(given)
    bought = plan.when(buy("storage_60", on=date(2026, 4, 2))).then(CapacityPurchased)
    assert (bought.line.book_version, plan.known().base.book_version) == (3, 1)
    phone = Given(catalogue=given.catalogue).after(start("phone_us_metered", 1, on=APRIL_1))
    phone.when(buy("storage_60", on=APRIL_1)).then_refused("requirement_unmet")


# Every currency (DOMAIN M1, M2)


def test_seven_yen_licences_from_the_fourteenth_of_february_cost_9000() -> None:
    given = started(date(2026, 2, 1), Cycle.MONTHLY, Currency.JPY)
    edited = given.when(edit(9, on=date(2026, 2, 14))).then(PlanEdited)
    assert (edited.money.net_minor, edited.money.currency) == (9000, Currency.JPY)


@pytest.mark.parametrize(
    ("currency", "monthly", "increase"),
    [(Currency.USD, 1699, 5946), (Currency.EUR, 1599, 5596), (Currency.JPY, 2400, 8400), (Currency.KWD, 5200, 18200)],
)
def test_a_plan_is_bought_increased_and_renewed_in_its_currency(
    currency: Currency, monthly: int, increase: int
) -> None:
    given = started(date(2026, 2, 1), Cycle.MONTHLY, currency)
    begun = given.told[0]
    assert isinstance(begun, PlanStarted)
    assert (begun.money.currency, begun.money.net_minor) == (currency, 2 * monthly)
    edited = given.when(edit(9, on=date(2026, 2, 15))).then(PlanEdited)
    assert (edited.money.currency, edited.money.net_minor) == (
        currency,
        increase,
    )  # half of 7 x the price, what is earned being rounded up (M4)
    _, event = renewed(given.after(edit(9, on=date(2026, 2, 15))))
    assert (event.money.currency, event.money.net_minor) == (currency, 9 * monthly)
    assert event.next_renewal.currency == currency
    assert event.term_start == term(date(2026, 2, 1), Cycle.MONTHLY, 1).start


# Over HTTP

IN_MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def seller(tmp_path: Path) -> AsyncIterator[Customer]:
    """In March 2026, where only the first book is published."""
    async with plans_service(tmp_path, Issuer(), SetClock(IN_MARCH)) as customer:
        yield customer


async def command(seller: Customer, path: str, **headers: str) -> Any:
    return await replace(seller, token=seller.publisher).send("POST", f"/catalogue/standard/{path}", {}, **headers)


async def open_in(seller: Customer, currency: str) -> Customer:
    account_id = f"in-{currency.lower()}"
    customer = seller.as_other(account_id, **{account_id: EDIT})
    done(await customer.open({"currency": currency, "time_zone": "Asia/Tokyo"}))
    return customer


async def test_all_books_are_published_by_command_and_sold_from_their_day(seller: Customer) -> None:
    for version in (2, 3):
        done(await seller.publish(version, FILES[version].read_bytes()))
    for currency, before, after in (("USD", 1699, 1799), ("EUR", 1599, 1699), ("JPY", 2400, 2600), ("KWD", 5200, 5500)):
        seller.clock.at = IN_MARCH
        customer = await open_in(seller, currency)
        first = done(await customer.start(quantity=1))["events"][0]["data"]["money"]
        seller.clock.at = datetime(2026, 4, 1, 12, tzinfo=UTC)
        second = done(await customer.start(quantity=1))["events"][0]["data"]["money"]
        assert [(each["currency"], each["net_minor"]) for each in (first, second)] == [
            (currency, before),
            (currency, after),
        ]
        other = "EUR" if currency == "USD" else "USD"
        assert problem(await customer.start(more={"currency": other})) == "currency_mismatch"
    assert problem(await seller.start("workplace_enterprise", 250)) == "sales_only"


async def test_what_has_no_price_in_the_currency_of_the_account_is_refused(seller: Customer) -> None:
    book = BODIES[2].model_dump(mode="json")
    for product in book["products"]:
        product["prices"].pop("JPY", None)
    done(await seller.publish(2, book))
    seller.clock.at = datetime(2026, 4, 1, 12, tzinfo=UTC)
    answer = await (await open_in(seller, "JPY")).start()
    assert problem(answer) == "currency_unavailable"
    assert answer.json()["currencies"] == ["EUR", "KWD", "USD"]


async def test_a_book_is_withdrawn_until_the_day_begins_somewhere(seller: Customer) -> None:
    for version in (2, 3):
        done(await seller.publish(version, FILES[version].read_bytes()))
    seller.clock.at = datetime(2026, 3, 31, 9, 59, tzinfo=UTC)
    (event,) = done(await command(seller, "versions/3/withdraw"))["events"]
    assert event["data"] == {"book_id": "standard", "book_version": 3}
    assert done(await command(seller, "versions/3/withdraw"))["events"] == []
    assert problem(await seller.publish(3, FILES[3].read_bytes())) == "price_book_exists"  # the number is used up
    seller.clock.at = datetime(2026, 3, 31, 10, tzinfo=UTC)  # it is April in Kiritimati
    assert problem(await command(seller, "versions/2/withdraw")) == "price_book_in_force"
    assert problem(await command(seller, "versions/9/withdraw")) == "price_book_not_found"
    assert problem(await command(seller, "versions/x/withdraw")) == "invalid_request"
    seller.clock.at = datetime(2026, 4, 1, 12, tzinfo=UTC)
    line = done(await seller.start(quantity=1))["events"][0]["data"]["line"]
    assert (line["book_version"], line["total_minor"]) == (2, 1799)


async def test_a_retired_product_is_not_bought_but_who_has_it_keeps_it(seller: Customer) -> None:
    bundle = bundle_of(done(await seller.start("rooms", 2)))
    (event,) = done(await command(seller, "products/rooms/retire"))["events"]
    assert event["data"] == {"book_id": "standard", "sku": "rooms", "retired_on": "2026-03-01"}
    assert done(await command(seller, "products/rooms/retire"))["events"] == []
    answer = await seller.start("rooms", 2)
    assert (problem(answer), answer.status_code) == ("product_retired", 410)
    assert problem(await command(seller, "products/attic/retire")) == "product_not_found"
    await seller.done(bundle, "edit", {"quantity": 3})
    done(await seller.publish(2, FILES[2].read_bytes()))  # a later book does not bring it back
    seller.clock.at = datetime(2026, 4, 2, 12, tzinfo=UTC)
    assert problem(await seller.start("rooms", 2)) == "product_retired"


async def test_only_who_may_edit_the_catalogue_withdraws_and_retires(seller: Customer) -> None:
    for path in ("versions/1/withdraw", "products/rooms/retire"):
        assert problem(await seller.send("POST", f"/catalogue/standard/{path}", {})) == "forbidden"


BAD_TIERS: dict[str, list[dict[str, Any]]] = {
    "a gap at the end": [{"up_to": 10, "unit_minor": 1}],
    "an overlap": [{"up_to": 10, "unit_minor": 1}, {"up_to": 10, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}],
    "falling bounds": [{"up_to": 10, "unit_minor": 1}, {"up_to": 5, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}],
    "two open ends": [{"up_to": None, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}],
    "no tier": [],
    "a negative price": [{"up_to": None, "unit_minor": -1}],
    "a fraction": [{"up_to": None, "unit_minor": 1.5}],
    "a price beyond all bounds": [{"up_to": None, "unit_minor": 10**12 + 1}],
}
BAD_BOOKS: dict[str, dict[str, Any]] = {
    "a day in the past": {"effective_from": "2026-02-28"},
    "existing customers first": {"applies_to_existing_from": "2026-03-31"},
    "a circle": {"requires": ["large_meeting_500"]},
    "itself": {"requires": ["workplace_pro"]},
    "a requirement that is not there": {"requires": ["attic"]},
    "a maximum below the minimum": {"minimum": 10},
    "no price": {"prices": {}},
}


async def test_a_book_that_is_none_is_refused_and_nothing_is_published(seller: Customer) -> None:
    def book(**different: Any) -> dict[str, Any]:
        members = BODIES[2].model_dump(mode="json")
        of_book = {name: value for name, value in different.items() if name in members}
        pro = next(product for product in members["products"] if product["sku"] == "workplace_pro")
        pro.update({name: value for name, value in different.items() if name not in members})
        return {**members, **of_book}

    for name, tiers in BAD_TIERS.items():
        answer = await seller.publish(2, book(prices={"USD": {"monthly": {"model": "volume", "tiers": tiers}}}))
        assert (problem(answer), answer.status_code) == ("invalid_request", 422), name
    for name, different in BAD_BOOKS.items():
        answer = await seller.publish(2, book(**different))
        assert (problem(answer), answer.status_code) == ("price_book_invalid", 422), name
    done(await seller.publish(2, book()))
    duplicate = await seller.publish(2, book(maximum=8))
    assert (problem(duplicate), duplicate.status_code) == ("price_book_exists", 409)
