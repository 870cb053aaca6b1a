"""An independent recount of an account's money: what plans and devices say is to be paid, against what renewals
invoiced, collected, credited and refunded, to the unit. Pure; it shares no code with what it checks.

Both sides of everything are put into one slot, with opposite signs. A slot must come to nothing, or, where the customer
still owes or is owed something, must not fall below it. The order in which owners are heard of does not matter.
"""

import json
from calendar import monthrange
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from contracts.envelope import Envelope

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
    """totals: minor units by what they are. zero, never_less: slots that must come to nothing, or not fall below it.
    rented: months of units found on invoices. numbers: of invoices."""

    currency: str = ""
    totals: Counter[str] = field(default_factory=Counter)
    zero: dict[Key, Slot] = field(default_factory=lambda: defaultdict(Slot))
    never_less: dict[Key, Slot] = field(default_factory=lambda: defaultdict(Slot))
    leases: dict[str, Lease] = field(default_factory=dict)
    rented: dict[Key, Slot] = field(default_factory=lambda: defaultdict(Slot))
    numbers: Counter[int] = field(default_factory=Counter)
    last: str = ""

    def put(self, key: Key, amount: int, event: str) -> None:
        _put(self.zero, key, amount, event)

    def troubles(self, newest: date) -> list[str]:
        """What does not reconcile, each as a sentence that names the event. newest: the day of the newest event."""
        found = [_said(key, slot) for key, slot in self.zero.items()]
        found += [_said(key, slot) for key, slot in self.never_less.items() if slot.balance < 0]
        found += self._months(newest)
        highest = max(self.numbers, default=0)
        for number in range(1, highest + 1):
            if self.numbers[number] != 1:
                found.append(f"invoice number {number} is there {self.numbers[number]} times; the last is {self.last}")
        return found

    def _months(self, newest: date) -> list[str]:
        """A month must be charged when it has begun some time ago, and may be when it has begun."""
        due, may = self._units(newest - OVERDUE), self._units(newest + OVERDUE)
        found = []
        for key in sorted(due.keys() | self.rented.keys()):
            units = self.rented[key].balance if key in self.rented else 0
            least, event = due.get(key, (0, self.rented[key].plus))
            most = may.get(key, (0, ""))[0]
            if not least <= units <= most:
                found.append(f"{_words(key)}: {units} units charged rather than {least}, {event}")
        return found

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
        if event.type.startswith("renewals."):
            _TAKEN.get(event.type.removeprefix("renewals."), _nothing)(account, body, name)
            return
        match event.type:
            case "plans.AccountOpened":
                account.currency = body["currency"]
            case "devices.DeviceLeaseStarted":
                account.leases[body["lease_id"]] = Lease(body, name)
            case "devices.DeviceReturned":
                account.leases[body["lease_id"]].ended_on = date.fromisoformat(body["ended_on"])
        if money := body.get("money"):
            cause = event.event_id
            if event.type == "plans.PlanTermAdvanced":
                cause = f"{body['cadence']} renewal of {body['term_start']}"
            subject = next(body[each] for each in ("bundle_id", "order_id", "lease_id") if each in body)
            for line in money["lines"]:
                account.totals["money"] += line["amount_minor"]
                if line["amount_minor"]:
                    account.put(_line(cause, subject, money["currency"], line), line["amount_minor"], name)


def _drafted(account: Account, body: Body, name: str) -> None:
    invoice = body["invoice"]
    account.put(("invoice", _digest(invoice)), 1, name)


def _issued(account: Account, body: Body, name: str) -> None:
    invoice = body["invoice"]
    invoice_id, total, net = invoice["invoice_id"], invoice["total_minor"], invoice["net_minor"]
    account.put(("invoice", _digest(invoice)), -1, name)
    account.numbers[invoice["number"]] += 1
    account.last = name
    cause = invoice["cause_id"]
    if invoice["kind"] == "renewal":
        cause = f"{invoice['cadence']} renewal of {invoice['issued_on']}"
    for line in invoice["lines"]:
        amount = line["amount_minor"]
        if invoice["kind"] == "rental":
            unit, rest = divmod(amount, line["quantity"])
            key = _month(line["bundle_id"], line["line_id"], unit, line["period_start"])
            account.put(("rent not of whole units", invoice_id), rest, name)
            _put(account.rented, key, line["quantity"], name)
        elif amount:
            account.put(_line(cause, line["bundle_id"], invoice["currency"], line), -amount, name)
    taxes = [tax["tax_minor"] for tax in invoice["taxes"]]
    account.put(("net of", invoice_id), net - sum(line["amount_minor"] for line in invoice["lines"]), name)
    account.put(("total of", invoice_id), total - net - sum(taxes), name)
    for tax in invoice["taxes"]:
        wrong = tax["tax_minor"] - _tax(tax["net_minor"], tax["rate_bp"])
        account.put(("tax of", invoice_id, tax["code"]), wrong, name)
    account.put(("due of", invoice_id), invoice["due_minor"] - max(0, total - invoice["credit_minor"]), name)
    account.put(("credit applied to", invoice_id), invoice["credit_minor"], name)
    _put(account.never_less, ("credit beyond the total of", invoice_id), max(0, total) - invoice["credit_minor"], name)
    account.put(("refund of" if invoice["refund"] else "credit of", invoice_id), max(0, -total), name)
    _put(account.never_less, ("left to pay of", invoice_id), invoice["due_minor"], name)
    account.totals.update(invoiced=sum(line["amount_minor"] for line in invoice["lines"]), tax=sum(taxes))


