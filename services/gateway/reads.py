"""The reads: who may see what, and answers that are rendered once and kept as long as their rows stay the same."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from contracts.plan_actions import Hold, Privilege
from contracts.problems import Refused
from contracts.terms import Cycle
from contracts.topics import Owner
from services.chassis import http
from services.chassis.clock import Clock, today
from services.chassis.problems import problem_response

from . import invoices, summaries
from .as_of import PARAMETER, parsed
from .cards import holds_of, opened, rendered
from .for_sale import BOOK, for_sale
from .past import Pasts
from .projections import account, catalogue, invoice, plan_summary, product_card
from .read_store import Readable
from .waiting import Waiter, wanted

KEPT = 1024  # answers
FEW = 20  # cards in an answer that is kept; longer ones are put together again from kept cards
log = structlog.get_logger(__name__)

CADENCES = (Cycle.MONTHLY, Cycle.ANNUAL)

PAST = "billing.past"  # in a request's scope: the Past it is answered from

# Fit for one caller only, and never without asking again.
CACHING = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


@dataclass(frozen=True, slots=True)
class Reads:
    store: Readable
    waiter: Waiter
    clock: Clock
    pasts: Pasts


@dataclass(frozen=True, slots=True)
class Asked:
    """A read that may be answered. reads: as they are, or were. account: its row. today: in the account's time zone."""

    reads: Reads
    account_id: str
    account: bytes
    privileges: frozenset[str]
    today: date

    def holds(self) -> frozenset[Hold]:
        return holds_of(opened(self.account))

    async def own(self, table: str, key: str, absent: str) -> bytes:
        """A row of the account's; another account's is as one that is not there. Raises Refused `absent`."""
        row = await self.reads.store.row(table, key)
        if row is None or opened(row)["account_id"] != self.account_id:
            raise Refused(absent)
        return row


async def read_product_cards(request: Request) -> Response:
    asked = await admitted(request)
    rows = tuple(await asked.reads.store.rows_of(product_card.TABLE, asked.account_id))
    answer = _cards if len(rows) <= FEW else _cards.__wrapped__
    return unless_known(request, answer(asked.account_id, rows, asked.today, asked.privileges, asked.holds()))


async def read_product_card(request: Request) -> Response:
    asked = await admitted(request)
    row = await asked.own(product_card.TABLE, request.path_params["bundle_id"], "plan_not_found")
    # Its tag is the revision, which commands need. The day and the account's holds change what it shows as well, so a
    # known tag does not mean a known card: it is always sent whole.
    return _card(row, asked.today, asked.privileges, asked.holds())


async def read_plan_summary(request: Request) -> Response:
    asked = await admitted(request, of_renewals=True)
    row = await asked.reads.store.row(plan_summary.TABLE, asked.account_id)
    return unless_known(request, _summary(asked.account_id, row))


async def read_breakdown(request: Request) -> Response:
    asked = await admitted(request, of_renewals=True)
    cadence = cadence_in(request)
    row = await asked.reads.store.row(plan_summary.TABLE, asked.account_id)
    return unless_known(request, _breakdown(asked.account_id, row, cadence))


def cadence_in(request: Request) -> Cycle:
    cadence = request.query_params.get("cadence")
    if cadence not in CADENCES:
        message = f"one of {', '.join(CADENCES)}"
        raise RequestValidationError([{"type": "cadence_unknown", "loc": ("query", "cadence"), "msg": message}])
    return Cycle(cadence)


async def read_catalogue(request: Request) -> Response:
    asked = await admitted(request)
    book = await asked.reads.store.row(catalogue.TABLE, BOOK)
    plans = tuple(await asked.reads.store.rows_of(product_card.TABLE, asked.account_id))
    return unless_known(request, _catalogue(asked.account, book, plans, asked.today, asked.privileges))


async def read_invoices(request: Request) -> Response:
    asked = await admitted(request, of_renewals=True, privilege=Privilege.INFORMATION_READ)
    rows = [opened(row) for row in await asked.reads.store.rows_of(invoice.TABLE, asked.account_id)]
    return unless_known(request, as_response(invoices.page(asked.account_id, rows, request.query_params)))


