"""Why the amounts of a read are what they are: `GET …/why?of=` the read's path below the account's address."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.topics import Owner

from . import explaining, invoices, summaries
from .account_reads import charged, months_in
from .answers import AmountPart, ExplainedAmount, Explanation, SourceEvent
from .cards import card, opened
from .explaining import Why
from .history import said
from .projections import history, invoice, plan_summary, product_card
from .reads import Asked, admitted, as_response, cadence_in, unless_known
from .upcoming import upcoming

MOST_BEFORE = 300  # events before an invoice among which those it was issued for are looked for

Row = dict[str, Any]
Explaining = Callable[[Asked, Request, str], Awaitable[list[Why]]]


async def read_why(request: Request) -> Response:
    """of: product-cards, product-cards/{bundle_id}, plan-summary, plan-summary/breakdown (with cadence),
    upcoming-charges (with months) or invoices/{invoice_id}; for those who may read it."""
    of = request.query_params.get("of", "")
    explain, subject = _reading(of)
    privilege = Privilege.INFORMATION_READ if explain is _invoice else Privilege.SUBSCRIPTION_READ
    asked = await admitted(request, of_renewals=True, privilege=privilege)
    found = await explain(asked, request, subject)
    events = await _events(asked, {place for why in found for place in why.places})
    amounts = [_explained(why, events) for why in found]
    return unless_known(request, as_response(Explanation(account_id=asked.account_id, of=of, amounts=amounts)))


async def _cards(asked: Asked, request: Request, subject: str) -> list[Why]:
    rows = [opened(row) for row in await asked.reads.store.rows_of(product_card.TABLE, asked.account_id)]
    return [why for index, row in enumerate(rows) for why in await _of_card(asked, row, f"/cards/{index}")]


async def _card(asked: Asked, request: Request, subject: str) -> list[Why]:
    return await _of_card(asked, opened(await asked.own(product_card.TABLE, subject, "plan_not_found")))


async def _of_card(asked: Asked, row: Row, at: str = "") -> list[Why]:
    told = await _event(asked, row["renewal_from"])
    return list(explaining.of_card(card(row, asked.today, asked.privileges), row, told, at))


async def _summary(asked: Asked, request: Request, subject: str) -> list[Why]:
    row = await _summary_row(asked)
    return list(explaining.of_summary(summaries.summary(asked.account_id, row), row))


async def _breakdown(asked: Asked, request: Request, subject: str) -> list[Why]:
    row = await _summary_row(asked)
    return list(explaining.of_breakdown(summaries.breakdown(asked.account_id, row, cadence_in(request)), row))


async def _summary_row(asked: Asked) -> Row | None:
    row = await asked.reads.store.row(plan_summary.TABLE, asked.account_id)
    return None if row is None else opened(row)


async def _upcoming(asked: Asked, request: Request, subject: str) -> list[Why]:
    plans, leases, bills = await charged(asked)
    charges = upcoming(asked.account_id, plans, leases, bills, asked.today, months_in(request))
    places = {("renewal", plan["bundle_id"]): plan["renewal_from"] for plan in plans}
    places |= {("edit", each["change_id"]): each["from"] for plan in plans for each in plan["changes"].values()}
    places |= {("rent", lease["lease_id"]): lease["from"] for lease in leases}
    places |= {("payment_retry", bill["invoice"]["invoice_id"]): bill["remains_from"] for bill in bills}
    return list(explaining.of_upcoming(charges, places))


async def _invoice(asked: Asked, request: Request, subject: str) -> list[Why]:
    row = opened(await asked.own(invoice.TABLE, subject, "invoice_not_found"))
    shown = invoices.view(row, asked.privileges)
    return list(explaining.of_invoice(shown, row, await _causes(asked, row)))


async def _causes(asked: Asked, row: Row) -> dict[str, str]:
    """The events an invoice was issued for, the stream by the place, the first one first: those its event was caused
    by, and of a renewal what each plan answered, as far as they lie close before it."""
    mine, issued = history.prefix(asked.account_id), await _event(asked, row["from"])
    wanted = {row["invoice"]["cause_id"], *([issued["causation_id"]] if issued else ())}
    found: dict[str, str] = {}
    for key, entry in await asked.reads.store.page(history.TABLE, mine, f"{mine}{row['from']}", MOST_BEFORE):
        event = opened(entry)
        if event["event_id"] in wanted or _answers(event, row["invoice"]):
            wanted.add(event["causation_id"])
            found[key.removeprefix(mine)] = event["stream"]
    return dict(reversed(found.items()))


def _answers(event: Row, of: Row) -> bool:
    """Whether it is a plan's part in the renewal that an invoice is for."""
    if event["type"] != "renewals.RenewalAnswered":
        return False
    return (event["data"]["cadence"], event["data"]["due_on"]) == (of["cadence"], of["issued_on"])


READS: tuple[tuple[re.Pattern[str], Explaining], ...] = (
    (re.compile("product-cards"), _cards),
    (re.compile("product-cards/([^/]+)"), _card),
    (re.compile("plan-summary"), _summary),
    (re.compile("plan-summary/breakdown"), _breakdown),
    (re.compile("upcoming-charges"), _upcoming),
    (re.compile("invoices/([^/]+)"), _invoice),
)


def _reading(of: str) -> tuple[Explaining, str]:
    for pattern, explain in READS:
        if found := pattern.fullmatch(of):
            return explain, found[1] if pattern.groups else ""
    message = "product-cards, plan-summary, plan-summary/breakdown, upcoming-charges, or one card or invoice"
    raise RequestValidationError([{"type": "parameter_malformed", "loc": ("query", "of"), "msg": message}])


async def _events(asked: Asked, places: Iterable[str]) -> dict[str, SourceEvent]:
    """By place; without those the history does not hold."""
    wanted, currency = list(places), Currency(opened(asked.account)["currency"])
    events = await asyncio.gather(*(_event(asked, place) for place in wanted))
    return {place: _source(event, place, currency) for place, event in zip(wanted, events, strict=True) if event}


async def _event(asked: Asked, place: str) -> Row | None:
    row = await asked.reads.store.row(history.TABLE, f"{history.prefix(asked.account_id)}{place}")
    return None if row is None else opened(row)


def _source(event: Row, place: str, currency: Currency) -> SourceEvent:
    kept = ("event_id", "type", "recorded_at", "stream", "revision")
    owner = Owner(event["type"].partition(".")[0])
    # A character after the place: the history is read from before what it is given.
    members = {name: event[name] for name in kept} | {"history": f"{place}~"}
    return SourceEvent.model_validate({**members, "owner": owner, "said": said(event, currency)}, strict=False)


def _explained(why: Why, events: dict[str, SourceEvent]) -> ExplainedAmount:
    return ExplainedAmount(
        at=why.at,
        amount_minor=why.amount_minor,
        currency=why.currency,
        formula=why.formula,
        parts=[AmountPart(label=part.label, amount_minor=part.amount_minor) for part in why.parts],
        events=[events[place] for place in why.places if place in events],
    )
