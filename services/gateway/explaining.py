"""Why an amount is what it is: the numbers it was computed from, and where the events lie that said them. Pure.

Nothing is priced here: what an event says it was computed from is shown again (DOMAIN M4, M5, M8, M10). Places are
those of the history; amounts are named by where they stand in the answer that shows them (a JSON Pointer, RFC 6901).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from contracts.money import Currency, format_minor
from contracts.plans import MoneyLine
from contracts.pricing import Price
from contracts.proration import earned
from contracts.terms import Cycle

from .answers import Breakdown, CadenceSummary, InvoiceView, PlanSummary, ProductCard
from .upcoming import UpcomingCharges

Row = dict[str, Any]

_CHARGED = {
    "renewal": "what its next term costs, with all that is scheduled until then",
    "edit": "what is more from that day on, for the days that are left of the term",
    "rent": "the rent of one month",
    "payment_retry": "what is left to pay",
}


class Part(NamedTuple):
    """Of a sum."""

    label: str
    amount_minor: int


class Why(NamedTuple):
    """at: the amount's pointer. formula: in words and numbers. parts: what it is the sum of. places: of its events."""

    at: str
    amount_minor: int
    currency: Currency
    formula: str
    parts: tuple[Part, ...]
    places: tuple[str, ...]


def of_card(card: ProductCard, row: Row, renewing: Row | None, at: str = "") -> Iterator[Why]:
    """Its lines, its pending changes and its next renewal. row: of the card. renewing: the event that told the latter,
    if it is known."""
    for index, line in enumerate(card.lines):
        formula = _for_a_term(line.quantity, line.price, card.currency)
        said = f"{formula}, by price book version {line.book_version}"
        place = row["lines_from"][line.line_id]
        yield Why(f"{at}/lines/{index}/total_minor", line.total_minor, card.currency, said, (), (place,))
    for index, change in enumerate(card.pending_changes):
        scheduled = row["changes"][change.line_id]
        for side, offered in (("before", change.before), ("after", change.after)):
            price = Price.model_validate(scheduled[side]["price"], strict=False)
            formula = _for_a_term(offered.quantity, price, card.currency)
            pointer = f"{at}/pending_changes/{index}/{side}/total_minor"
            yield Why(pointer, offered.total_minor, card.currency, formula, (), (scheduled["from"],))
    if card.next_renewal:
        amount = card.next_renewal.amount_minor
        formula = "what its lines will cost for the next term, with all that is scheduled until then"
        pointer = f"{at}/next_renewal/amount_minor"
        lines = renewing["data"]["next_renewal"]["lines"] if renewing else ()
        parts = tuple(Part(f"{line['quantity']} × {line['name']}", line["amount_minor"]) for line in lines)
        yield Why(pointer, amount, card.currency, formula, parts, (row["renewal_from"],))


def of_summary(summary: PlanSummary, row: Row | None) -> Iterator[Why]:
    """row: of the summary."""
    for cadence, shown in ((Cycle.MONTHLY, summary.monthly), (Cycle.ANNUAL, summary.annual)):
        for at, renewal in _renewals(shown, cadence):
            shares = _shares(row, cadence, renewal.due_on.isoformat())
            parts = tuple(Part(_names(share), share["amount_minor"]) for share in shares)
            formula = "the sum of what its plans will cost for their next term"
            places = tuple(share["from"] for share in shares)
            yield Why(at, renewal.amount_minor, renewal.currency, formula, parts, places)


def of_breakdown(breakdown: Breakdown, row: Row | None) -> Iterator[Why]:
    """row: of the summary."""
    for index, renewal in enumerate(breakdown.renewals):
        shares = _shares(row, breakdown.cadence, renewal.due_on.isoformat())
        place = {share["bundle_id"]: share["from"] for share in shares}
        for number, line in enumerate(renewal.lines):
            formula = f"{line.licences} × {_each(line.unit_minor, renewal.currency)}"
            pointer, of = f"/renewals/{index}/lines/{number}/amount_minor", (place[line.bundle_id],)
            yield Why(pointer, line.amount_minor, renewal.currency, formula, (), of)
        parts = tuple(Part(line.product, line.amount_minor) for line in renewal.lines)
        pointer, places = f"/renewals/{index}/amount_minor", tuple(place.values())
        yield Why(pointer, renewal.amount_minor, renewal.currency, "the sum of its lines", parts, places)


