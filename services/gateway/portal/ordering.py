"""Placing an order: a quote for what the form says, then the command with that quote's token and nothing else.

The form is sent by GET and answers with its quote, with or without JavaScript; Place Order posts the very wish that was
quoted. A quote that has gone stale comes back as the new one, with what changed meanwhile.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from starlette.responses import Response

from contracts.plan_actions import Privilege

from .api import Members, Problem
from .visits import Visit

AGAIN = ("quote_stale", "quote_expired", "revision_stale")


@dataclass(frozen=True, slots=True)
class Order:
    """command: of the API, and its quote is `quote_` + its name. ids: of the address. fields: the template of what can
    be chosen. card: of the plan it changes. back: path of the page to go to afterwards."""

    command: str
    title: str
    button: str
    fields: str
    wish: Members
    back: str
    ids: Mapping[str, str] = field(default_factory=dict)
    card: Members | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)

    def seen(self) -> dict[str, str]:
        """Facts that a conflict is told by."""
        return facts_of(self.card) if self.card else {}


async def offer(visit: Visit, order: Order) -> Response:
    """The page with the quote for order.wish, or with what stands against it."""
    quote, problem = await quoted(visit, order.command, order.wish, order.ids)
    return _page(visit, order, quote, problem, 200)


async def place(visit: Visit, order: Order) -> Response:
    """Carries out what was quoted. order.wish: what the page would offer now; the form's own wish is what counts."""
    wish, seen, now = _told(visit.form.get("wish")), _told(visit.form.get("seen")), order.seen()
    body = {**wish, "quote_token": visit.form.get("quote_token", "")}
    try:
        answer = await visit.api.command(order.command, body, key=visit.form.get("key"), **order.ids)
    except Problem as problem:
        again = replace(order, wish=wish)
        changed = [(name, seen.get(name, "—"), fact) for name, fact in now.items() if seen.get(name) != fact]
        changed += [(name, then, "—") for name, then in seen.items() if name not in now]
        events = await _meanwhile(visit, order, visit.form.get("revision", ""))
        stale = {"title": problem.document["title"], "changed": changed, "events": events}
        if problem.code not in AGAIN:
            status = int(problem.document["status"])
            return _page(visit, again, None, problem.document, status, stale if seen and changed else None)
        quote, trouble = problem.document.get("quote"), None
        if quote is None:
            quote, trouble = await quoted(visit, order.command, wish, order.ids)
        return _page(visit, again, quote, trouble, 409, stale)
    return visit.go(order.back, done=order.command, at=answer["position"])


async def quoted(
    visit: Visit, command: str, wish: Members, ids: Mapping[str, str]
) -> tuple[Members | None, Members | None]:
    """The quote, or the problem that stands against it."""
    try:
        return await visit.api.command(f"quote_{command}", wish, **ids), None
    except Problem as problem:
        return None, problem.document


def whole(text: str) -> int | str:
    """A quantity as a number where it is one; what is none is for the owner to refuse."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def facts_of(card: Members) -> dict[str, str]:
    """What a person would notice if somebody else changed the plan."""
    facts = {line["name"]: f"{line['quantity']}" for line in card["lines"]}
    facts["Scheduled change"] = "; ".join(change["banner"] for change in card["pending_changes"]) or "none"
    facts["Status"] = str(card["status"]).replace("_", " ")
    facts["Renews every"] = {"monthly": "month", "annual": "year"}.get(card["cycle"], "never")
    return facts


async def _meanwhile(visit: Visit, order: Order, revision: str) -> list[Members]:
    """What happened to the plan since a revision, and who did it, for those who may know; the oldest first."""
    bundle = order.ids.get("bundle_id")
    if bundle is None or not revision.isdigit() or Privilege.AUDIT_READ not in visit.held():
        return []
    entries = (await visit.api.read("/history"))["entries"]
    of_plan = [each for each in reversed(entries) if each["stream"] == f"plan-{bundle}"]
    return [each for each in of_plan if each["revision"] > int(revision)]


def _told(text: str | None) -> Members:
    try:
        members = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return members if isinstance(members, dict) else {}


def _page(
    visit: Visit,
    order: Order,
    quote: Members | None,
    problem: Members | None,
    status: int,
    stale: Members | None = None,
) -> Response:
    return visit.page(
        "order.html",
        status,
        title=order.title,
        here="plan-management",
        order=order,
        quote=quote,
        problem=problem,
        stale=stale,
        wish=orjson.dumps(order.wish).decode(),
        seen=orjson.dumps(order.seen()).decode(),
        card=order.card,
        key=uuid.uuid4().hex,
        **order.shown,
    )
