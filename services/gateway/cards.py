"""A product card as its account sees it today: from the row of a bundle to the answer."""

from datetime import date
from functools import lru_cache
from typing import Any

import orjson

from contracts.plan_actions import (
    Hold,
    LineKind,
    LineStanding,
    PlanAction,
    PlanStanding,
    PlanStatus,
    allowed_actions,
    standing_on,
)
from contracts.pricing import Price
from contracts.terms import Cycle

from .answers import (
    Cancellation,
    CardLine,
    Licences,
    Offered,
    PendingChange,
    Permission,
    ProductCard,
    Renewal,
    Term,
)

CACHED = 4096  # rows and cards of a few KB each

Row = dict[str, Any]


@lru_cache(CACHED)
def opened(row: bytes) -> Row:
    """The members of a row; nobody may change them."""
    members: Row = orjson.loads(row)
    return members


@lru_cache(CACHED)
def rendered(row: bytes, today: date, privileges: frozenset[str], holds: frozenset[Hold]) -> bytes:
    """The JSON of `card`. A card is asked for more often than its plan changes."""
    return card(opened(row), today, privileges, holds).model_dump_json().encode()


def holds_of(account: Row) -> frozenset[Hold]:
    return frozenset(Hold(each["hold"]) for each in account["holds"])


def standing(row: Row, holds: frozenset[Hold] = frozenset()) -> PlanStanding:
    """The facts that decide what may be done with the bundle, as the decider of plans has them too (DOMAIN B18)."""
    cancelled = PlanStatus.CANCEL_SCHEDULED if row["cancellation"] else PlanStatus.ACTIVE
    return PlanStanding(
        status=PlanStatus.ENDED if row["ended_on"] else cancelled,
        one_month=row["cycle"] == Cycle.ONE_MONTH,
        ends_on=date.fromisoformat(row["cancellation"]["ends_on"] if row["cancellation"] else row["term_end"]),
        licences=row["lines"][row["base"]]["quantity"],
        assigned=row["assigned"],
        lines={line_id: _line_standing(row, line_id) for line_id in row["lines"]},
        refunded=bool(row["cancellation"] and row["cancellation"]["refund_requested"]),
        holds=holds,
    )


def _line_standing(row: Row, line_id: str) -> LineStanding:
    kind = LineKind(row["lines"][line_id]["kind"])
    ending = line_id in row["ends"] and line_id != row["base"]  # the base ends as the plan
    return LineStanding(kind, ending=ending, pending=line_id in row["changes"])


def card(row: Row, today: date, privileges: frozenset[str], holds: frozenset[Hold] = frozenset()) -> ProductCard:
    """today: in the plan's time zone. privileges: the caller's in this account. holds: the account's."""
    base = row["lines"][row["base"]]
    facts = standing(row, holds)
    return ProductCard(
        bundle_id=row["bundle_id"],
        name=base["name"],
        sku=base["sku"],
        family=row["family"],
        status=standing_on(facts, today),
        licences=Licences(
            total=facts.licences, assigned=facts.assigned, available=max(0, facts.licences - facts.assigned)
        ),
        cycle=row["cycle"],
        currency=row["currency"],
        time_zone=row["time_zone"],
        term=Term(start=row["term_start"], end=row["term_end"]),
        next_renewal=row["next_renewal"] and Renewal(**row["next_renewal"]),
        pending_changes=[
            _pending(line_id, change, facts.assigned if line_id == row["base"] else 0)
            for line_id, change in row["changes"].items()
        ],
        cancellation=row["cancellation"] and Cancellation(**row["cancellation"]),
        lines=[
            _line(line, row["ends"].get(line_id), _permissions(facts, today, privileges, line_id))
            for line_id, line in row["lines"].items()
        ],
        allowed_actions=_permissions(facts, today, privileges),
        started_on=row["started_on"],
        started_event_id=row["started_event_id"],
        last_event_id=row["last_event_id"],
        revision=row["revision"],
    )


def _permissions(
    facts: PlanStanding, today: date, privileges: frozenset[str], line_id: str | None = None
) -> dict[PlanAction, Permission]:
    codes = allowed_actions(facts, today, privileges, line_id)
    return {action: Permission.of(code) for action, code in codes.items()}


def _line(line: Row, ends_on: str | None, actions: dict[PlanAction, Permission]) -> CardLine:
    unit_minor = _price(line).unit_minor(line["quantity"])
    shown = {**line, "price": _price(line), "unit_minor": unit_minor, "ends_on": ends_on}
    return CardLine.model_validate({**shown, "allowed_actions": actions})


def _pending(line_id: str, change: Row, assigned: int) -> PendingChange:
    """assigned: licences of the line that somebody has."""
    before, after = _offered(change["before"]), _offered(change["after"])
    return PendingChange(
        change_id=change["change_id"],
        line_id=line_id,
        direction=change["direction"],
        effective_on=change["effective_on"],
        before=before,
        after=after,
        at_risk=assigned > after.quantity,
        banner=f"{before.quantity} × {before.name} → {after.quantity} × {after.name} from {change['effective_on']}",
    )


def _offered(line: Row) -> Offered:
    unit_minor = _price(line).unit_minor(line["quantity"])
    kept = {name: line[name] for name in ("sku", "name", "quantity", "total_minor", "book_version")}
    return Offered(**kept, unit_minor=unit_minor)


def _price(line: Row) -> Price:
    return Price.model_validate(line["price"], strict=False)
