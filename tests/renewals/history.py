"""Years of an account's money without any service: plans and devices said in short, renewals by their real rules."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel

from contracts.devices import DeviceLeaseStarted, DeviceLine
from contracts.envelope import Envelope
from contracts.leases import ends_on
from contracts.money import Currency
from contracts.plans import ProductKind
from contracts.proration import earned
from contracts.renewals import (
    Invoice,
    InvoiceCollected,
    InvoiceDrafted,
    InvoiceIssued,
    PaymentFailed,
    RenewalDue,
    RenewalFailed,
)
from contracts.tax import TaxTable
from contracts.terms import Cycle, term
from services.devices.charges import first_month, money
from services.renewals import billing, rentals
from services.renewals import invoice as invoices
from services.renewals.account import AccountRenewals, evolve
from services.renewals.invoice import InvoiceState
from services.renewals.policy import decided, steps_for
from tests.tax import TAXED_HERE, table

JUNE_1 = date(2026, 6, 1)
_PHONE: Any = {
    "line_id": "line-1",
    "sku": "haas_desk_phone",
    "name": "Desk phone",
    "family": "phone",
    "book_version": 1,
}


@dataclass(slots=True)
class Bundle:
    """A monthly plan. minor: of a term. number: of the term it is in. charged: for that, net of credits. code: of
    tax."""

    name: str
    minor: int
    anchor_on: date
    number: int = 0
    charged: int = 0
    live: bool = True
    renews: bool = True
    code: str = "standard"


class History:
    """acme's. on: today. token: of its payments. events: of all owners, as they were recorded."""

    def __init__(self, on: date = JUNE_1, rates: TaxTable | None = None) -> None:
        self.on, self.token, self.rates = on, "card", rates or TaxTable()
        self.events: list[Envelope] = []
        self.account: AccountRenewals | None = None
        self.invoices: dict[str, InvoiceState] = {}
        self.bundles: dict[str, Bundle] = {}
        self._handled: set[str] = set()
        self._revisions: dict[str, int] = {}
        self.say("plans.AccountOpened", "billingaccount-acme", {"currency": "USD", "time_zone": "UTC"})
        if rates:
            self.say("plans.TaxJurisdictionSet", "billingaccount-acme", TAXED_HERE.model_dump(mode="json"))

    def start(self, name: str, minor: int, code: str = "standard") -> None:
        bundle = self.bundles[name] = Bundle(name, minor, self.on, charged=minor, code=code)
        self._plan("PlanStarted", bundle, _money(_line(bundle, minor)), line=_cost(bundle))

    def move(self, jurisdiction: str | None, exemption: str | None = None) -> None:
        """From tomorrow on it is taxed elsewhere."""
        told = {"jurisdiction": jurisdiction, "exemption": exemption}
        tomorrow = (self.on + timedelta(days=1)).isoformat()
        self.say("plans.TaxJurisdictionSet", "billingaccount-acme", {**told, "effective_from": tomorrow})

    def edit(self, name: str, more_minor: int) -> None:
        """From today on it costs so much more, or less, at once."""
        bundle = self.bundles[name]
        now = term(bundle.anchor_on, Cycle.MONTHLY, bundle.number)
        served = (self.on - now.start).days
        size = abs(more_minor)
        left = size - earned(size, served, now.days)
        left = left if more_minor > 0 else -min(left, bundle.charged)  # DOMAIN M8
        bundle.minor += more_minor
        bundle.charged += left
        money = _money(_line(bundle, left, full_minor=size, days_served=served))
        self._plan("PlanEdited", bundle, money, after=_cost(bundle))

    def cancel(self, name: str, refund: bool) -> None:
        bundle = self.bundles[name]
        now = term(bundle.anchor_on, Cycle.MONTHLY, bundle.number)
        served = (self.on - now.start).days + 1
        left = min(bundle.minor - earned(bundle.minor, served, now.days), bundle.charged)
        bundle.renews = False
        lines = [_line(bundle, -left, full_minor=bundle.minor, days_served=served)] if refund and left else []
        self._plan("PlanCancelled", bundle, _money(*lines), refund_requested=refund)

    def lease(self, lease_id: str, started_on: date) -> None:
        lease = DeviceLeaseStarted(
            lease_id=lease_id,
            order_id="o1",
            shipment_id="s1",
            serial="SN0123456789AB",
            currency=Currency.USD,
            time_zone="UTC",
            monthly_minor=599,
            list_minor=8900,
            started_on=started_on,
            ends_on=ends_on(started_on),
            **_PHONE,
        )
        unit = DeviceLine(list_minor=8900, unit_minor=599, kind=ProductKind.DEVICE_RENTAL, quantity=1, **_PHONE)
        delivered = money(Currency.USD, [first_month(unit, 1, started_on)]).model_dump(mode="json")
        self.say("devices.ShipmentDelivered", "deviceorder-o1", {"order_id": "o1", "money": delivered})
        self.say("devices.DeviceLeaseStarted", f"lease-{lease_id}", lease.model_dump(mode="json"))

    def give_back(self, lease_id: str) -> None:
        body = {"lease_id": lease_id, "rma": "r1", "serial": "SN0123456789AB", "ended_on": self.on.isoformat()}
        self.say("devices.DeviceReturned", f"lease-{lease_id}", body)

    def live_until(self, day: date) -> None:
        while self.on < day:
            self.on += timedelta(days=1)
            self._dawn()

    def say(self, kind: str, stream: str, data: dict[str, Any]) -> None:
        event = self._record(kind, stream, data)
        self.react(event)

    def react(self, event: Envelope) -> None:
        """What renewals do about an event of another owner; nothing the second time, as the stream remembers."""
        if event.event_id not in self._handled:
            self._handled.add(event.event_id)
            self._append(decided(steps_for(event, self.rates), self.account, self.on))

    def _dawn(self) -> None:
        for due in [due for due, shares in (self.account or AccountRenewals()).upcoming.items() if due[1] == self.on]:
            self._append(billing.declare_due(self.account, due))
        self._append(rentals.charge(self.account, "acme", self.on, self.rates))
        for name, state in list(self.invoices.items()):
            if state.attempts and state.next_try_on == self.on:
                self.pay(name)

    def pay(self, name: str) -> None:
        state = self.invoices[name]
        attempt = state.attempts + 1
        if self.token.endswith("-declined") or (self.token.endswith("-flaky") and attempt <= 2):
            self._on_invoice(name, invoices.declined(state, attempt, "no", self.on))
        else:
            self._on_invoice(name, invoices.paid(state, attempt, "ref"))

    def _append(self, events: list[Any]) -> None:
        for event in events:
            self.account = evolve(self.account, event, self.on)
            self._record(f"renewals.{type(event).__name__}", "renewal-acme", event)
        for event in events:
            match event:
                case RenewalDue():
                    for bundle_id in event.bundle_ids:
                        self._answer(self.bundles[bundle_id])
                case InvoiceDrafted():
                    self._issue(event.invoice)
                case RenewalFailed():
                    for bundle_id in event.bundle_ids:
                        self._lapse(self.bundles.get(bundle_id), event.invoice_id)

    def _answer(self, bundle: Bundle) -> None:
        if not bundle.renews or not bundle.live:
            bundle.live = False
            over = {"cadence": "monthly", "ended_on": self.on.isoformat(), "reason": "cancelled"}
            self._plan("PlanEnded", bundle, None, **over)
            return
        bundle.number += 1
        bundle.charged = bundle.minor
        now = term(bundle.anchor_on, Cycle.MONTHLY, bundle.number)
        said = {"cadence": "monthly", "number": bundle.number, "lines": []}
        said |= {"term_start": now.start.isoformat(), "term_end": now.end.isoformat()}
        self._plan("PlanTermAdvanced", bundle, _money(_line(bundle, bundle.minor)), **said)

    def _lapse(self, bundle: Bundle | None, invoice_id: str) -> None:
        if bundle and bundle.live:
            bundle.live = bundle.renews = False
            self._plan("PlanLapsed", bundle, None, lapsed_on=self.on.isoformat(), invoice_id=invoice_id)

    def _issue(self, invoice: Invoice) -> None:
        name = invoice.invoice_id
        self._on_invoice(name, invoices.issue(self.invoices.get(name), invoice))
        if invoice.due_minor:
            self.pay(name)
        elif invoice.refund:
            self._on_invoice(name, invoices.refunded(self.invoices[name], "ref"))

    def _on_invoice(self, name: str, events: list[Any]) -> None:
        for event in events:
            state = self.invoices.get(name)
            self.invoices[name] = invoices.evolve(state, event, self.on)  # type: ignore[arg-type]
            self._record(f"renewals.{type(event).__name__}", f"invoice-{name}", event)
        for event in events:
            match event:
                case InvoiceCollected():
                    self._append(billing.collected(self.account, name))
                case PaymentFailed(next_try_on=None) if self.invoices[name].given_up_on == self.on:
                    self._append(billing.fail(name, self.on, self.invoices[name].issued.lines))
                case PaymentFailed() if event.attempt >= invoices.SUSPEND_AFTER:
                    self._append(billing.suspend(self.account, name))
                case InvoiceIssued():
                    assert event.invoice == self.invoices[name].issued

    def _plan(self, kind: str, bundle: Bundle, money: dict[str, Any] | None, **said: Any) -> None:
        due = term(bundle.anchor_on, Cycle.MONTHLY, bundle.number).end
        line = {"line_id": "line-1", "sku": "big", "name": "Big", "quantity": 1, "unit_minor": bundle.minor}
        lines = [{**line, "amount_minor": bundle.minor}] if bundle.live else []
        renewal = {"cadence": "monthly", "due_on": due.isoformat(), "currency": "USD", "lines": lines}
        renewal["amount_minor"] = bundle.minor if lines else 0
        data = {"bundle_id": bundle.name, **said, "next_renewal": renewal}
        self.say(f"plans.{kind}", f"plan-{bundle.name}", {**data, "money": money} if money else data)

    def _record(self, kind: str, stream: str, data: BaseModel | dict[str, Any]) -> Envelope:
        body = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
        revision = self._revisions[stream] = self._revisions.get(stream, -1) + 1
        event_id = str(uuid5(NAMESPACE_URL, f"{stream} {revision}"))
        at = f"{self.on}T12:00:00Z"
        metadata = {"account_id": "acme", "effective_on": self.on.isoformat(), "correlation_id": "c", "recorded_at": at}
        event = Envelope(len(self.events) + 1, stream, revision, event_id, kind, 1, metadata, body)
        self.events.append(event)
        return event


