"""An independent recount of an account's money: what plans and devices say is to be paid, against what renewals
invoiced, collected, credited and refunded, to the unit. Pure; it shares no code with what it checks.

Between owners, both sides of everything are put into one slot with opposite signs, which must come to nothing: the
order in which owners are heard of does not matter. An owner's own log is in order: each event is checked as it comes.
"""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from contracts.envelope import Envelope

from .recount_bills import Bills, called
from .recount_sums import taxed_as_on
from .recount_terms import Terms

MONTHS = 36  # of a lease; the first is charged with the delivery
OVERDUE = timedelta(days=2)  # a month that began so long before the newest event is charged, whatever the time zone

Key = tuple[Any, ...]
Body = dict[str, Any]


@dataclass(slots=True)
class Slot:
    """balance: units of money, or how often something is. plus, minus: the last event on either side."""

    balance: int = 0
    plus: str = ""
    minus: str = ""


@dataclass(slots=True)
class Lease:
    body: Body
    event: str
    ended_on: date = date.max

    def begins(self, until: date) -> list[date]:
        """The days on which its months after the first begin, before `until`."""
        first = date.fromisoformat(self.body["started_on"])
        days = [_months_after(first, number) for number in range(1, MONTHS)]
        return [day for day in days if day <= self.ended_on and day < until]


