"""given(a plan).when(a command).then(its events): the rules of a plan told on the price book that is for sale.

A day is the first positional argument of a step: `EditPlan` and the others are asked "on" it. Examples have names.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.plan_commands import PublishPriceBookBody
from contracts.plans import CancelReason, Money, NextRenewal, PlanEvent, PlanLine, PriceBookPublished, Product
from contracts.problems import PROBLEMS, Refused
from contracts.terms import Cycle
from services.plans import catalogue as catalogues
from services.plans import commands as c
from services.plans.account import Account
from services.plans.catalogue import Catalogue
from services.plans.decider import decide
from services.plans.plan import Plan, evolve

BOOK_FILE = Path(__file__).parents[2] / "deploy/local/price_book_v1.json"
BOOK_BODY = PublishPriceBookBody.model_validate_json(BOOK_FILE.read_bytes())
EDITOR = frozenset({Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT})
VIEWER = frozenset({Privilege.SUBSCRIPTION_READ})
JUNE_1, JUNE_11, JUNE_15, JUNE_30, JULY_1 = (
    date(2026, 6, 1),
    date(2026, 6, 11),
    date(2026, 6, 15),
    date(2026, 6, 30),
    date(2026, 7, 1),
)
US = Account(Currency.USD, "America/New_York")
Event = TypeVar("Event", bound=PlanEvent)
Asked = TypeVar("Asked", bound=c.Asked)


def published(version: int = 1, effective_from: date = BOOK_BODY.effective_from, **different: Any) -> Any:
    """The book for sale, as another version of it or with other members."""
    members = {"applies_to_existing_from": None, "products": BOOK_BODY.products, **different}
    return PriceBookPublished(book_id="standard", book_version=version, effective_from=effective_from, **members)


def catalogue_of(*books: PriceBookPublished) -> Catalogue:
    catalogue = Catalogue()
    for book in books:
        catalogue = catalogues.evolve(catalogue, book, book.effective_from)
    return catalogue


FOR_SALE = catalogue_of(published())


def with_product(sku: str, **different: Any) -> tuple[Product, ...]:
    """The products for sale, one of them different."""
    return tuple(p.model_copy(update=different) if p.sku == sku else p for p in BOOK_BODY.products)


def priced(sku: str, prices: dict[str, Any]) -> tuple[Product, ...]:
    """The products for sale, one of them at other prices: {currency: {cycle: {"tiers": …}}}."""
    return tuple(
        Product.model_validate_json(json.dumps({**p.model_dump(mode="json"), "prices": prices})) if p.sku == sku else p
        for p in BOOK_BODY.products
    )


def fixed(unit_minor: int) -> dict[str, Any]:
    return {"model": "fixed", "tiers": [{"up_to": None, "unit_minor": unit_minor}]}


@dataclass(frozen=True, slots=True)
class Given:
    """A plan, and what is known beside it, before something is asked. `told`: the events so far, newest last."""

    plan: Plan | None = None
    catalogue: Catalogue = FOR_SALE
    account: Account = US
    told: tuple[PlanEvent, ...] = ()

    def with_books(self, *books: PriceBookPublished) -> "Given":
        return replace(self, catalogue=catalogue_of(*books))

    def when(self, command: c.PlanCommand) -> "Outcome":
        try:
            return Outcome(self, command.on, list(decide(command, self.plan, self.account, self.catalogue)))
        except Refused as refused:
            return Outcome(self, command.on, [], refused)

    def after(self, *commands: c.PlanCommand) -> "Given":
        """The same once these have been carried out. Raises AssertionError when a rule says no."""
        given = self
        for command in commands:
            given = given.when(command).happened()
        return given

    def known(self) -> Plan:
        assert self.plan is not None
        return self.plan


@dataclass(frozen=True, slots=True)
class Outcome:
    given: Given
    on: date
    events: list[Any]  # of PlanEvent; tests read the members of the kind they expect
    refused: Refused | None = None

    def then(self, *expected: type[PlanEvent]) -> Any:
        """The last event, having checked that exactly these kinds happened in this order."""
        assert self.refused is None, f"{self.refused} {self.refused.facts if self.refused else ''}"
        assert [type(event) for event in self.events] == list(expected)
        return self.events[-1]

    def then_is_charged(self) -> int:
        """What it costs now, in minor units."""
        assert self.refused is None, f"{self.refused} {self.refused.facts if self.refused else ''}"
        return sum(event.money.net_minor for event in self.events)

    def then_refused(self, code: str, **facts: Any) -> None:
        assert self.refused is not None, f"nobody refused {self.events}"
        assert self.refused.code == code
        assert code in PROBLEMS
        assert {name: self.refused.facts.get(name) for name in facts} == facts

    def happened(self) -> Given:
        assert self.refused is None, f"{self.refused} {self.refused.facts}"
        return replace(
            self.given,
            plan=folded(self.given.plan, self.events, self.on),
            told=(*self.given.told, *self.events),
        )


def folded(plan: Plan | None, events: Iterable[PlanEvent], on: date) -> Plan | None:
    for event in events:
        plan = evolve(plan, event, on)
    return plan


def asked(kind: type[Asked], on: date = JUNE_11, **members: Any) -> Any:
    """A command on our example bundle by somebody who may."""
    return kind(**{"bundle_id": "b1", "on": on, "change_id": "change-1", "privileges": EDITOR, **members})


def start(
    sku: str = "workplace_pro", quantity: int = 9, cycle: Cycle = Cycle.MONTHLY, on: date = JUNE_1, **members: Any
) -> Any:
    return asked(c.StartPlan, on, **{"sku": sku, "quantity": quantity, "cycle": cycle, **members})


def edit(quantity: int | None = None, on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.EditPlan, on, quantity=quantity, **members)


def resize(line_id: str = "line-2", on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.ResizeCapacity, on, line_id=line_id, **members)


def change_cycle(cycle: Cycle, on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.ChangeCycle, on, cycle=cycle, **members)


def buy(sku: str = "large_meeting_500", quantity: int = 1, on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.BuyCapacity, on, sku=sku, quantity=quantity, **members)


def add(sku: str = "whiteboard_plus", quantity: int = 1, on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.BuyAddOn, on, sku=sku, quantity=quantity, **members)


def discard(on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.DiscardPendingChange, on, **members)


def cancel_line(line_id: str = "line-2", on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.CancelLine, on, line_id=line_id, **members)


def cancel(on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.CancelPlan, on, **{"reason": CancelReason.TOO_EXPENSIVE, **members})


def reinstate_line(line_id: str = "line-2", on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.ReinstateLine, on, line_id=line_id, **members)


def reinstate(on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.ReinstatePlan, on, **members)


def assign(assignee: str = "person-1", on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.AssignLicence, on, assignee=assignee, **members)


def unassign(assignee: str = "person-1", on: date = JUNE_11, **members: Any) -> Any:
    return asked(c.UnassignLicence, on, assignee=assignee, **members)


def nothing() -> Given:
    return Given()


def pro_monthly(licences: int = 9, on: date = JUNE_1) -> Given:
    """Workplace Pro at 1699 a month from June 1 on, unless told otherwise."""
    return nothing().after(start("workplace_pro", licences, on=on))


def business_annual(licences: int = 10, on: date = date(2026, 3, 8)) -> Given:
    return nothing().after(start("workplace_business", licences, Cycle.ANNUAL, on))


def with_large_meetings(quantity: int = 2) -> Given:
    """Pro monthly with a capacity beside the base, both since June 1."""
    return pro_monthly().after(buy(quantity=quantity, on=JUNE_1))


def with_assigned(people: int, licences: int = 9) -> Given:
    return pro_monthly(licences).after(*(assign(f"person-{number}", JUNE_1) for number in range(people)))


def parts(money: Money) -> list[tuple[str, int]]:
    return [(line.part, line.amount_minor) for line in money.lines]


def renewed(renewal: NextRenewal) -> dict[str, tuple[int, int]]:
    """Quantity and amount of every line of a coming renewal, by sku."""
    return {line.sku: (line.quantity, line.amount_minor) for line in renewal.lines}


def line(given: Given, line_id: str = "line-1") -> PlanLine:
    return given.known().lines[line_id]
