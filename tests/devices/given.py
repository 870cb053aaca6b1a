"""Orders and leases told on the price book that is for sale: given, when, then, and the days that go by meanwhile."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from contracts.devices import LeaseEvent, OrderEvent, ReplacementReason, ShipmentDelivered, Speed
from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.plan_commands import PublishPriceBookBody
from contracts.plans import PriceBookPublished
from contracts.problems import PROBLEMS, Refused
from services.devices import commands as c
from services.devices import lease_decider, order_decider
from services.devices.carrier import EmbeddedCarrier
from services.devices.lease import Lease
from services.devices.lease import evolve as evolve_lease
from services.devices.order import Order
from services.devices.order import evolve as evolve_order
from services.devices.schedule import next_lease_step, next_order_step, starting
from services.devices.shop import Account, Shop

BOOK_FILE = Path(__file__).parents[2] / "deploy/local/price_book_v1.json"
BOOK_BODY = PublishPriceBookBody.model_validate_json(BOOK_FILE.read_bytes())
EDITOR = frozenset({Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT})
VIEWER = frozenset({Privilege.SUBSCRIPTION_READ})
NOON = datetime(2026, 6, 1, 16, tzinfo=UTC)  # June 1, noon in New York
CARRIER = EmbeddedCarrier()
DAY = timedelta(days=1)
Event = TypeVar("Event")


def book(version: int = 1, **different: Any) -> PriceBookPublished:
    members = {"effective_from": BOOK_BODY.effective_from, "products": BOOK_BODY.products, **different}
    return PriceBookPublished(book_id="standard", book_version=version, applies_to_existing_from=None, **members)


def with_product(sku: str, **different: Any) -> PriceBookPublished:
    """The book for sale, one of its products different."""
    members = BOOK_BODY.model_dump(mode="json")["products"]
    for product in members:
        if product["sku"] == sku:
            product.update(different)
    return book(
        products=PublishPriceBookBody.model_validate_json(
            json.dumps({"effective_from": "2025-01-01", "products": members})
        ).products
    )


# Ten phone licences and two of rooms: 30 phones and 6 room kits may be rented.
SHOP = Shop(
    account=Account(Currency.USD, "America/New_York"),
    book=book(),
    known_skus=frozenset(product.sku for product in BOOK_BODY.products),
    licences={"phone_us_unlimited": 10, "rooms": 2, "workplace_pro": 5},
)


def at(days: float, since: datetime = NOON) -> datetime:
    return since + timedelta(days=days)


def asked(kind: type[Any], when: datetime = NOON, **members: Any) -> Any:
    """A command by somebody who may."""
    return kind(**{"at": when, "on": (when - timedelta(hours=4)).date(), "privileges": EDITOR, **members})


def place(*lines: tuple[str, int], when: datetime = NOON, **members: Any) -> Any:
    wish = {"order_id": "o1", "lines": lines or (("haas_desk_phone", 10),), "ship_to": "office-1"}
    return asked(c.PlaceOrder, when, **{**wish, "speed": Speed.STANDARD, **members})


@dataclass(frozen=True, slots=True)
class Given:
    """An order as it is, and all that was recorded of it."""

    order: Order | None = None
    shop: Shop = SHOP
    told: tuple[OrderEvent, ...] = ()

    def when(self, command: c.OrderCommand) -> "Outcome":
        try:
            return Outcome(self, order_decider.decide(command, self.order, self.shop))
        except Refused as refused:
            return Outcome(self, [], refused)

    def after(self, *commands: c.OrderCommand) -> "Given":
        given = self
        for command in commands:
            given = given.when(command).happened()
        return given

    def days_later(self, days: float) -> "Given":
        """Everything that happens by itself until so many days after the order was placed."""
        given = self
        while (step := next_order_step(given.known(), CARRIER)) and step.at <= at(days):
            given = given.after(step.command)
        return given

    def known(self) -> Order:
        assert self.order is not None
        return self.order


@dataclass(frozen=True, slots=True)
class Outcome:
    given: Given
    events: list[Any]
    refused: Refused | None = None

    def then(self, kind: type[Event]) -> Event:
        """The one event, having checked its kind."""
        assert self.refused is None, f"{self.refused} {self.refused.facts if self.refused else ''}"
        assert [type(event) for event in self.events] == [kind]
        only: Event = self.events[0]
        return only

    def then_nothing(self) -> None:
        assert (self.refused, self.events) == (None, [])

    def then_refused(self, code: str, **facts: Any) -> None:
        assert self.refused is not None, f"nobody refused {self.events}"
        assert self.refused.code == code
        assert code in PROBLEMS
        assert {name: self.refused.facts.get(name) for name in facts} == facts

    def happened(self) -> Given:
        assert self.refused is None, f"{self.refused} {self.refused.facts}"
        order = self.given.order
        for event in self.events:
            order = evolve_order(order, event, NOON.date())
        return replace(self.given, order=order, told=(*self.given.told, *self.events))


def placed(*lines: tuple[str, int], shop: Shop = SHOP, **members: Any) -> Given:
    return Given(shop=shop).after(place(*lines, **members))


def told(given: Given, kind: type[Event]) -> list[Event]:
    return [event for event in given.told if isinstance(event, kind)]


def leased(sku: str = "haas_desk_phone", **members: Any) -> "GivenLease":
    """One rented unit, delivered five days after its order (a day of hold, one to be picked up, three on the way)."""
    given = placed((sku, 1), **members).days_later(9)
    order = given.known()
    (command,) = [s for shipment in order.shipments.values() for s in starting(order, shipment)][-1:]
    assert told(given, ShipmentDelivered)
    return GivenLease().after(command)


@dataclass(frozen=True, slots=True)
class GivenLease:
    lease: Lease | None = None
    told: tuple[LeaseEvent, ...] = ()

    def when(self, command: c.LeaseCommand) -> "LeaseOutcome":
        try:
            return LeaseOutcome(self, lease_decider.decide(command, self.lease))
        except Refused as refused:
            return LeaseOutcome(self, [], refused)

    def after(self, *commands: c.LeaseCommand) -> "GivenLease":
        given = self
        for command in commands:
            given = given.when(command).happened()
        return given

    def until(self, on: date) -> "GivenLease":
        """Everything that happens by itself until a day."""
        given = self
        while (step := next_lease_step(given.known(), CARRIER)) and given.known().day(step.at) <= on:
            given = given.after(step.command)
        return given

    def known(self) -> Lease:
        assert self.lease is not None
        return self.lease


@dataclass(frozen=True, slots=True)
class LeaseOutcome(Outcome):
    given: Any

    def happened(self) -> Any:
        assert self.refused is None, f"{self.refused} {self.refused.facts}"
        lease = self.given.lease
        for event in self.events:
            lease = evolve_lease(lease, event, NOON.date())
        return replace(self.given, lease=lease, told=(*self.given.told, *self.events))


def request_return(on: date, **members: Any) -> Any:
    return c.RequestReturn(**{"at": NOON, "on": on, "privileges": EDITOR, **members})


def give_back(lease: Lease, on: date, **members: Any) -> Any:
    said = {"rma": f"rma-{lease.lease_id}", "serial": lease.serial, **members}
    return c.ReturnDevice(**{"at": NOON, "on": on, "privileges": EDITOR, **said})


def request_replacement(lease: Lease, when: datetime, **members: Any) -> Any:
    said = {"serial": lease.serial, "reason": ReplacementReason.DEFECT, "ship_to": "office-1", **members}
    return asked(c.RequestReplacement, when, **said)
