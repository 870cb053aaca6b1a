"""The rules of a lease: 36 months, a replacement, a return with its number, and a fee for what stays (DOMAIN B14)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from contracts.device_actions import LeaseStatus
from contracts.devices import (
    DeviceLeaseStarted,
    DeviceReplacementRequested,
    DeviceReplacementSent,
    DeviceReturned,
    DeviceReturnOverdue,
    DeviceReturnRequested,
)
from services.devices import commands as c

from .given import VIEWER, GivenLease, at, give_back, leased, request_replacement, request_return, told

STARTED, IN_2027, LAST_DAY, ENDS_ON = date(2026, 6, 6), date(2027, 1, 4), date(2029, 6, 5), date(2029, 6, 6)
DUE_ON, DAY_AFTER = date(2029, 6, 27), date(2029, 6, 28)


def returning(on: date = IN_2027) -> GivenLease:
    return leased().after(request_return(on))


def test_a_lease_runs_36_months_from_the_day_of_delivery() -> None:
    (event,) = told(leased(), DeviceLeaseStarted)
    assert (event.lease_id, event.started_on, event.ends_on) == ("o1-1", STARTED, ENDS_ON)
    assert (event.monthly_minor, event.list_minor, event.family) == (599, 8900, "phone")
    leased().when(start_again(event)).then_nothing()


def test_a_lease_and_its_fee_are_taxed_as_the_device_is() -> None:
    (event,) = told(leased(), DeviceLeaseStarted)
    assert event.tax_code == "hardware"
    (overdue,) = told(leased("haas_room_kit_large").until(DAY_AFTER), DeviceReturnOverdue)
    assert [line.tax_code for line in overdue.money.lines] == ["hardware"]


def start_again(event: DeviceLeaseStarted) -> Any:
    line: Any = None
    return c.StartLease(
        event.lease_id, event.order_id, event.shipment_id, line, event.serial, event.currency, "UTC", IN_2027
    )


def test_a_return_is_due_21_days_after_the_lease_ends_whenever_it_is_asked_for() -> None:
    for on in (IN_2027, ENDS_ON, DUE_ON):
        event = leased().when(request_return(on)).then(DeviceReturnRequested)
        assert (event.rma, event.due_on) == ("rma-o1-1", DUE_ON)
    returning().when(request_return(IN_2027)).then_refused("return_requested")


def test_a_lease_ends_with_the_return_of_its_device_and_at_its_end_at_the_latest() -> None:
    lease = returning().known()
    assert returning().when(give_back(lease, date(2027, 1, 9))).then(DeviceReturned).ended_on == date(2027, 1, 9)
    assert returning().when(give_back(lease, DUE_ON)).then(DeviceReturned).ended_on == ENDS_ON


def test_nothing_comes_back_without_a_number() -> None:
    leased().when(give_back(leased().known(), IN_2027)).then_refused("return_not_requested")
    returning().when(give_back(returning().known(), IN_2027, rma="rma-other")).then_refused("rma_unknown")
    returning().when(give_back(returning().known(), IN_2027, serial="SN000000000000")).then_refused("serial_unknown")


@pytest.mark.parametrize(
    ("sku", "fee"), [("haas_desk_phone", 0), ("haas_conference", 1536), ("haas_room_kit_large", 33500)]
)
def test_what_does_not_come_back_costs_its_list_price_less_the_rentals(sku: str, fee: int) -> None:
    given = leased(sku).until(DAY_AFTER)
    (event,) = told(given, DeviceReturnOverdue)
    assert (event.due_on, event.fee_minor, event.money.net_minor) == (DUE_ON, fee, fee)
    assert [(line.period_start, line.amount_minor) for line in event.money.lines] == ([(DAY_AFTER, fee)] if fee else [])
    assert given.known().status is LeaseStatus.OVERDUE


def test_it_costs_nothing_on_the_last_day() -> None:
    assert told(leased("haas_room_kit_large").until(DUE_ON), DeviceReturnOverdue) == []
    back = returning().after(give_back(returning().known(), DUE_ON))
    assert told(back.until(date(2031, 1, 1)), DeviceReturnOverdue) == []
    back.when(c.MissReturn()).then_nothing()


def test_a_device_that_was_to_come_back_and_did_not_costs_its_fee_as_well() -> None:
    assert len(told(returning().until(date(2031, 1, 1)), DeviceReturnOverdue)) == 1


def test_a_lease_that_is_over_stays_so() -> None:
    returned = returning().after(give_back(returning().known(), IN_2027))
    overdue = leased().until(DAY_AFTER)
    for given, on in ((returned, IN_2027), (overdue, DAY_AFTER), (leased(), DAY_AFTER)):
        given.when(request_return(on)).then_refused("lease_over")
        given.when(give_back(given.known(), on)).then_refused("lease_over")
        given.when(replace(request_replacement(given.known(), at(9)), on=on)).then_refused("lease_over")
    overdue.when(c.MissReturn()).then_nothing()


def test_a_replacement_takes_the_place_of_the_device() -> None:
    lease = leased().known()
    given = leased().after(request_replacement(lease, at(40)))
    assert told(given, DeviceReplacementRequested)[0].serial == lease.serial
    given.when(request_replacement(lease, at(40))).then_refused("replacement_requested")
    given.when(request_return(IN_2027)).then_refused("replacement_requested")
    (sent,) = told(given.until(IN_2027), DeviceReplacementSent)
    assert (sent.replaces, sent.sent_at) == (lease.serial, at(41))
    after = given.until(IN_2027)
    assert after.known().serial == sent.serial != lease.serial
    after.when(request_replacement(lease, at(50))).then_refused("serial_unknown")
    again = after.after(request_replacement(after.known(), at(50))).until(IN_2027)
    assert len({each.serial for each in told(again, DeviceReplacementSent)} | {lease.serial}) == 3


def test_a_replacement_comes_once_however_often_it_is_sent() -> None:
    send = c.SendReplacement("SN000000000001", "embedded", "DX000000005PB", at(41))
    leased().when(send).then_nothing()


def test_a_device_on_its_way_back_or_past_its_lease_is_not_replaced() -> None:
    lease = leased().known()
    returning().when(request_replacement(lease, at(40))).then_refused("return_requested")
    leased().when(replace(request_replacement(lease, at(40)), on=ENDS_ON)).then_refused("lease_over")
    leased().when(replace(request_replacement(lease, at(40)), on=LAST_DAY)).then(DeviceReplacementRequested)


def test_who_may_only_look_changes_no_lease() -> None:
    lease = returning().known()
    for command in (request_return(IN_2027), give_back(lease, IN_2027), request_replacement(lease, at(40))):
        returning().when(replace(command, privileges=VIEWER)).then_refused("forbidden")


def test_a_lease_that_is_not_there_does_nothing() -> None:
    for command in (request_return(IN_2027), c.MissReturn()):
        GivenLease().when(command).then_refused("lease_not_found")
