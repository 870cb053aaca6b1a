"""What is known today to be charged in the coming months: renewals, scheduled edits, rents and payments tried again.

Dates count from the plan's anchor (DOMAIN M9). A renewal costs what the owner said of the next one: all that is pending
takes effect by then, so those after it cost the same until somebody changes something or a new book applies.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import takewhile
from typing import Any, Literal

from contracts.leases import MONTHS as LEASED_MONTHS
from contracts.leases import month
from contracts.money import Currency, Minor
from contracts.plan_actions import PlanStatus, standing_on
from contracts.proration import Period, rest
from contracts.terms import MONTHS, Cycle, add_months

from .answers import Answer
from .cards import standing

MOST_MONTHS = 36
Row = dict[str, Any]


class UpcomingCharge(Answer):
    """subject_id: of a bundle, a scheduled edit (change_id), a lease, or an invoice whose payment is tried again.
    amount_minor: before tax and credit; of a payment what is left to pay."""

    due_on: date
    kind: Literal["renewal", "edit", "rent", "payment_retry"]
    subject_id: str
    name: str
    currency: Currency
    amount_minor: Minor


class MonthTotal(Answer):
    """month: such as 2026-03."""

    month: str
    currency: Currency
    amount_minor: Minor


class PlanEnding(Answer):
    """A plan that is not charged again. ends_on: the first day it is not served."""

    bundle_id: str
    name: str
    ends_on: date
    reason: Literal["cancelled", "one_month"]


class UpcomingCharges(Answer):
    """Half-open: from its first day, without `until`."""

    account_id: str
    since: date
    until: date
    charges: list[UpcomingCharge]
    totals: list[MonthTotal]
    endings: list[PlanEnding]


def upcoming(
    account_id: str,
    plans: Iterable[Row],
    leases: Iterable[Row],
    invoices: Iterable[Row],
    today: date,
    months: int,
) -> UpcomingCharges:
    """plans, leases, invoices: rows. What was due before today is left out, charged or not."""
    until = add_months(today, months)
    running = [plan for plan in plans if standing_on(standing(plan), today) is not PlanStatus.ENDED]
    known = [
        *(each for plan in running for each in _renewals(plan, until)),
        *(each for plan in running for each in _edits(plan)),
        *(each for lease in leases for each in _rents(lease)),
        *map(_retry, filter(_tried, invoices)),
    ]
    charges = sorted((each for each in known if today <= each.due_on < until), key=lambda each: each.due_on)
    totals: Counter[tuple[str, Currency]] = Counter()
    for charge in charges:
        totals[charge.due_on.isoformat()[:7], charge.currency] += charge.amount_minor
    return UpcomingCharges(
        account_id=account_id,
        since=today,
        until=until,
        charges=charges,
        totals=[MonthTotal(month=m, currency=c, amount_minor=sum_) for (m, c), sum_ in sorted(totals.items())],
        endings=[ending for plan in running if (ending := _ending(plan)) and ending.ends_on < until],
    )


def _renewals(plan: Row, until: date) -> Iterator[UpcomingCharge]:
    renewal = plan["next_renewal"]
    if renewal is None:
        return
    for due_on in takewhile(lambda day: day < until, _dates(plan, date.fromisoformat(renewal["due_on"]))):
        yield UpcomingCharge(
            due_on=due_on,
            kind="renewal",
            subject_id=plan["bundle_id"],
            name=_name(plan),
            currency=plan["currency"],
            amount_minor=renewal["amount_minor"],
        )


def _edits(plan: Row) -> Iterator[UpcomingCharge]:
    """Those that cost something on their day: the rest of what is more (DOMAIN M4, M6). At the end of the term that is
    nothing, for the renewal has it."""
    term = Period(date.fromisoformat(plan["term_start"]), date.fromisoformat(plan["term_end"]))
    for change in () if plan["cancellation"] else plan["changes"].values():
        before, after, on = change["before"], change["after"], date.fromisoformat(change["effective_on"])
        if before["sku"] == after["sku"]:
            more = rest(after["total_minor"] - before["total_minor"], term, on)
        else:
            more = rest(after["total_minor"], term, on) - rest(before["total_minor"], term, on)
        if more > 0:
            yield UpcomingCharge(
                due_on=on,
                kind="edit",
                subject_id=change["change_id"],
                name=f"{after['name']}, {after['quantity']} instead of {before['quantity']}",
                currency=plan["currency"],
                amount_minor=more,
            )


def _dates(plan: Row, first: date) -> Iterator[date]:
    """From the next renewal on. A cycle change moves the anchor: then dates count from the renewal that is known."""
    every = MONTHS[Cycle(plan["cycle"])]
    anchor = date.fromisoformat(plan["started_on"])
    passed = (first.year - anchor.year) * 12 + first.month - anchor.month
    if passed % every or add_months(anchor, passed) != first:
        anchor, passed = first, 0
    while True:
        yield add_months(anchor, passed)
        passed += every


def _rents(lease: Row) -> Iterator[UpcomingCharge]:
    """Every month but the first, which is charged with the delivery; none of a lease that is over."""
    if lease["status"] != "active":
        return
    for number in range(1, LEASED_MONTHS):
        yield UpcomingCharge(
            due_on=month(date.fromisoformat(lease["started_on"]), number).start,
            kind="rent",
            subject_id=lease["lease_id"],
            name=lease["name"],
            currency=lease["currency"],
            amount_minor=lease["monthly_minor"],
        )


def _tried(invoice: Row) -> bool:
    return invoice["next_try_on"] is not None and invoice["remains_minor"] > 0


def _retry(row: Row) -> UpcomingCharge:
    invoice = row["invoice"]
    return UpcomingCharge(
        due_on=date.fromisoformat(row["next_try_on"]),
        kind="payment_retry",
        subject_id=invoice["invoice_id"],
        name=f"Invoice {invoice['number']}",
        currency=invoice["currency"],
        amount_minor=row["remains_minor"],
    )


def _ending(plan: Row) -> PlanEnding | None:
    facts = standing(plan)
    cancelled = plan["cancellation"] is not None
    if not cancelled and not facts.one_month:
        return None
    reason: Literal["cancelled", "one_month"] = "cancelled" if cancelled else "one_month"
    return PlanEnding(bundle_id=plan["bundle_id"], name=_name(plan), ends_on=facts.ends_on, reason=reason)


def _name(plan: Row) -> str:
    name: str = plan["lines"][plan["base"]]["name"]
    return name