def of_invoice(invoice: InvoiceView, row: Row, causes: Mapping[str, str]) -> Iterator[Why]:
    """row: of the invoice. causes: of the events it was issued for, the stream by the place."""
    places = (*causes, row["from"])
    for index, line in enumerate(invoice.lines):
        formula, parts = _prorated(line, invoice.currency)
        own = tuple(place for place, stream in causes.items() if stream == f"plan-{line.bundle_id}") or tuple(causes)
        pointer, of = f"/lines/{index}/amount_minor", (*own, row["from"])
        yield Why(pointer, line.amount_minor, invoice.currency, formula, parts, of)
    lines = tuple(Part(line.name, line.amount_minor) for line in invoice.lines)
    yield Why("/net_minor", invoice.net_minor, invoice.currency, "the sum of its lines", lines, places)
    for index, tax in enumerate(invoice.taxes):
        net = format_minor(tax.net_minor, invoice.currency)
        exempt = f", exempt by {tax.exemption}" if tax.exemption else ""
        formula = f"{tax.rate_bp / 100:g}% of {net}, the net amount of its code, rounded once{exempt}"
        yield Why(f"/taxes/{index}/tax_minor", tax.tax_minor, invoice.currency, formula, (), places)
    total = (Part("Net", invoice.net_minor), *(Part("Tax", tax.tax_minor) for tax in invoice.taxes))
    yield Why("/total_minor", invoice.total_minor, invoice.currency, "net and tax", total, places)
    yield _due(invoice, places)
    yield _remaining(invoice, (row["from"], row["remains_from"]))


def of_upcoming(charges: UpcomingCharges, places: Mapping[tuple[str, str], str]) -> Iterator[Why]:
    """places: by kind and subject_id of a charge."""
    for index, charge in enumerate(charges.charges):
        at, formula = f"/charges/{index}/amount_minor", _CHARGED[charge.kind]
        place = places[charge.kind, charge.subject_id]
        yield Why(at, charge.amount_minor, charge.currency, f"{charge.name}: {formula}", (), (place,))
    for index, total in enumerate(charges.totals):
        month = [
            each
            for each in charges.charges
            if (each.due_on.isoformat()[:7], each.currency) == (total.month, total.currency)
        ]
        parts = tuple(Part(each.name, each.amount_minor) for each in month)
        of = tuple(dict.fromkeys(places[each.kind, each.subject_id] for each in month))
        yield Why(
            f"/totals/{index}/amount_minor", total.amount_minor, total.currency, "the charges of the month", parts, of
        )


def _due(invoice: InvoiceView, places: tuple[str, ...]) -> Why:
    parts = [Part("Total", invoice.total_minor), *_unless_nothing("Credit used", -invoice.credit_minor)]
    formula = "the total less the credit that was used"
    if invoice.total_minor < 0:  # nothing is due of a credit note
        formula = "nothing: it is given back, or kept as credit"
        parts.append(Part("Given back or kept", -invoice.total_minor))
    return Why("/due_minor", invoice.due_minor, invoice.currency, formula, tuple(parts), places)


def _remaining(invoice: InvoiceView, places: tuple[str, ...]) -> Why:
    paid = [Part("Paid", -each.amount_minor) for each in invoice.payments if each.outcome == "succeeded"]
    parts = (Part("Due", invoice.due_minor), *paid, *_unless_nothing("Never served", -invoice.cut_minor))
    formula = "what was due less what was paid or never served"
    return Why("/remains_minor", invoice.remains_minor, invoice.currency, formula, parts, tuple(dict.fromkeys(places)))


def _prorated(line: MoneyLine, currency: Currency) -> tuple[str, tuple[Part, ...]]:
    """The rest of a whole after days that were served (DOMAIN M4); of a credit no more than was charged (M8)."""
    sign = 1 if line.part == "charge" else -1
    full, served = sign * line.full_minor, sign * earned(line.full_minor, line.days_served, line.days)
    rest = full - served
    parts = [
        Part(f"{line.period_start} to {line.period_end}, {line.days} days", full),
        *_unless_nothing(f"{line.days_served} days before", -served),
        *_unless_nothing("Never charged, so not given back", line.amount_minor - rest),
    ]
    of = format_minor(line.full_minor, currency)
    if not line.days_served:
        return f"{of} for the whole period", tuple(parts)
    return f"{of} less {line.days_served} of {line.days} days, rounded half up", tuple(parts)


def _for_a_term(quantity: int, price: Price, currency: Currency) -> str:
    """`12 × 219.90 USD`; of graduated tiers `10 × 10.00 USD + 4 × 8.00 USD`."""
    if (unit := price.unit_minor(quantity)) is not None:
        return f"{quantity} × {format_minor(unit, currency)}"
    taken, parts = 0, []
    for tier in price.tiers:
        upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if upper > taken:
            parts.append(f"{upper - taken} × {format_minor(tier.unit_minor, currency)}")
            taken = upper
    return " + ".join(parts)


def _each(unit_minor: int | None, currency: Currency) -> str:
    return "its tiers" if unit_minor is None else format_minor(unit_minor, currency)


def _renewals(shown: CadenceSummary, cadence: Cycle) -> Iterator[tuple[str, Any]]:
    if shown.next:
        yield f"/{cadence}/next/amount_minor", shown.next
    for index, renewal in enumerate(shown.later):
        yield f"/{cadence}/later/{index}/amount_minor", renewal


def _shares(row: Row | None, cadence: Cycle, due_on: str) -> list[Row]:
    shares: list[Row] = row["upcoming"][cadence][due_on]["bundles"] if row else []
    return shares


def _names(share: Row) -> str:
    return ", ".join(f"{line['quantity']} × {line['name']}" for line in share["lines"])


def _unless_nothing(label: str, amount_minor: int) -> list[Part]:
    return [Part(label, amount_minor)] if amount_minor else []
