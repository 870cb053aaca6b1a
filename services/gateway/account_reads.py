"""Reads over everything an account has: what it may use, what it will be charged, what is on its way to it."""

import re

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts.plan_actions import Privilege

from .answers import OrderedParcel, Shipments
from .cards import Row, opened
from .entitlements import entitlements
from .for_sale import BOOK
from .projections import catalogue, device_lease, device_order, invoice, licence, product_card
from .reads import Asked, admitted, as_response, unless_known
from .upcoming import MOST_MONTHS, upcoming

MONTHS = 12
_PERSON = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def read_entitlements(request: Request) -> Response:
    """subject: a person, who may use what belongs to the plans they have a licence of."""
    subject = _subject(request)
    of = await admitted(request)
    store = of.reads.store
    plans = [opened(row) for row in await store.rows_of(product_card.TABLE, of.account_id)]
    if subject is not None:
        plans = [plan for plan in plans if await store.row(licence.TABLE, licence.of(plan["bundle_id"], subject))]
    book = await store.row(catalogue.TABLE, BOOK)
    answer = entitlements(of.account_id, subject, plans, None if book is None else opened(book), of.holds(), of.today)
    return unless_known(request, as_response(answer))


async def read_upcoming_charges(request: Request) -> Response:
    """Payments to be tried again are shown to who may see the invoices they are for."""
    months = months_in(request)
    of = await admitted(request, of_renewals=True)
    return unless_known(request, as_response(upcoming(of.account_id, *await charged(of), of.today, months)))


async def charged(of: Asked) -> tuple[list[Row], list[Row], list[Row]]:
    """The rows of what is charged: plans, leases, and invoices for who may see them."""
    tables = [product_card.TABLE, device_lease.TABLE, invoice.TABLE]
    plans, leases, invoices = [
        [opened(row) for row in await of.reads.store.rows_of(table, of.account_id)] for table in tables
    ]
    return plans, leases, invoices if Privilege.INFORMATION_READ in of.privileges else []


async def read_shipments(request: Request) -> Response:
    of = await admitted(request)
    orders = [opened(row) for row in await of.reads.store.rows_of(device_order.TABLE, of.account_id)]
    parcels = [
        OrderedParcel.model_validate(
            {**parcel, "order_id": order["order_id"], "ship_to": order["contents"]["ship_to"]}, strict=False
        )
        for order in orders
        for parcel in order["shipments"].values()
    ]
    parcels.sort(key=lambda parcel: parcel.dispatched_at, reverse=True)
    return unless_known(request, as_response(Shipments(account_id=of.account_id, shipments=parcels)))


def _subject(request: Request) -> str | None:
    text = request.query_params.get("subject")
    if text is None or _PERSON.fullmatch(text):
        return text
    message = "an opaque reference to a person, as licences are assigned to"
    raise RequestValidationError([{"type": "parameter_malformed", "loc": ("query", "subject"), "msg": message}])


def months_in(request: Request) -> int:
    text = request.query_params.get("months", str(MONTHS))
    if text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MOST_MONTHS:
        return int(text)
    message = f"a whole number from 1 to {MOST_MONTHS}"
    raise RequestValidationError([{"type": "parameter_malformed", "loc": ("query", "months"), "msg": message}])