def _granted(account: Account, body: Body, name: str) -> None:
    account.put(("credit of", body["credit_id"]), -body["amount_minor"], name)
    _put(account.never_less, ("left of credit", body["credit_id"]), body["amount_minor"], name)
    account.totals["credit"] += body["amount_minor"]


def _applied(account: Account, body: Body, name: str) -> None:
    account.put(("credit applied to", body["invoice_id"]), -body["amount_minor"], name)
    _put(account.never_less, ("left of credit", body["credit_id"]), -body["amount_minor"], name)
    account.totals["credit"] -= body["amount_minor"]


def _paid(account: Account, body: Body, name: str) -> None:
    _put(account.never_less, ("left to pay of", body["invoice_id"]), -body["amount_minor"], name)
    account.totals["paid"] += body["amount_minor"]


def _cut(account: Account, body: Body, name: str) -> None:
    _put(account.never_less, ("left to pay of", body["invoice_id"]), -body["cut_minor"], name)
    account.totals["cut"] += body["cut_minor"]
    slot = account.never_less.get(("left to pay of", body["invoice_id"]))
    left = slot.balance if slot else 0
    account.put(("left after the cut of", body["invoice_id"]), left - body["remains_minor"], name)


def _refunded(account: Account, body: Body, name: str) -> None:
    account.put(("refund of", body["invoice_id"]), -body["amount_minor"], name)
    account.totals["refunded"] += body["amount_minor"]


def _collected(account: Account, body: Body, name: str) -> None:
    """Nothing may be left to pay: here order counts, as for a cut, and it is that of one stream."""
    slot = account.never_less.get(("left to pay of", body["invoice_id"]))
    if slot and slot.balance:
        account.put(("left to pay of the collected", body["invoice_id"]), slot.balance, name)


def _nothing(account: Account, body: Body, name: str) -> None:
    """Of no money."""


_TAKEN = {
    "InvoiceDrafted": _drafted,
    "InvoiceIssued": _issued,
    "CreditGranted": _granted,
    "CreditApplied": _applied,
    "PaymentSucceeded": _paid,
    "InvoiceCut": _cut,
    "RefundGranted": _refunded,
    "InvoiceCollected": _collected,
}


def _put(slots: dict[Key, Slot], key: Key, amount: int, event: str) -> None:
    """A slot that has come to nothing is forgotten: what is kept does not grow with the log."""
    if not amount:
        return
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
    return ("line for", cause, subject, currency, *(line[member] for member in members))


def _month(order_id: str, line_id: str, unit_minor: int, begins_on: str) -> Key:
    return ("month of a lease", order_id, line_id, unit_minor, begins_on)


def _digest(invoice: Body) -> str:
    return json.dumps(invoice, sort_keys=True)


def _tax(net_minor: int, rate_bp: int) -> int:
    """Half up, away from nothing (DOMAIN M10)."""
    size, rest = divmod(abs(net_minor) * rate_bp, 10_000)
    size += rest * 2 >= 10_000
    return size if net_minor >= 0 else -size


def _months_after(first: date, number: int) -> date:
    """The same day of the month, or the month's last (DOMAIN M9)."""
    year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


def _said(key: Key, slot: Slot) -> str:
    """The event of the side that outweighs the other."""
    return f"{_words(key)}: {slot.balance:+d} not accounted for, {slot.plus if slot.balance > 0 else slot.minus}"


def _words(key: Key) -> str:
    if key[0] == "invoice":
        invoice = json.loads(key[1])
        return f"invoice {invoice['invoice_id']}, drafted and issued alike"
    return " ".join(str(part) for part in key)
