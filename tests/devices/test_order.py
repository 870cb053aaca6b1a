"""The rules of a device order: its hold, its one amendment, what it costs, and which devices an account may rent."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from contracts.device_actions import OrderStatus
from contracts.devices import (
    DeviceOrderAmended,
    DeviceOrderCancelled,
    DeviceOrderPlaced,
    DeviceOrderSubmitted,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentLost,
    Speed,
)
from contracts.money import MAX_MINOR, Currency
from contracts.plan_actions import Hold
from contracts.tracking import tracking_number
from services.devices import commands as c
from services.devices.shop import Account

from .given import NOON, SHOP, VIEWER, Given, asked, at, place, placed, told, with_product

PHONES_AND_ONE_BOUGHT = (("haas_desk_phone", 2), ("desk_phone_buy", 3))


def amend(**members: Any) -> Any:
    return asked(c.AmendOrder, at(0.5), **members)


def test_an_order_is_held_for_a_day() -> None:
    event = Given().when(place()).then(DeviceOrderPlaced)
    assert (event.placed_at, event.hold_until) == (NOON, at(1))
    assert (event.currency, event.time_zone) == (Currency.USD, "America/New_York")


def test_what_is_bought_and_its_shipping_are_due_once_and_what_is_rented_by_the_month() -> None:
    contents = placed(*PHONES_AND_ONE_BOUGHT, speed=Speed.EXPRESS).known().contents
    assert [(line.sku, line.amount_minor) for line in contents.due_on_submission.lines] == [
        ("desk_phone_buy", 3 * 8900),
        ("shipping_express", 2500),
    ]
    assert (contents.due_on_submission.net_minor, contents.monthly_minor) == (29200, 2 * 599)


def test_standard_shipping_is_free_and_no_line_of_money() -> None:
    assert placed().known().contents.due_on_submission.lines == ()


def test_money_is_due_when_the_order_is_submitted_and_not_before() -> None:
    event = placed(*PHONES_AND_ONE_BOUGHT).when(asked(c.SubmitOrder, at(0.1))).then(DeviceOrderSubmitted)
    assert (event.submitted_at, event.money.net_minor) == (at(0.1), 26700)


def test_devices_are_taxed_as_hardware_bought_or_rented() -> None:
    given = placed(*PHONES_AND_ONE_BOUGHT).days_later(20)
    charged = [line for each in told(given, DeviceOrderSubmitted) for line in each.money.lines]
    charged += [line for each in told(given, ShipmentDelivered) for line in each.money.lines]
    assert {(line.sku, line.tax_code) for line in charged} == {
        ("desk_phone_buy", "hardware"),
        ("haas_desk_phone", "hardware"),
    }


def test_a_hold_that_runs_out_submits_the_order_at_its_end() -> None:
    event = placed().when(c.EndHold()).then(DeviceOrderSubmitted)
    assert event.submitted_at == at(1)


def test_an_order_is_amended_once() -> None:
    event = placed().when(amend(lines=(("haas_desk_phone", 4),))).then(DeviceOrderAmended)
    assert [line.quantity for line in (*event.before.lines, *event.after.lines)] == [10, 4]
    again = placed().after(amend(ship_to="office-2")).when(amend(speed=Speed.EXPRESS))
    again.then_refused("order_amended_already")


def test_an_amendment_leaves_what_it_does_not_name() -> None:
    event = placed().when(amend(speed=Speed.EXPRESS)).then(DeviceOrderAmended)
    assert event.after.lines == event.before.lines
    assert event.after.ship_to == "office-1"
    assert event.after.due_on_submission.net_minor == 2500


def test_lines_that_are_not_amended_keep_their_price() -> None:
    dearer = with_product(
        "haas_desk_phone",
        prices={"USD": {cycle: {"tiers": [{"up_to": None, "unit_minor": 9999}]} for cycle in ("monthly", "once")}},
    )
    given = replace(placed(), shop=replace(SHOP, book=dearer))
    assert given.when(amend(ship_to="office-2")).then(DeviceOrderAmended).after.monthly_minor == 5990
    amended = given.when(amend(lines=(("haas_desk_phone", 9),))).then(DeviceOrderAmended)
    assert amended.after.monthly_minor == 9 * 9999


@pytest.mark.parametrize(
    "same", [{"lines": (("haas_desk_phone", 10),)}, {"ship_to": "office-1"}, {"speed": Speed.STANDARD}]
)
def test_an_amendment_to_what_is_so_already_is_no_change(same: dict[str, Any]) -> None:
    placed().when(amend(**same)).then_refused("no_change")


@pytest.mark.parametrize("kind", [c.AmendOrder, c.SubmitOrder, c.CancelOrder])
def test_after_its_hold_an_order_is_neither_amended_nor_submitted_nor_cancelled(kind: type[Any]) -> None:
    more = {"ship_to": "office-2"} if kind is c.AmendOrder else {}
    placed().when(asked(kind, at(1), **more)).then_refused("order_hold_over")  # though nobody has recorded it yet
    placed().after(c.EndHold()).when(asked(kind, at(0.5), **more)).then_refused("order_hold_over")


def test_an_order_that_is_submitted_early_has_left_its_hold() -> None:
    early = placed().after(asked(c.SubmitOrder, at(0.1)))
    early.when(asked(c.CancelOrder, at(0.2))).then_refused("order_hold_over")
    early.when(c.EndHold()).then_nothing()


def test_a_held_order_is_cancelled_and_then_nothing_more_is_done_with_it() -> None:
    placed().when(asked(c.CancelOrder)).then(DeviceOrderCancelled)
    gone = placed().after(asked(c.CancelOrder))
    for command in (asked(c.CancelOrder), asked(c.SubmitOrder), amend(ship_to="office-2")):
        gone.when(command).then_refused("order_cancelled")
    gone.when(asked(c.ReportLoss, tracking_number="x")).then_refused("order_cancelled")
    gone.when(c.EndHold()).then_nothing()
    assert gone.known().status() is OrderStatus.CANCELLED


@pytest.mark.parametrize("command", [place(privileges=VIEWER), amend(ship_to="b", privileges=VIEWER)])
def test_who_may_only_look_orders_nothing(command: Any) -> None:
    (Given() if isinstance(command, c.PlaceOrder) else placed()).when(command).then_refused("forbidden")


WISHES: dict[str, tuple[tuple[tuple[str, int], ...], str, dict[str, Any]]] = {
    "no such product": ((("no_such_phone", 1),), "product_not_found", {}),
    "a plan": ((("phone_us_unlimited", 1),), "not_a_device", {}),
    "shipping by itself": ((("shipping_express", 1),), "not_a_device", {}),
    "a device twice": ((("haas_desk_phone", 1), ("haas_desk_phone", 2)), "device_twice", {"skus": ["haas_desk_phone"]}),
    "more than a line allows": (
        (("desk_phone_buy", 501),),
        "quantity_out_of_range",
        {"maximum": 500, "requested": 501},
    ),
    "more than an order allows": (
        (("desk_phone_buy", 500), ("haas_desk_phone", 1001)),
        "quantity_out_of_range",
        {"maximum": 1500, "requested": 1501},
    ),
    "more rented than the licences allow": (
        (("haas_desk_phone", 31),),
        "device_ratio",
        {"licences": 10, "ratio": 3, "rented": 0, "requested": 31, "family": "phone"},
    ),
    "more rented in two lines": (
        (("haas_desk_phone", 16), ("haas_conference", 15)),
        "device_ratio",
        {"licences": 10, "requested": 31},
    ),
    "more room kits": ((("haas_room_kit_small", 7),), "device_ratio", {"licences": 2, "requested": 7}),
}


@pytest.mark.parametrize(("lines", "code", "facts"), WISHES.values(), ids=WISHES)
def test_what_is_not_for_sale_like_that_is_not_ordered(
    lines: tuple[tuple[str, int], ...], code: str, facts: dict[str, Any]
) -> None:
    Given().when(place(*lines)).then_refused(code, **facts)
    placed(("desk_phone_buy", 1)).when(amend(lines=lines)).then_refused(code, **facts)


def test_three_devices_may_be_rented_for_each_licence_and_any_number_bought() -> None:
    placed(("haas_desk_phone", 30), ("haas_room_kit_large", 6), ("desk_phone_buy", 500))
    four = replace(SHOP, ratio=4)
    Given(shop=four).when(place(("haas_desk_phone", 40))).then(DeviceOrderPlaced)


def test_what_is_rented_already_counts_and_what_an_amendment_takes_back_does_not() -> None:
    busy = replace(SHOP, rented={"phone": 30, "rooms": 1})  # of these, 10 in the order that is amended
    Given(shop=busy).when(place(("haas_desk_phone", 1))).then_refused("device_ratio", rented=30)
    Given(shop=busy).when(place(("haas_room_kit_small", 5))).then(DeviceOrderPlaced)
    mine = replace(placed(), shop=busy)
    mine.when(amend(lines=(("haas_conference", 10),))).then(DeviceOrderAmended)
    mine.when(amend(lines=(("haas_conference", 11),))).then_refused("device_ratio", rented=20, requested=11)


def test_a_device_needs_a_plan_that_uses_it() -> None:
    rooms_only = replace(SHOP, licences={"rooms": 2})
    for sku in ("haas_desk_phone", "haas_conference", "desk_phone_buy"):
        Given(shop=rooms_only).when(place((sku, 1))).then_refused("requirement_unmet", sku=sku)
    Given(shop=rooms_only).when(place(("haas_room_kit_small", 1))).then(DeviceOrderPlaced)
    phones_only = replace(SHOP, licences={"phone_global_select": 1})
    Given(shop=phones_only).when(place(("haas_room_kit_large", 1))).then_refused("requirement_unmet")


def test_a_product_that_is_sold_no_more_is_told_from_one_that_never_was() -> None:
    retired = replace(SHOP, book=with_product("haas_desk_phone", retired=True))
    Given(shop=retired).when(place()).then_refused("product_retired")
    gone = replace(SHOP, book=None)
    Given(shop=gone).when(place()).then_refused("product_retired")
    Given(shop=replace(gone, known_skus=frozenset())).when(place()).then_refused("product_not_found")
    kept_back = replace(SHOP, book=with_product("haas_desk_phone", sales_only=True))
    Given(shop=kept_back).when(place()).then_refused("sales_only")


def test_an_account_pays_in_its_own_currency_or_not_at_all() -> None:
    price = {"tiers": [{"up_to": None, "unit_minor": 599}]}
    dollars = with_product("haas_desk_phone", prices={"USD": dict.fromkeys(("monthly", "once"), price)})
    yen = replace(SHOP, account=Account(Currency.JPY, "Asia/Tokyo"), book=dollars)
    Given(shop=yen).when(place()).then_refused("currency_unavailable", currencies=["USD"])
    Given(shop=replace(SHOP, account=None)).when(place()).then_refused("account_not_found")


def test_an_amount_beyond_what_can_be_billed_is_refused() -> None:
    dear = {"tiers": [{"up_to": None, "unit_minor": MAX_MINOR}]}
    for sku, cycles in (("desk_phone_buy", ["once"]), ("haas_desk_phone", ["monthly", "once"])):
        shop = replace(SHOP, book=with_product(sku, prices={"USD": dict.fromkeys(cycles, dear)}))
        Given(shop=shop).when(place((sku, 1))).then(DeviceOrderPlaced)
        Given(shop=shop).when(place((sku, 2))).then_refused("amount_too_large")


def test_ten_phones_go_out_as_six_and_the_rest_a_day_later() -> None:
    sent = told(placed().days_later(20), ShipmentDispatched)
    assert [(len(each.units), each.dispatched_at) for each in sent] == [(6, at(2)), (4, at(3))]
    assert [unit.number for each in sent for unit in each.units] == list(range(1, 11))
    assert [each.delivered_at for each in told(placed().days_later(20), ShipmentDelivered)] == [at(5), at(6)]


def test_nine_go_out_together_and_full_parcels_on_one_day() -> None:
    assert len(told(placed(("haas_desk_phone", 9)).days_later(20), ShipmentDispatched)) == 1
    twelve = told(placed(("haas_desk_phone", 12)).days_later(20), ShipmentDispatched)
    assert [(len(each.units), each.dispatched_at) for each in twelve] == [(6, at(2)), (6, at(2))]


def test_express_goes_out_the_same_day_and_is_there_the_next() -> None:
    given = placed(("haas_desk_phone", 1), speed=Speed.EXPRESS).days_later(20)
    assert told(given, ShipmentDispatched)[0].dispatched_at == at(1)
    assert told(given, ShipmentDelivered)[0].delivered_at == at(2)


def test_an_order_goes_through_its_states() -> None:
    days = (0, 1, 2, 3, 5, 6)
    assert [placed().days_later(day).known().status() for day in days] == [
        OrderStatus.HOLD,
        OrderStatus.SUBMITTED,
        OrderStatus.PART_SHIPPED,
        OrderStatus.SHIPPED,
        OrderStatus.SHIPPED,
        OrderStatus.DELIVERED,
    ]


def test_the_first_month_of_what_is_rented_is_due_when_it_is_delivered() -> None:
    first, second = told(placed(("haas_desk_phone", 8), ("desk_phone_buy", 2)).days_later(20), ShipmentDelivered)
    (line,) = first.money.lines
    assert (line.quantity, line.amount_minor, line.days_served, line.days) == (6, 6 * 599, 0, 30)
    assert (line.period_start, line.period_end) == (date(2026, 6, 6), date(2026, 7, 6))
    assert second.money.net_minor == 2 * 599


def test_a_lost_parcel_goes_out_again_with_other_devices_and_once_only() -> None:
    given = placed(ship_to="office-1-lost").days_later(20)
    (lost,) = told(given, ShipmentLost)
    assert (lost.shipment_id, lost.reported_by, lost.lost_at) == ("shipment-1", "carrier", at(5))
    first, _, again = told(given, ShipmentDispatched)
    assert (again.replaces, again.dispatched_at) == ("shipment-1", at(6))
    assert [unit.number for unit in again.units] == [unit.number for unit in first.units]
    assert not {unit.serial for unit in again.units} & {unit.serial for unit in first.units}
    assert given.known().status() is OrderStatus.DELIVERED
    assert sum(each.money.net_minor for each in told(given, ShipmentDelivered)) == 5990


def test_a_customer_may_say_that_a_parcel_never_came() -> None:
    moving = placed().days_later(3)
    first, second = told(moving, ShipmentDispatched)
    report = asked(c.ReportLoss, at(4), tracking_number=second.tracking_number)
    event = moving.when(report).then(ShipmentLost)
    assert (event.shipment_id, event.reported_by) == ("shipment-2", "customer")
    given = moving.after(report)
    assert given.known().status() is OrderStatus.PART_SHIPPED
    given.when(report).then_refused("shipment_not_found")
    assert told(given.days_later(20), ShipmentDelivered)[-1].shipment_id == "shipment-2-again-1"
    unknown = asked(c.ReportLoss, at(4), tracking_number=tracking_number("00000000"))
    moving.when(unknown).then_refused("shipment_not_found")
    assert first.tracking_number != second.tracking_number


@pytest.mark.parametrize("day", [0, 1, 20])
def test_nothing_is_reported_lost_that_is_not_on_its_way(day: int) -> None:
    given = placed().days_later(day)
    report = asked(c.ReportLoss, at(day), tracking_number="x")
    given.when(report).then_refused("nothing_in_transit")


def test_what_the_time_brings_is_recorded_once_however_often_it_comes() -> None:
    given = placed().days_later(20)
    for event in told(given, ShipmentDispatched):
        again = c.Dispatch(event.shipment_id, "embedded", event.tracking_number, event.units, None, at(30))
        given.when(again).then_nothing()
        given.when(c.Arrive(event.shipment_id, "lost", at(30))).then_nothing()


def test_an_order_that_is_not_there_does_nothing() -> None:
    for command in (asked(c.CancelOrder), c.EndHold()):
        Given().when(command).then_refused("order_not_found")


HOLDS = [
    (Hold.UNPAID, "unpaid_invoices"),
    (Hold.CONTRACT, "contract_managed"),
    (Hold.LEGAL, "account_on_hold"),
]


@pytest.mark.parametrize(("hold", "code"), HOLDS)
def test_an_account_on_hold_orders_nothing_and_changes_no_order(hold: Hold, code: str) -> None:
    held = replace(SHOP, account=Account(Currency.USD, "America/New_York", {(hold, "i1"): 700}))
    given = replace(placed(), shop=held)
    for command in (amend(ship_to="office-2"), asked(c.SubmitOrder)):
        given.when(command).then_refused(code)
    Given(shop=held).when(place()).then_refused(code)
    if hold is Hold.UNPAID:
        Given(shop=held).when(place()).then_refused(code, ids=["i1"], amount_minor=700, currency="USD")
        given.when(asked(c.CancelOrder)).then(DeviceOrderCancelled)
    else:
        given.when(asked(c.CancelOrder)).then_refused(code)


def test_an_order_made_before_the_hold_goes_its_way() -> None:
    held = replace(SHOP, account=Account(Currency.USD, "America/New_York", {(Hold.UNPAID, "i1"): 700}))
    assert replace(placed(), shop=held).days_later(20).known().status() is OrderStatus.DELIVERED