def renting_year() -> list[Envelope]:
    """Two plans and two phones, credits and refunds, a card that is declined for a while, a phone that comes back."""
    history = History(rates=table(825))
    history.start("a", 8495)
    history.start("b", 4900)
    history.lease("o1-1", JUNE_1)
    history.lease("o1-2", JUNE_1)
    for day, step in (
        (12, lambda: history.edit("a", 3398)),
        (20, lambda: history.edit("a", -1699)),
        (75, lambda: history.give_back("o1-2")),
        (100, lambda: history.start("c", 7900)),
        (104, lambda: history.cancel("c", refund=True)),
        (140, lambda: setattr(history, "token", "card-flaky")),
        (200, lambda: setattr(history, "token", "card-declined")),
        (260, lambda: setattr(history, "token", "card")),
    ):
        history.live_until(JUNE_1 + timedelta(days=day))
        step()
    history.start("d", 1000)
    history.live_until(JUNE_1 + timedelta(days=365))
    return history.events


def _line(bundle: Bundle, amount: int, full_minor: int | None = None, days_served: int = 0) -> dict[str, Any]:
    now = term(bundle.anchor_on, Cycle.MONTHLY, bundle.number)
    line = {"line_id": "line-1", "sku": "big", "name": "Big", "part": "charge" if amount >= 0 else "credit"}
    numbers = {"quantity": 1, "full_minor": abs(amount) if full_minor is None else full_minor, "amount_minor": amount}
    days = {"days_served": days_served, "days": now.days}
    taxed = {"tax_code": bundle.code} if bundle.code != "standard" else {}
    return {
        **line,
        **taxed,
        **numbers,
        **days,
        "period_start": now.start.isoformat(),
        "period_end": now.end.isoformat(),
    }


def _cost(bundle: Bundle) -> dict[str, Any]:
    return {"line_id": "line-1", "total_minor": bundle.minor}


def _money(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"currency": "USD", "net_minor": sum(line["amount_minor"] for line in lines), "lines": list(lines)}
