"""The plans service over HTTP: a request becomes a command, what it recorded becomes the answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from contracts.plan_actions import Privilege
from contracts.plan_commands import (
    OpenAccountBody,
    PaymentMethodBody,
    PublishPriceBookBody,
    RetireProductBody,
    StartPlanBody,
    TaxJurisdictionBody,
    WithdrawPriceBookBody,
)
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http
from services.chassis.asked import API, ID, Asked, answer, asked
from services.chassis.auth import EVERYWHERE, Caller

from .application import SELLER, Application
from .requests import CHANGES

Authenticated = Annotated[Caller, Depends(http.caller)]


router = APIRouter(prefix=API)


@router.put("/accounts/{account_id}")
async def open_account(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(OpenAccountBody)(request)
    wish = _asked_of_account(request, caller, account_id, "open", body)
    return answer(Owner.PLANS, await _application(request).open_account(wish, body))


@router.put("/accounts/{account_id}/payment-method")
async def change_payment_method(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(PaymentMethodBody)(request)
    privilege = Privilege.INFORMATION_EDIT
    wish = _asked_of_account(request, caller, account_id, "payment method", body, privilege)
    return answer(Owner.PLANS, await _application(request).change_payment_method(wish, body))


@router.put("/accounts/{account_id}/tax-jurisdiction")
async def set_tax_jurisdiction(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(TaxJurisdictionBody)(request)
    wish = _asked_of_account(request, caller, account_id, "tax jurisdiction", body, Privilege.TAX_EDIT)
    return answer(Owner.PLANS, await _application(request).set_tax_jurisdiction(wish, body))


@router.put("/catalogue/{book_id}/versions/{version}")
async def publish_price_book(book_id: str, version: int, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(PublishPriceBookBody)(request)
    wish = _asked_of_seller(request, caller, book_id, f"publish {book_id} {version}", body)
    if not 1 <= version <= 1_000_000:
        raise Refused("not_found")
    return answer(Owner.PLANS, await _application(request).publish(wish, book_id, version, body))


@router.post("/catalogue/{book_id}/versions/{version}/withdraw")
async def withdraw_price_book(book_id: str, version: int, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(WithdrawPriceBookBody)(request)
    wish = _asked_of_seller(request, caller, book_id, f"withdraw {book_id} {version}", body)
    return answer(Owner.PLANS, await _application(request).withdraw(wish, book_id, version))


@router.post("/catalogue/{book_id}/products/{sku}/retire")
async def retire_product(book_id: str, sku: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(RetireProductBody)(request)
    wish = _asked_of_seller(request, caller, book_id, f"retire {book_id} {sku}", body)
    return answer(Owner.PLANS, await _application(request).retire(wish, book_id, sku))


@router.post("/accounts/{account_id}/plans")
async def start_plan(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(StartPlanBody)(request)
    wish = _asked_of_account(request, caller, account_id, "start", body)
    return answer(Owner.PLANS, await _application(request).start(wish), status=201)


@router.post("/accounts/{account_id}/quotes/start")
async def quote_start(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(StartPlanBody)(request)
    return _json(await _application(request).quote(_asked_of_account(request, caller, account_id, "start", body), None))


@router.post("/accounts/{account_id}/plans/{bundle_id}/{change}")
async def change_plan(
    account_id: str, bundle_id: str, change: str, request: Request, caller: Authenticated
) -> Response:
    wish = await _asked_change(request, caller, account_id, bundle_id, change)
    confirmed = getattr(wish.body, "quote_token", None) is not None
    if wish.expected_revision is None and not confirmed and request.headers.get("if-match") != "*":
        raise Refused("revision_required")
    return answer(Owner.PLANS, await _application(request).change(wish, bundle_id))


@router.post("/accounts/{account_id}/plans/{bundle_id}/quotes/{change}")
async def quote_change(
    account_id: str, bundle_id: str, change: str, request: Request, caller: Authenticated
) -> Response:
    wish = await _asked_change(request, caller, account_id, bundle_id, change)
    return _json(await _application(request).quote(wish, bundle_id))


def _application(request: Request) -> Application:
    application: Application = request.state.application  # opened by the lifespan
    return application


async def _asked_change(request: Request, caller: Caller, account_id: str, bundle_id: str, change: str) -> Asked:
    caller.privileges_in(account_id)
    model = CHANGES.get(change)
    if model is None:
        raise Refused("not_found")
    if not ID.fullmatch(bundle_id):
        raise Refused("plan_not_found")
    return _asked_of_account(request, caller, account_id, change, await http.json_body(model)(request))


def _asked_of_seller(request: Request, caller: Caller, book_id: str, name: str, body: BaseModel) -> Asked:
    privileges = caller.grants.get(EVERYWHERE, frozenset())
    if Privilege.CATALOGUE_EDIT not in privileges:
        raise Refused("forbidden", privilege=Privilege.CATALOGUE_EDIT)
    if not ID.fullmatch(book_id):
        raise Refused("not_found")
    return asked(request, caller, SELLER, privileges, name, body)


def _asked_of_account(
    request: Request,
    caller: Caller,
    account_id: str,
    name: str,
    body: BaseModel,
    privilege: Privilege = Privilege.SUBSCRIPTION_EDIT,
) -> Asked:
    privileges = caller.privileges_in(account_id)
    if not ID.fullmatch(account_id) or account_id == SELLER:
        raise Refused("account_not_found")
    caller.require(account_id, privilege)
    return asked(request, caller, account_id, privileges, name, body)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
