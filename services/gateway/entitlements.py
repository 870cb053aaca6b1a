"""What an account may use today: what a product asks before it lets somebody in.

A hold keeps an account from changing what it buys, not from using what it has (DOMAIN B5): holds are named, and nothing
is taken away for them. What is over by its own date, ended or lapsed is left out, recorded as such or not.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from contracts.plan_actions import Hold, PlanStatus, standing_on
from contracts.plans import ProductKind

from .answers import Answer, Licences
from .cards import standing

Row = dict[str, Any]


class Entitlement(Answer):
    """A product that may be used. includes: what comes with it. until: the first day it may not be used any more; None
    while it goes on by itself. licences: of the base of a plan only."""

    bundle_id: str
    line_id: str
    sku: str
    name: str
    kind: ProductKind
    quantity: int
    includes: list[str]
    licences: Licences | None
    until: date | None


class Entitlements(Answer):
    """on: the day it is said for, in the account's time zone. subject: the person it is about; null: the account."""

    account_id: str
    subject: str | None
    on: date
    holds: list[Hold]
    entitlements: list[Entitlement]


def entitlements(
    account_id: str,
    subject: str | None,
    plans: Iterable[Row],
    book: Row | None,
    holds: frozenset[Hold],
    today: date,
) -> Entitlements:
    """plans: rows of product cards, of the plans the subject has a licence of. book: the row of the catalogue."""
    included = {
        (version["book_version"], product["sku"]): product["includes"]
        for version in (book["versions"] if book else ())
        for product in version["products"]
    }
    found = [each for plan in plans for each in _of_plan(plan, included, today)]
    return Entitlements(account_id=account_id, subject=subject, on=today, holds=sorted(holds), entitlements=found)


def _of_plan(plan: Row, included: dict[tuple[int, str], list[str]], today: date) -> list[Entitlement]:
    facts = standing(plan)
    status = standing_on(facts, today)
    if status is PlanStatus.ENDED:
        return []
    over = facts.ends_on if facts.one_month or status is PlanStatus.CANCEL_SCHEDULED else None
    available = max(0, facts.licences - facts.assigned)
    found = []
    for line_id, line in plan["lines"].items():
        ends = plan["ends"].get(line_id)
        until = date.fromisoformat(ends) if ends else over
        if until is None or today < until:
            of_base = line_id == plan["base"]
            licences = Licences(total=facts.licences, assigned=facts.assigned, available=available)
            found.append(
                Entitlement(
                    bundle_id=plan["bundle_id"],
                    line_id=line_id,
                    sku=line["sku"],
                    name=line["name"],
                    kind=ProductKind(line["kind"]),
                    quantity=line["quantity"],
                    includes=included.get((line["book_version"], line["sku"]), []),
                    licences=licences if of_base else None,
                    until=until,
                )
            )
    return found