@dataclass(slots=True)
class Account:
    """totals: minor units by what they are. zero: slots that must come to nothing. rented: months of units found on
    invoices. tax: where it is taxed, as plans said. taxed: by day, place and exemption on invoices, the first of them.
    """

    currency: str = ""
    totals: Counter[str] = field(default_factory=Counter)
    zero: dict[Key, Slot] = field(default_factory=lambda: defaultdict(Slot))
    bills: Bills = field(default_factory=Bills)
    terms: Terms = field(default_factory=Terms)
    leases: dict[str, Lease] = field(default_factory=dict)
    rented: dict[Key, Slot] = field(default_factory=lambda: defaultdict(Slot))
    tax: list[Body] = field(default_factory=list)
    taxed: dict[Key, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def put(self, key: Key, amount: int, event: str) -> None:
        _put(self.zero, key, amount, event)

    def troubles(self, newest: date) -> list[str]:
        """What does not reconcile, each as a sentence that names the event. newest: the day of the newest event."""
        slots = [_said(key, slot) for key, slot in self.zero.items()]
        return [*self.faults, *slots, *self.bills.still_to_come(), *self._untaxed(), *self._months(newest)]

    def _untaxed(self) -> Iterator[str]:
        """An invoice is taxed where the account was on the first day of the term."""
        for (on, *said), event in self.taxed.items():
            begun = [each for each in self.tax if each["effective_from"] <= on]
            now = max(reversed(begun), key=lambda each: str(each["effective_from"]), default=None)
            place, exemption = (now["jurisdiction"], now["exemption"]) if now else (None, None)
            if [place, exemption if place else None] != said:
                yield f"an invoice is taxed in {said[0]} where the account was in {place} on {on}, {event}"

    def _months(self, newest: date) -> Iterator[str]:
        """A month must be charged when it has begun some time ago, and may be when it has begun."""
        due, may = self._units(newest - OVERDUE), self._units(newest + OVERDUE)
        for key in sorted(due.keys() | self.rented.keys()):
            units = self.rented[key].balance if key in self.rented else 0
            least, event = due.get(key, (0, self.rented[key].plus))
            most = may.get(key, (0, ""))[0]
            if not least <= units <= most:
                yield f"{_words(key)}: {units} units charged rather than {least}, {event}"

    def _units(self, until: date) -> dict[Key, tuple[int, str]]:
        units: dict[Key, tuple[int, str]] = {}
        for lease in self.leases.values():
            body = lease.body
            for day in lease.begins(until) if body["monthly_minor"] else []:
                key = _month(body["order_id"], body["line_id"], body["monthly_minor"], day.isoformat())
                units[key] = (units.get(key, (0, ""))[0] + 1, lease.event)
        return units

    def charged(self, newest: date) -> int:
        """What plans and devices say is to be paid, months of leases among it that are due or were charged early."""
        rents = 0
        due, may = self._units(newest - OVERDUE), self._units(newest + OVERDUE)
        for key, (most, _) in may.items():
            least = due.get(key, (0, ""))[0]
            rents += key[3] * min(most, max(least, self.rented[key].balance if key in self.rented else 0))
        return self.totals["money"] + rents


class Recount:
    """Takes in the events of all owners, those of one owner in order."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = defaultdict(Account)
        self.newest = date.min

    def take(self, event: Envelope) -> None:
        account, body = self.accounts[event.account_id], event.data
        name = f"{event.type} {event.event_id} at {event.position}"
        self.newest = max(self.newest, date.fromisoformat(event.metadata["recorded_at"][:10]))
        owner, _, kind = event.type.partition(".")
        if owner == "renewals":
            account.faults += _renewed(account, kind, body, name)
            return
        match kind:
            case "AccountOpened":
                account.currency = body["currency"]
            case "TaxJurisdictionSet":
                account.tax.append(body)
            case "DeviceLeaseStarted":
                account.leases[body["lease_id"]] = Lease(body, name)
                if body["monthly_minor"]:
                    account.put(_first_month(body["order_id"], body["line_id"], body["started_on"]), 1, name)
            case "DeviceReturned":
                account.leases[body["lease_id"]].ended_on = date.fromisoformat(body["ended_on"])
        if body.get("money"):
            account.faults += _charged(account, kind, body, event.event_id, name)


def _charged(account: Account, kind: str, body: Body, event_id: str, name: str) -> Iterator[str]:
    """What an event of plans or devices says is to be paid."""
    money = body["money"]
    cause = f"{body['cadence']} renewal of {body['term_start']}" if kind == "PlanTermAdvanced" else event_id
    subject = next(body[each] for each in ("bundle_id", "order_id", "lease_id") if each in body)
    if money["net_minor"] != sum(line["amount_minor"] for line in money["lines"]):
        yield f"the net of what is to be paid is not the sum of its lines, {name}"
    for line in money["lines"]:
        account.totals["money"] += line["amount_minor"]
        if line["amount_minor"]:
            account.put(_line(cause, subject, money["currency"], line), line["amount_minor"], name)
        if kind == "ShipmentDelivered":
            account.put(_first_month(subject, line["line_id"], line["period_start"]), -line["quantity"], name)
    if kind == "PlanCancelled" and body["refund_requested"] and money["net_minor"] < 0:
        account.put(("refund offered by", event_id), 1, name)
    if "bundle_id" in body:
        yield from account.terms.take(subject, money["lines"], dict(costs(body)), name)


def costs(body: Body) -> Iterator[tuple[str, int]]:
    """What a whole term of each line costs that an event of plans tells of."""
    told: Iterable[Any] = (body.get("line"), body.get("after"), *body.get("lines", ()))
    return ((line["line_id"], line["total_minor"]) for line in told if isinstance(line, dict))


def _renewed(account: Account, kind: str, body: Body, name: str) -> Iterator[str]:
    """An event of renewals."""
    bills, totals = account.bills, account.totals
    match kind:
        case "InvoiceDrafted":
            yield from bills.draft(body["invoice"], name)
        case "InvoiceIssued":
            yield from bills.issue(body["invoice"], name)
            yield from _invoiced(account, body["invoice"], name)
        case "CreditGranted":
            yield from bills.grant(body["credit_id"], body["amount_minor"], name)
            totals["credit"] += body["amount_minor"]
        case "CreditApplied":
            yield from bills.apply(body["invoice_id"], body["credit_id"], body["amount_minor"], name)
            totals["credit"] -= body["amount_minor"]
        case "PaymentSucceeded":
            yield from bills.pay(body["invoice_id"], body["amount_minor"], name)
            totals["paid"] += body["amount_minor"]
        case "InvoiceCut":
            said = body["served_until"], body["cut_minor"], body["remains_minor"]
            yield from bills.cut(body["invoice_id"], *said, name)
            totals["cut"] += body["cut_minor"]
        case "RefundGranted":
            yield from bills.refund(body["invoice_id"], body["amount_minor"], name)
            totals["refunded"] += body["amount_minor"]
        case "InvoiceCollected":
            yield from bills.collect(body["invoice_id"], name)


def _invoiced(account: Account, invoice: Body, name: str) -> Iterator[str]:
    """Each line takes out of its slot what plans or devices have put into it."""
    cause = invoice["cause_id"]
    if invoice["kind"] == "renewal":
        cause = f"{invoice['cadence']} renewal of {invoice['issued_on']}"
    for line in invoice["lines"]:
        amount = line["amount_minor"]
        if invoice["kind"] == "rental":
            unit, rest = divmod(amount, line["quantity"])
            key = _month(line["bundle_id"], line["line_id"], unit, line["period_start"])
            if rest:
                yield f"{called(invoice)}: rent not of whole units, {name}"
            _put(account.rented, key, line["quantity"], name)
        elif amount:
            account.put(_line(cause, line["bundle_id"], invoice["currency"], line), -amount, name)
    if invoice["refund"]:
        account.put(("refund offered by", cause), -1, name)
    taxes = invoice["taxes"]
    places = {(each.get("jurisdiction"), each.get("exemption")) for each in taxes}
    if invoice["net_minor"] and not places:
        places = {(None, None)}
    for place in places:
        account.taxed.setdefault((taxed_as_on(invoice), *place), name)
    account.totals.update(
        invoiced=sum(line["amount_minor"] for line in invoice["lines"]), tax=sum(each["tax_minor"] for each in taxes)
    )


def _put(slots: dict[Key, Slot], key: Key, amount: int, event: str) -> None:
    """A slot that has come to nothing is forgotten: what is kept does not grow with the log."""
    slot = slots[key]
    slot.balance += amount
    if amount > 0:
        slot.plus = event
    else:
        slot.minus = event
    if not slot.balance:
        del slots[key]


def _line(cause: str, subject: str, currency: str, line: Body) -> Key:
    members = ("line_id", "sku", "part", "quantity", "full_minor", "amount_minor", "period_start", "period_end")
    taxed_as = line.get("tax_code", "standard")
    return ("line for", cause, subject, currency, *(line[member] for member in members), taxed_as)


def _month(order_id: str, line_id: str, unit_minor: int, begins_on: str) -> Key:
    return ("month of a lease", order_id, line_id, unit_minor, begins_on)


def _first_month(order_id: str, line_id: str, begins_on: str) -> Key:
    return ("first month of leases of", order_id, line_id, begins_on)


def _months_after(first: date, number: int) -> date:
    """The same day of the month, or the month's last (DOMAIN M9)."""
    year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


def _said(key: Key, slot: Slot) -> str:
    """The event of the side that outweighs the other."""
    return f"{_words(key)}: {slot.balance:+d} not accounted for, {slot.plus if slot.balance > 0 else slot.minus}"


def _words(key: Key) -> str:
    return " ".join(str(part) for part in key)