async def read_invoice(request: Request) -> Response:
    asked = await admitted(request, of_renewals=True, privilege=Privilege.INFORMATION_READ)
    row = await asked.own(invoice.TABLE, request.path_params["invoice_id"], "invoice_not_found")
    return unless_known(request, as_response(invoices.view(opened(row), asked.privileges)))


async def unavailable(_request: Request, error: Exception) -> Response:
    """The answer to ReadStoreUnavailable."""
    log.warning("read_store_unavailable", reason=str(error))
    return problem_response("read_store_unavailable")


async def admitted(
    request: Request, of_renewals: bool = False, privilege: Privilege = Privilege.SUBSCRIPTION_READ
) -> Asked:
    """Who asks for what, once the read models have come far enough.

    Raises Refused: unauthenticated; account_not_found, alike for an account the caller has no privilege in and for
    one that does not exist; forbidden; read_model_behind; and of the past what `Pasts.of` raises.
    """
    caller = await http.caller(request)
    account_id: str = request.path_params["account_id"]
    privileges = caller.privileges_in(account_id)
    if privilege not in privileges:
        raise Refused("forbidden", privilege=privilege)
    reads: Reads = request.state.reads
    position = wanted(request)
    if position:
        owner, number = position
        if of_renewals and owner is Owner.PLANS:
            await reads.waiter.effects_reached(account_id, number, request.headers["authorization"])
        else:
            await reads.waiter.reached(owner, account_id, number)
    row = await reads.store.row(account.TABLE, account_id)
    if row is None:
        if position and owner is not Owner.PLANS:  # it has a position there, so plans have it: we are behind with them
            raise Refused("read_model_behind", wanted=f"{owner}:{number}")
        raise Refused("account_not_found")
    if (text := request.query_params.get(PARAMETER)) is not None:
        now = reads.clock.now()
        past = await reads.pasts.of(account_id, parsed(text, opened(row)["time_zone"], now), now)
        request.scope[PAST] = past
        reads, row = replace(reads, store=past.store, clock=past), past.account
    return Asked(reads, account_id, row, privileges, today(reads.clock, opened(row)["time_zone"]))


@lru_cache(KEPT)
def _card(row: bytes, on: date, privileges: frozenset[str], holds: frozenset[Hold]) -> Response:
    return _response(rendered(row, on, privileges, holds), f'"{opened(row)["revision"]}"')


@lru_cache(KEPT)
def _cards(
    account_id: str, rows: tuple[bytes, ...], on: date, privileges: frozenset[str], holds: frozenset[Hold]
) -> Response:
    cards = b",".join(rendered(row, on, privileges, holds) for row in rows)
    return _response(b'{"account_id":%b,"cards":[%b]}' % (orjson.dumps(account_id), cards))


@lru_cache(KEPT)
def _summary(account_id: str, row: bytes | None) -> Response:
    return as_response(summaries.summary(account_id, _opened(row)))


@lru_cache(KEPT)
def _breakdown(account_id: str, row: bytes | None, cadence: Cycle) -> Response:
    return as_response(summaries.breakdown(account_id, _opened(row), cadence))


@lru_cache(KEPT // 8)  # the largest answers
def _catalogue(
    of: bytes, book: bytes | None, plans: tuple[bytes, ...], on: date, privileges: frozenset[str]
) -> Response:
    return as_response(for_sale(opened(of), _opened(book), [opened(plan) for plan in plans], on, privileges))


def _opened(row: bytes | None) -> dict[str, Any] | None:
    return None if row is None else opened(row)


def as_response(answer: BaseModel, tag: str | None = None) -> Response:
    return _response(answer.model_dump_json().encode(), tag)


def _response(body: bytes, tag: str | None = None) -> Response:
    """A response to be sent as often as it is asked for: nothing changes it. tag: made of the body if left out."""
    tag = tag or f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return Response(body, headers={"ETag": tag, **CACHING}, media_type="application/json")


def unless_known(request: Request, answer: Response) -> Response:
    """The answer, or 304 when If-None-Match says that the caller has it already (RFC 9110, 13.1.2: weak comparison)."""
    known = request.headers.get("if-none-match")
    if known is None:
        return answer
    tag = answer.headers["etag"]
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    if not tags & {tag, "*"}:
        return answer
    kept = {name: answer.headers[name] for name in ("cache-control", "vary") if name in answer.headers}
    return Response(status_code=304, headers={"ETag": tag, **kept})
