"""Histories of accounts for tests: made by the real deciders, written by the real codec, read as a consumer would."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from pydantic import BaseModel

from contracts import codec
from contracts.envelope import Envelope
from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.plans import AccountOpened, PlanEvent, PriceBookPublished, Product, ProductKind
from contracts.pricing import Price, Tier
from contracts.problems import Refused
from contracts.terms import Cycle
from contracts.topics import Owner
from services.plans import catalogue, decider, plan
from services.plans.account import Account
from services.plans.commands import PlanCommand, StartPlan
from services.plans.plan import Plan
from services.plans.scheduled import take_effect, warning
from services.renewals import account as renewals
from services.renewals.policy import decided, steps_for

EDITOR = frozenset({Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT})
TODAY = date(2026, 1, 31)
ZONE = "Europe/Vienna"
US = Account(Currency.USD, ZONE)


def product(sku: str, kind: ProductKind = ProductKind.BASE, **different: Any) -> Product:
    """A product at 10.00 a month and 100.00 a year, but for what is said otherwise."""
    monthly, annual = Price.fixed(1000), Price.fixed(10000)
    prices: Any = {Currency.USD: {Cycle.MONTHLY: monthly, Cycle.ANNUAL: annual}}
    plain: dict[str, Any] = {
        "sku": sku,
        "name": sku.replace("_", " ").title(),
        "kind": kind,
        "family": "workplace",
        "grade": 1,
        "prices": prices,
        "minimum": 1,
        "maximum": 100,
        "pack": 1,
        "requires": (),
        "includes": (),
        "sales_only": False,
        "retired": False,
        "tier_of": None,
    }
    return Product(**{**plain, **different})


GRADUATED = Price(model="graduated", tiers=(Tier(up_to=3, unit_minor=500), Tier(up_to=None, unit_minor=400)))
BOOK = PriceBookPublished(
    book_id="standard",
    book_version=1,
    effective_from=date(2025, 1, 1),
    applies_to_existing_from=None,
    products=(
        product("workplace_pro", grade=1),
        product("workplace_business", grade=2, prices={Currency.USD: {Cycle.MONTHLY: Price.fixed(2199)}}),
        product("workplace_enterprise", prices={}, sales_only=True),
        product("workplace_old", retired=True),
        product("phone", family="phone"),
        product("euro_only", prices={Currency.EUR: {Cycle.MONTHLY: Price.fixed(1)}}),
        product(
            "webinar_one_month",
            family="webinar",
            requires=("workplace_pro", "workplace_business"),
            prices={Currency.USD: {Cycle.ONE_MONTH: Price.fixed(9900)}},
        ),
        product("storage", ProductKind.CAPACITY, requires=("workplace_pro", "workplace_business"), tier_of="storage"),
        product("big_storage", ProductKind.CAPACITY, requires=("workplace_pro",), tier_of="storage"),
        product(
            "whiteboard",
            ProductKind.CAPACITY,
            requires=("workplace_business",),
            prices={Currency.USD: {Cycle.MONTHLY: GRADUATED}},
        ),
        product("captions", ProductKind.ADD_ON, requires=("workplace_pro",)),
        product(
            "handset", ProductKind.DEVICE_SALE, requires=("phone",), prices={Currency.USD: {Cycle.ONCE: Price.fixed(9)}}
        ),
        product("parcel", ProductKind.SHIPPING, prices={Currency.USD: {Cycle.ONCE: Price.fixed(1)}}),
    ),
)


@dataclass
class History:
    """Two logs that grow as commands are given, and the states the deciders have of them."""

    logs: dict[Owner, list[Envelope]] = field(default_factory=lambda: {owner: [] for owner in Owner})
    revisions: dict[str, int] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    forecasts: dict[str, renewals.AccountRenewals] = field(default_factory=dict)
    today: date = TODAY

    @property
    def events(self) -> list[Envelope]:
        return self.logs[Owner.PLANS]

    def write(self, owner: Owner, stream: str, account_id: str, events: Iterable[BaseModel]) -> list[Envelope]:
        written = []
        for event in events:
            revision = self.revisions[stream] = self.revisions.get(stream, -1) + 1
            name, version, data = codec.encode(event)
            metadata = {
                "account_id": account_id,
                "actor": {"id": "user-1", "role": "owner", "via": "api"},
                "recorded_at": f"{self.today}T10:00:00.000000Z",
                "effective_on": self.today.isoformat(),
                "causation_id": "command-1",
                "correlation_id": "request-1",
                "command_id": "command-1",
                "request_digest": "digest",
            }
            event_id = str(uuid5(NAMESPACE_URL, f"{stream}/{revision}"))
            log = self.logs[owner]
            # Positions have holes, as they have in every real log.
            position = 3 * len(log) + 1
            envelope = Envelope(position, stream, revision, event_id, name, version, metadata, orjson.loads(data))
            log.append(envelope)
            written.append(envelope)
        return written

    def publish(self, book: PriceBookPublished = BOOK) -> None:
        self.write(Owner.PLANS, f"catalogue-{book.book_id}", "seller", [book])

    def open(self, account_id: str) -> None:
        opened = AccountOpened(currency=Currency.USD, time_zone=ZONE)
        (written,) = self.write(Owner.PLANS, f"billingaccount-{account_id}", account_id, [opened])
        self._renew(account_id, written)

    def do(self, account_id: str, command: PlanCommand) -> Sequence[Envelope]:
        """What the command records on both logs' deciders. Raises Refused."""
        state = self.plans.get(command.bundle_id)
        books = catalogue.evolve(None, BOOK, self.today)
        return self._record(account_id, command.bundle_id, decider.decide(command, state, US, books))

    def by_itself(self, account_id: str, bundle_id: str) -> None:
        """What becomes of scheduled edits by today: they are warned of, or take effect."""
        books = catalogue.evolve(None, BOOK, self.today)
        self._record(account_id, bundle_id, warning(self.plans[bundle_id], self.today))
        for pending in list(self.plans[bundle_id].pending.values()):
            if pending.effective_on <= self.today:
                taken = take_effect(self.plans[bundle_id], pending.change_id, US, books)
                self._record(account_id, bundle_id, taken)

    def _record(self, account_id: str, bundle_id: str, events: Sequence[PlanEvent]) -> Sequence[Envelope]:
        state = self.plans.get(bundle_id)
        for event in events:
            state = plan.evolve(state, event, self.today)
        assert state is not None
        self.plans[bundle_id] = state
        written = self.write(Owner.PLANS, f"plan-{bundle_id}", account_id, events)
        for envelope in written:
            self._renew(account_id, envelope)
        return written

    def try_to(self, account_id: str, command: PlanCommand) -> None:
        """As `do`; a refusal records nothing."""
        with contextlib.suppress(Refused):
            self.do(account_id, command)

    def _renew(self, account_id: str, envelope: Envelope) -> None:
        if steps := steps_for(envelope, {}):
            state = self.forecasts.get(account_id)
            events = decided(steps, state, self.today)
            for event in events:
                state = renewals.evolve(state, event, self.today)
            if state is not None:
                self.forecasts[account_id] = state
            self.write(Owner.RENEWALS, f"renewal-{account_id}", account_id, events)


def asked(bundle_id: str, history: History, **members: Any) -> dict[str, Any]:
    """What every command says, for the day it is in `history`."""
    change_id = f"change-{history.revisions.get(f'plan-{bundle_id}', -1) + 2}"
    return {"bundle_id": bundle_id, "on": history.today, "change_id": change_id, "privileges": EDITOR, **members}


def started(account_id: str = "acme", bundle_id: str = "b1", **members: Any) -> History:
    """An account with one plan: 5 Workplace Pro, monthly, but for what is said otherwise."""
    history = History()
    history.publish()
    history.open(account_id)
    wish = {"sku": "workplace_pro", "quantity": 5, "cycle": Cycle.MONTHLY, **members}
    history.do(account_id, StartPlan(**asked(bundle_id, history, **wish)))
    return history
