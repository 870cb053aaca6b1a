"""One account's invoices, followed from draft to collection in the order of the log of renewals. Pure.

Whatever is not as it must be is told in a sentence that names the event (DOMAIN M7, M10, B15, B16).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .recount_sums import Doc, owed_when_cut, wrong_sum


@dataclass(slots=True)
class Bill:
    """An invoice and what is still to come of it. drafted: the event. apply: credits to be used, the oldest first."""

    doc: Doc
    drafted: str
    remains: int
    grant: int
    refund: int
    apply: list[tuple[str, int]]
    issued: bool = False
    cut: bool = False

    def still_to_come(self) -> Iterator[str]:
        """What may be on its way, and is missing when it does not come."""
        name = called(self.doc)
        if not self.issued:
            yield f"{name} was never issued, {self.drafted}"
        if self.apply:
            yield f"{name}: {self.apply[0][1]} of credit {self.apply[0][0]} was to be used and is not, {self.drafted}"
        if self.grant:
            yield f"{name}: a credit of {self.grant} was never granted, {self.drafted}"
        if self.refund:
            yield f"{name}: {self.refund} was never refunded, {self.drafted}"


@dataclass(slots=True)
class Bills:
    """number: of the last invoice. open: not collected. credits: what is left of each, the oldest first."""

    number: int = 0
    open: dict[str, Bill] = field(default_factory=dict)
    credits: dict[str, int] = field(default_factory=dict)

    def left_to_pay(self) -> int:
        return sum(bill.remains for bill in self.open.values())

    def draft(self, doc: Doc, event: str) -> Iterator[str]:
        name, total = called(doc), doc["total_minor"]
        if doc["number"] != self.number + 1:
            yield f"{name} follows number {self.number}, {event}"
        self.number = doc["number"]
        if doc["invoice_id"] in self.open:
            yield f"{name} is drafted twice, {event}"
            return
        if wrong := wrong_sum(doc):
            yield f"{name}: {wrong}, {event}"
        apply = self._oldest_first(total)
        if doc["credit_minor"] != sum(minor for _, minor in apply):
            yield f"{name} uses {doc['credit_minor']} of a credit of {sum(self.credits.values())}, {event}"
        back = max(0, -total)
        grant, refund = (0, back) if doc["refund"] else (back, 0)
        self.open[doc["invoice_id"]] = Bill(doc, event, doc["due_minor"], grant, refund, apply)

    def issue(self, doc: Doc, event: str) -> Iterator[str]:
        bill = self.open.get(doc["invoice_id"])
        if bill is None or bill.issued or bill.doc != doc:
            yield f"{called(doc)} is issued twice, or not as it was drafted, {event}"
        else:
            bill.issued = True

    def grant(self, credit_id: str, minor: int, event: str) -> Iterator[str]:
        bill = self.open.get(credit_id)
        if bill is None or bill.grant != minor:
            yield f"a credit of {minor} that no invoice grants, or that was granted already, {event}"
        else:
            bill.grant = 0
        self.credits[credit_id] = self.credits.get(credit_id, 0) + minor

    def apply(self, invoice_id: str, credit_id: str, minor: int, event: str) -> Iterator[str]:
        bill = self.open.get(invoice_id)
        if bill is None or (credit_id, minor) not in bill.apply[:1]:
            yield f"{minor} of credit {credit_id} was not to be used for invoice {invoice_id} now, {event}"
        else:
            bill.apply.pop(0)
        left = self.credits.pop(credit_id, 0) - minor
        if left < 0:
            yield f"credit {credit_id} is overdrawn by {-left}, {event}"
        elif left:
            self.credits = {credit_id: left, **self.credits}  # it was the oldest, and stays it

    def pay(self, invoice_id: str, minor: int, event: str) -> Iterator[str]:
        bill = self.open.get(invoice_id)
        remains = bill.remains if bill else 0
        if minor != remains or not remains:
            yield f"{minor} was paid of invoice {invoice_id} where {remains} was left to pay, {event}"
        if bill:
            bill.remains -= minor

    def cut(self, invoice_id: str, until: str, cut_minor: int, remains_minor: int, event: str) -> Iterator[str]:
        bill = self.open.get(invoice_id)
        if bill is None or bill.cut:
            yield f"invoice {invoice_id} is cut though it is not open, or is cut already, {event}"
            return
        owed = min(bill.remains, owed_when_cut(bill.doc, until))
        if (cut_minor, remains_minor) != (bill.remains - owed, owed):
            worth = f"the days served until {until} are worth {owed}"
            yield f"{called(bill.doc)} is cut to {remains_minor}, {worth}, {event}"
        bill.cut, bill.remains = True, bill.remains - cut_minor

    def refund(self, invoice_id: str, minor: int, event: str) -> Iterator[str]:
        bill = self.open.get(invoice_id)
        if bill is None or bill.refund != minor:
            yield f"{minor} is refunded for invoice {invoice_id} where {bill.refund if bill else 0} was due, {event}"
        else:
            bill.refund = 0

    def collect(self, invoice_id: str, event: str) -> Iterator[str]:
        """It is forgotten: what is kept does not grow with the log."""
        bill = self.open.pop(invoice_id, None)
        if bill is None:
            yield f"invoice {invoice_id} is collected though it is not open, {event}"
            return
        if bill.remains:
            yield f"{called(bill.doc)} is collected with {bill.remains} left to pay, {event}"
        yield from bill.still_to_come()

    def still_to_come(self) -> Iterator[str]:
        for bill in self.open.values():
            yield from bill.still_to_come()

    def _oldest_first(self, total: int) -> list[tuple[str, int]]:
        """What an invoice takes from which credits (DOMAIN M7)."""
        taken: list[tuple[str, int]] = []
        for credit_id, minor in self.credits.items():
            if total <= 0:
                break
            taken.append((credit_id, min(minor, total)))
            total -= taken[-1][1]
        return taken


def called(doc: Doc) -> str:
    return f"invoice number {doc['number']} ({doc['invoice_id']})"
