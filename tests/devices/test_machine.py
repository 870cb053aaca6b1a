"""Whatever is asked of an order and its leases, in any order, while days go by: what must hold after every answer."""

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given as every
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.device_actions import OrderStatus, why_no_lease_action, why_no_order_action
from contracts.devices import DeviceLine, DeviceOrderSubmitted, ShipmentDelivered, ShipmentDispatched, Speed
from contracts.plans import ProductKind
from contracts.problems import PROBLEMS
from contracts.tracking import checked, tracking_number
from services.devices import commands as c
from services.devices import lease_decider, order_decider
from services.devices.order import Whereabouts
from services.devices.parcels import PARCEL_UNITS, packed
from services.devices.schedule import next_lease_step, next_order_step, starting

from .given import (
    CARRIER,
    EDITOR,
    NOON,
    VIEWER,
    Given,
    GivenLease,
    Outcome,
    asked,
    give_back,
    place,
    request_replacement,
    told,
)

SKUS = ["haas_desk_phone", "haas_conference", "desk_phone_buy", "haas_room_kit_large", "rooms", "no_such_thing"]
wishes = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 14)), min_size=1, max_size=3).map(tuple)
who = st.sampled_from([EDITOR] * 9 + [VIEWER])
speeds = st.sampled_from(Speed)
references = st.sampled_from(["office-1", "office-lost"])
# What only the guard says, and no rule about a line or a parcel.
GUARD_ONLY = {"forbidden", "order_hold_over", "order_amended_already", "order_cancelled", "nothing_in_transit"}
GUARD_ONLY |= {"lease_over", "replacement_requested", "return_requested", "return_not_requested"}


