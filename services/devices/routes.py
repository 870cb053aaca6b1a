"""The devices service over HTTP: a request becomes a command, what it recorded becomes the answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from contracts.device_commands import PlaceDeviceOrderBody
from contracts.plan_actions import Privilege
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http
from services.chassis.asked import API, ID, Asked, answer, asked
from services.chassis.auth import Caller

from .application import Application
from .requests import LEASE_CHANGES, ORDER_CHANGES

Authenticated = Annotated[Caller, Depends(http.caller)]
Changes = dict[str, type[BaseModel]]

router = APIRouter(prefix=API)


@router.post("/accounts/{account_id}/device-orders")
async def place_device_order(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(PlaceDeviceOrderBody)(request)
    wish = _asked_of_account(request, caller, account_id, "place", body)
    return answer(Owner.DEVICES, await _application(request).place(wish), status=201)


@router.post("/accounts/{account_id}/device-orders/{order_id}/{change}")
async def change_device_order(
    account_id: str, order_id: str, change: str, request: Request, caller: Authenticated
) -> Response:
    body = await _body(request, caller, account_id, ORDER_CHANGES.get(change), order_id, "order_not_found")
    wish = _asked_change(request, caller, account_id, change, body)
    return answer(Owner.DEVICES, await _application(request).change_order(wish, order_id))


@router.post("/accounts/{account_id}/leases/{lease_id}/{change}")
async def change_lease(
    account_id: str, lease_id: str, change: str, request: Request, caller: Authenticated
) -> Response:
    body = await _body(request, caller, account_id, LEASE_CHANGES.get(change), lease_id, "lease_not_found")
    wish = _asked_change(request, caller, account_id, change, body)
    return answer(Owner.DEVICES, await _application(request).change_lease(wish, lease_id))


def _application(request: Request) -> Application:
    application: Application = request.state.application  # opened by the lifespan
    return application


async def _body(
    request: Request, caller: Caller, account_id: str, model: type[BaseModel] | None, of: str, absent: str
) -> BaseModel:
    caller.privileges_in(account_id)
    if model is None:
        raise Refused("not_found")
    if not ID.fullmatch(of):
        raise Refused(absent)
    return await http.json_body(model)(request)


def _asked_change(request: Request, caller: Caller, account_id: str, name: str, body: BaseModel) -> Asked:
    wish = _asked_of_account(request, caller, account_id, name, body)
    if wish.expected_revision is None and request.headers.get("if-match") != "*":
        raise Refused("revision_required")
    return wish


def _asked_of_account(request: Request, caller: Caller, account_id: str, name: str, body: BaseModel) -> Asked:
    privileges = caller.privileges_in(account_id)
    if not ID.fullmatch(account_id):
        raise Refused("account_not_found")
    caller.require(account_id, Privilege.SUBSCRIPTION_EDIT)
    return asked(request, caller, account_id, privileges, name, body)
