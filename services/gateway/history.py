"""An account's history as a person reads it: every event as one sentence, with what it says behind it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts.money import Currency, format_minor
from contracts.plan_actions import Privilege
from contracts.plans import HistoryWay
from contracts.topics import Owner

from .answers import History, HistoryEntry
from .cards import opened
from .projections import history
from .read_store import Readable
from .readings import Readings
from .reads import admitted, as_response, unless_known

PAGE = 50
MOST = 200
END = "~"  # after every instant

Members = dict[str, Any]


async def read_history(request: Request) -> Response:
    """The newest first. limit: up to MOST. before: as the answer before said in `next`. about: the id of a plan, an
    order, a lease or an invoice, whose own events are asked for."""
    of = await admitted(request, of_renewals=True, privilege=Privilege.AUDIT_READ)
    readings: Readings = request.state.readings
    limit, before = _limit(request.query_params), request.query_params.get("before", END)
    if not before.isascii() or len(before) > 128 or not before.isprintable():
        raise _malformed("before", "what the answer before said in `next`")
    await readings.record(request, of, HistoryWay.PAGE)
    mine = history.prefix(of.account_id)
    about = request.query_params.get("about")
    found = await _found(of.reads.store, mine, f"{mine}{before}", limit + 1, about)
    currency = Currency(opened(of.account)["currency"])
    shown = found[:limit]
    answer = History(
        account_id=of.account_id,
        entries=[entry(opened(row), currency) for _, row in shown],
        next=shown[-1][0].removeprefix(mine) if len(found) > limit else None,
    )
    return unless_known(request, as_response(answer))


async def _found(store: Readable, mine: str, before: str, limit: int, about: str | None) -> list[tuple[str, bytes]]:
    """The last `limit` rows before a key. about: as the end of their stream's name; it costs the account's history."""
    found: list[tuple[str, bytes]] = []
    while len(found) < limit:
        rows = await store.page(history.TABLE, mine, before, max(limit, MOST) if about else limit)
        found += [row for row in rows if not about or opened(row[1])["stream"].partition("-")[2] == about]
        if not rows or not about:
            break
        before = rows[-1][0]
    return found[:limit]


def entry(row: Members, currency: Currency) -> HistoryEntry:
    owner = Owner(row["type"].partition(".")[0])
    return HistoryEntry.model_validate({**row, "owner": owner, "said": said(row, currency)}, strict=False)


def said(row: Members, currency: Currency) -> str:
    """One sentence; for an event of a kind we do not know, its name."""
    name: str = row["type"].partition(".")[2]
    words = _WORDS.get(name)
    return words(_Facts(row["data"], currency)) if words else name


_READ = {
    "page": "History read",
    "csv": "History read as CSV",
    "jsonl": "History read as JSON Lines",
    "events": "History read as events",
}


class _Facts:
    """The body of an event, and how its parts are said."""

    def __init__(self, data: Mapping[str, Any], currency: Currency) -> None:
        self._data, self._currency = data, currency

    def __getattr__(self, name: str) -> Any:
        return self._data[name]

    def money(self, minor: int) -> str:
        return format_minor(minor, self._currency)

    def charged(self) -> str:
        """What it costs now, or gives back."""
        money = self._data.get("money")
        if not money or not money["net_minor"]:
            return ""
        return f", {self.money(money['net_minor'])}"

    def taxed(self) -> str:
        """Where, and whether an exemption frees of it."""
        exempt = f", exempt by {self.exemption}" if self.exemption else ""
        return f"{self.jurisdiction or 'nowhere'}{exempt}"

    def change(self) -> str:
        """From one line to another."""
        before, after = self.before, self.after
        if before["sku"] != after["sku"]:
            return f"{_line(before)} to {_line(after)}"
        return f"{before['name']} from {before['quantity']} to {after['quantity']}"

    def invoice(self) -> str:
        invoice = self._data["invoice"]
        return f"number {invoice['number']}, {self.money(invoice['total_minor'])}"


def _line(line: Mapping[str, Any]) -> str:
    return f"{line['quantity']} × {line['name']}"


def _lines(lines: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(map(_line, lines))


def _spoken(word: str) -> str:
    return word.replace("_", " ")


_WORDS: dict[str, Callable[[_Facts], str]] = {
    "PlanStarted": lambda e: f"Plan started: {_line(e.line)}, {_spoken(e.cycle)}{e.charged()}",
    "PlanEdited": lambda e: f"Plan edited: {e.change()}{e.charged()}",
    "PlanEditScheduled": lambda e: f"Change scheduled for {e.effective_on}: {e.change()}",
    "PlanEditDiscarded": lambda e: f"Pending change discarded: {_spoken(e.reason)}",
    "AddOnPurchased": lambda e: f"Add-on bought: {_line(e.line)}{e.charged()}",
    "CapacityPurchased": lambda e: f"Capacity bought: {_line(e.line)}{e.charged()}",
    "PlanEditWarned": lambda e: (
        f"The reduction to {e.requested} on {e.effective_on} will fail: {e.assigned} licences are assigned"
    ),
    "PlanCycleChanged": lambda e: (
        f"Changed from {e.cycle_before} to {e.cycle}: a new term to {e.term_end}{e.charged()}"
    ),
    "CapacityResized": lambda e: f"Capacity resized: {e.change()}{e.charged()}",
    "AddOnCancelled": lambda e: f"Line cancelled, until {e.ends_on}",
    "AddOnReinstated": lambda e: "Cancelled line goes on after all",
    "PlanCancelled": lambda e: f"Plan cancelled, until {e.ends_on}: {_spoken(e.reason)}{e.charged()}",
    "PlanReinstated": lambda e: "Plan reinstated",
    "PlanTermAdvanced": lambda e: f"New term from {e.term_start} to {e.term_end}: {_lines(e.lines)}{e.charged()}",
    "PlanEnded": lambda e: f"Plan ended on {e.ended_on}: {_spoken(e.reason)}",
    "PlanLapsed": lambda e: f"Plan lapsed on {e.lapsed_on}: it was not paid",
    "RenewalRequoted": lambda e: f"Next renewal priced anew, by price book version {e.book_version}",
    "LicenceAssigned": lambda e: f"Licence assigned to {e.assignee}",
    "LicenceUnassigned": lambda e: f"Licence taken from {e.assignee}",
    "AccountOpened": lambda e: f"Account opened, in {e.currency} and {e.time_zone}",
    "PersonalDataErased": lambda e: "Personal data of the account erased",
    "BillingContactChanged": lambda e: f"Billing contact changed: {_spoken(e.contact)}",
    "BillingRoleGranted": lambda e: f"{e.subject} became {_spoken(e.role)}",
    "BillingRoleRevoked": lambda e: f"{e.subject} is {_spoken(e.role)} no longer",
    "TaxJurisdictionSet": lambda e: f"Taxed from {e.effective_from} on: {e.taxed()}",
    "PaymentMethodChanged": lambda e: "Payment method changed",
    "AccountHoldPlaced": lambda e: f"Account put on hold: {_spoken(e.hold)}",
    "AccountHoldLifted": lambda e: f"Hold lifted: {_spoken(e.hold)}",
    "HistoryRead": lambda e: _READ[e.way],
    "TaxTermsNoted": lambda e: "Terms of tax noted",
    "BillingTermsNoted": lambda e: "Billing terms noted",
    "DeviceOrderPlaced": lambda e: f"Devices ordered: {_lines(e.contents['lines'])}",
    "DeviceOrderAmended": lambda e: f"Device order amended: {_lines(e.after['lines'])}",
    "DeviceOrderSubmitted": lambda e: f"Device order submitted{e.charged()}",
    "DeviceOrderCancelled": lambda e: "Device order cancelled",
    "ShipmentDispatched": lambda e: f"Parcel of {len(e.units)} dispatched with {e.carrier}, {e.tracking_number}",
    "ShipmentDelivered": lambda e: f"Parcel delivered{e.charged()}",
    "ShipmentLost": lambda e: f"Parcel lost, as the {e.reported_by} says",
    "DeviceLeaseStarted": lambda e: f"Lease of {e.name} {e.serial} started, {e.money(e.monthly_minor)} a month",
    "DeviceReplacementRequested": lambda e: f"Replacement of {e.serial} asked for: {_spoken(e.reason)}",
    "DeviceReplacementSent": lambda e: f"{e.serial} sent to replace {e.replaces}",
    "DeviceReturnRequested": lambda e: f"Return {e.rma} agreed, due on {e.due_on}",
    "DeviceReturned": lambda e: f"{e.serial} returned",
    "DeviceReturnOverdue": lambda e: f"Return overdue since {e.due_on}, fee {e.money(e.fee_minor)}",
    "RenewalScheduled": lambda e: f"{e.cadence.title()} renewal on {e.due_on} will be {e.money(e.amount_minor)}",
    "RenewalQuoteChanged": lambda e: (
        f"{e.cadence.title()} renewal on {e.due_on} will be {e.money(e.amount_minor)}, no longer"
        f" {e.money(e.before_minor)}"
    ),
    "RenewalDue": lambda e: f"{e.cadence.title()} renewal of {e.due_on} is due",
    "RenewalAnswered": lambda e: f"A plan's part in the {e.cadence} renewal of {e.due_on} is known",
    "RenewalCompleted": lambda e: f"{e.cadence.title()} renewal of {e.due_on} completed",
    "RenewalFailed": lambda e: f"Renewal failed on {e.failed_on}: all reminders were in vain",
    "RentalNoted": lambda e: f"{e.name} is charged {e.money(e.monthly_minor)} a month, from {e.started_on}",
    "RentalEnded": lambda e: f"A lease is charged no longer than to {e.ended_on}",
    "RentalsCharged": lambda e: f"A month of {len(e.lease_ids)} leases begins on {e.charged_on}",
    "InvoiceDrafted": lambda e: f"Invoice drafted: {e.invoice()}",
    "InvoiceIssued": lambda e: f"Invoice issued: {e.invoice()}",
    "InvoiceCollected": lambda e: f"Invoice settled by {e.by}",
    "InvoiceCut": lambda e: f"Invoice cut by {e.money(e.cut_minor)} to what was served until {e.served_until}",
    "CreditGranted": lambda e: f"Credit granted: {e.money(e.amount_minor)}",
    "CreditApplied": lambda e: f"Credit used: {e.money(e.amount_minor)}",
    "PaymentSucceeded": lambda e: f"Payment of {e.money(e.amount_minor)} succeeded",
    "PaymentFailed": lambda e: (
        f"Payment of {e.money(e.amount_minor)} failed ({_spoken(e.reason)})"
        + (f"; tried again on {e.next_try_on}" if e.next_try_on else "")
    ),
    "RefundGranted": lambda e: f"Refunded: {e.money(e.amount_minor)}",
    "AccountSuspended": lambda e: "Account suspended: an invoice is unpaid",
    "AccountRestored": lambda e: "Account restored",
}


def _limit(asked: Mapping[str, str]) -> int:
    text = asked.get("limit", str(PAGE))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST):
        raise _malformed("limit", f"a whole number from 1 to {MOST}")
    return int(text)


def _malformed(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "parameter_malformed", "loc": ("query", name), "msg": message}])