class DevicesMachine(RuleBasedStateMachine):
    @initialize(phones=st.integers(1, 14), bought=st.integers(0, 5), ship_to=references, speed=speeds)
    def begins(self, phones: int, bought: int, ship_to: str, speed: Speed) -> None:
        lines = [("haas_desk_phone", phones), *([("desk_phone_buy", bought)] if bought else [])]
        self.now = NOON
        self.order = Given().after(place(*lines, ship_to=ship_to, speed=speed))
        self.leases: dict[str, GivenLease] = {}

    @rule(hours=st.sampled_from([1, 6, 12, 24, 48, 96, 24 * 40, 24 * 400]))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        while (step := next_order_step(self.order.known(), CARRIER)) and step.at <= self.now:
            self.order = self.order.after(step.command)
            self._begin_leases()
        for lease_id in self.leases:
            while (of := next_lease_step(self.leases[lease_id].known(), CARRIER)) and of.at <= self.now:
                self.leases[lease_id] = self.leases[lease_id].after(of.command)

    @rule(by=who, lines=st.none() | wishes, ship_to=st.none() | references, speed=st.none() | speeds)
    def amends(self, by: frozenset[Any], lines: Any, ship_to: str | None, speed: Speed | None) -> None:
        self._ask(asked(c.AmendOrder, self.now, lines=lines, ship_to=ship_to, speed=speed, privileges=by))

    @rule(by=who, kind=st.sampled_from([c.SubmitOrder, c.CancelOrder]))
    def submits_or_cancels(self, by: frozenset[Any], kind: type[Any]) -> None:
        self._ask(asked(kind, self.now, privileges=by))

    @rule(by=who, number=st.integers(0, 3))
    def reports_a_loss(self, by: frozenset[Any], number: int) -> None:
        known = [*(each.tracking_number for each in self.order.known().shipments.values()), tracking_number("00000000")]
        parcel = known[number % len(known)]
        self._ask(asked(c.ReportLoss, self.now, tracking_number=parcel, privileges=by))

    @rule(by=who, number=st.integers(0, 20), step=st.sampled_from(["replace", "request", "return", "return another"]))
    def does_something_with_a_lease(self, by: frozenset[Any], number: int, step: str) -> None:
        if not self.leases:
            return
        lease_id = list(self.leases)[number % len(self.leases)]
        lease = self.leases[lease_id].known()
        on = lease.day(self.now)
        serial = {"return another": "SN000000000000"}.get(step, lease.serial)
        command = {
            "replace": lambda: request_replacement(lease, self.now, on=on, privileges=by),
            "request": lambda: asked(c.RequestReturn, self.now, on=on, privileges=by),
        }.get(step, lambda: give_back(lease, on, serial=serial, privileges=by))()
        expected = why_no_lease_action(lease_decider.ACTIONS[type(command)], lease.standing(), on, by)
        outcome = self.leases[lease_id].when(command)
        self._check(outcome, expected)
        if outcome.refused is None:
            self.leases[lease_id] = outcome.happened()

    def _ask(self, command: Any) -> None:
        standing = self.order.known().standing()
        expected = why_no_order_action(order_decider.ACTIONS[type(command)], standing, self.now, command.privileges)
        outcome = self.order.when(command)
        self._check(outcome, expected)
        if outcome.refused is None:
            self.order = outcome.happened()

    def _check(self, outcome: Outcome, expected: str | None) -> None:
        """The guard of the buttons and the refusals agree."""
        if outcome.refused is None:
            assert expected is None
            assert outcome.events
            return
        assert outcome.refused.code in PROBLEMS
        assert expected in (None, outcome.refused.code)
        assert (expected is None) <= (outcome.refused.code not in GUARD_ONLY)

    def _begin_leases(self) -> None:
        order = self.order.known()
        for shipment in order.shipments.values():
            if shipment.whereabouts is Whereabouts.DELIVERED:
                for command in starting(order, shipment):
                    before = self.leases.get(command.lease_id, GivenLease())
                    self.leases[command.lease_id] = before.after(command)

    @invariant()
    def every_unit_is_with_one_parcel_at_most(self) -> None:
        order = self.order.known()
        units = Counter(
            unit.number
            for shipment in order.shipments.values()
            if shipment.whereabouts is not Whereabouts.LOST
            for unit in shipment.units
        )
        assert set(units.values()) <= {1}
        assert set(units) <= set(range(1, sum(line.quantity for line in order.contents.lines) + 1))
        sent = [unit.serial for event in told(self.order, ShipmentDispatched) for unit in event.units]
        assert len(set(sent)) == len(sent)
        assert all(checked(event.tracking_number) for event in told(self.order, ShipmentDispatched))

    @invariant()
    def every_rented_unit_that_is_there_is_leased_and_no_other(self) -> None:
        order = self.order.known()
        there = {
            order.lease_id(unit)
            for shipment in order.shipments.values()
            if shipment.whereabouts is Whereabouts.DELIVERED
            for unit in order.rented(shipment)
        }
        assert set(self.leases) == there

    @invariant()
    def what_was_charged_is_what_was_bought_and_the_first_month_of_what_is_there(self) -> None:
        order = self.order.known()
        once = sum(event.money.net_minor for event in told(self.order, DeviceOrderSubmitted))
        submitted = order.status() not in (OrderStatus.HOLD, OrderStatus.CANCELLED)
        assert once == (order.contents.due_on_submission.net_minor if submitted else 0)
        months = sum(event.money.net_minor for event in told(self.order, ShipmentDelivered))
        assert months == sum(lease.known().started.monthly_minor for lease in self.leases.values())

    @invariant()
    def a_cancelled_order_costs_nothing_and_never_moves(self) -> None:
        order = self.order.known()
        if order.cancelled:
            assert not order.shipments
            assert next_order_step(order, CARRIER) is None


DevicesMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestDevices = DevicesMachine.TestCase


def line(number: int, quantity: int) -> DeviceLine:
    members = {"sku": "s", "name": "n", "family": "f", "unit_minor": 1, "list_minor": 1, "book_version": 1}
    return DeviceLine(line_id=f"line-{number}", quantity=quantity, kind=ProductKind.DEVICE_SALE, **members)


@every(st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_every_unit_is_packed_once_and_no_parcel_is_too_large(quantities: list[int]) -> None:
    parcels = packed([line(number, quantity) for number, quantity in enumerate(quantities, 1)])
    assert [number for parcel in parcels for number in parcel.numbers] == list(range(1, sum(quantities) + 1))
    assert len({parcel.shipment_id for parcel in parcels}) == len(parcels)
    if sum(quantities) >= 10:
        assert all(len(parcel.numbers) <= PARCEL_UNITS for parcel in parcels)
    assert [parcel.days_after_first for parcel in parcels][:-1] == [0] * (len(parcels) - 1)
