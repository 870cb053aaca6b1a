"""What the examples keep: by month, licences sold of each product and amounts invoiced to each account."""

import json
import os
from pathlib import Path

from billing_contracts.plans import PlanEdited, PlanStarted
from billing_contracts.reading import Event
from billing_contracts.renewals import InvoiceIssued


class Totals:
    """In one file with the positions they are of, so that after a crash there are both or neither."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        kept = json.loads(self._file.read_text()) if self._file.exists() else {"totals": {}, "positions": {}}
        self._totals, self._positions = kept["totals"], kept["positions"]

    def add(self, topic: str, partition: int, event: Event) -> None:
        place = f"{topic}/{partition}"
        have = self._positions.get(place, 0)
        if event.position <= have:
            return  # delivered again
        if event.prevposition is not None and event.prevposition > have:
            raise LookupError(f"{place}: between {have} and {event.position} something is missing: read it in the feed")
        month = event.metadata.recorded_at[:7]
        match event.body:
            case PlanStarted(line=line):
                self._count(f"{month} {line.sku}", line.quantity)
            case PlanEdited(before=before, after=after):
                self._count(f"{month} {before.sku}", -before.quantity)
                self._count(f"{month} {after.sku}", after.quantity)
            case InvoiceIssued(invoice=invoice):
                self._count(f"{month} {event.account_id} {invoice.currency}", invoice.total_minor)
        self._positions[place] = event.position

    def save(self) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps({"totals": self._totals, "positions": self._positions}))
        os.replace(draft, self._file)

    def _count(self, what: str, more: int) -> None:
        self._totals[what] = self._totals.get(what, 0) + more
