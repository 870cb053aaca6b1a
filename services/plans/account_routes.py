"""Billing Management over HTTP: contacts, roles and holds of an account, and who has a role where."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from contracts.billing_management import (
    CONTACTS,
    Comment,
    ContactBody,
    ErasePersonalDataBody,
    GrantRoleBody,
    HoldBody,
    RecordedRoles,
    RemoveContactBody,
    RevokeRoleBody,
)
from contracts.plan_actions import Privilege
from contracts.plans import HistoryRead
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http
from services.chassis.asked import API, ID, Asked, answer, asked
from services.chassis.auth import EVERYWHERE, Caller

from .application import SELLER
from .billing_management import BillingAccounts
from .readings import Readings
from .role_index import RoleIndex

Authenticated = Annotated[Caller, Depends(http.caller)]

router = APIRouter(prefix=API)


@router.get("/accounts/{account_id}/billing")
async def read_billing(
    account_id: str,
    request: Request,
    caller: Authenticated,
    position: Annotated[int | None, Query(ge=0, description="as it was there in the log")] = None,
    on: Annotated[date | None, Query(description="and on that day")] = None,
) -> Response:
    privileges = _privileges(account_id, caller, Privilege.INFORMATION_READ)
    billing = await _accounts(request).read(account_id, privileges, position, on)
    headers = {"ETag": f'"{billing.revision}"', "Cache-Control": "private, no-store"}
    return Response(billing.model_dump_json(), headers=headers, media_type="application/json")


@router.put("/accounts/{account_id}/contacts/{contact}")
async def change_contact(account_id: str, contact: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(ContactBody)(request)
    wish = _asked(request, caller, account_id, f"contact {contact}", body)
    recorded = await _accounts(request).change_contact(wish, _contact(contact), body)
    return answer(Owner.PLANS, recorded)


@router.post("/accounts/{account_id}/contacts/{contact}/remove")
async def remove_contact(account_id: str, contact: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(RemoveContactBody)(request)
    wish = _asked(request, caller, account_id, f"remove contact {contact}", body)
    return answer(Owner.PLANS, await _accounts(request).remove_contact(wish, _contact(contact)))


@router.post("/accounts/{account_id}/erase-personal-data")
async def erase_personal_data(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(ErasePersonalDataBody)(request)
    wish = _asked(request, caller, account_id, "erase personal data", body)
    return answer(Owner.PLANS, await _accounts(request).erase_personal_data(wish))


@router.get("/accounts/{account_id}/comments/{comment}")
async def read_comment(account_id: str, comment: str, request: Request, caller: Authenticated) -> Response:
    _privileges(account_id, caller, Privilege.INFORMATION_READ)
    text = await _accounts(request).records.said(account_id, comment)
    if text is None:
        raise Refused("comment_not_found")
    said, headers = Comment(comment=comment, text=text), {"Cache-Control": "private, no-store"}
    return Response(said.model_dump_json(), headers=headers, media_type="application/json")


@router.put("/accounts/{account_id}/roles/{subject}")
async def grant_role(account_id: str, subject: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(GrantRoleBody)(request)
    wish = _asked(request, caller, account_id, f"grant {subject}", body)
    return answer(Owner.PLANS, await _accounts(request).grant_role(wish, _subject(subject), body.role))


@router.post("/accounts/{account_id}/roles/{subject}/revoke")
async def revoke_role(account_id: str, subject: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(RevokeRoleBody)(request)
    wish = _asked(request, caller, account_id, f"revoke {subject}", body)
    return answer(Owner.PLANS, await _accounts(request).revoke_role(wish, _subject(subject)))


@router.post("/accounts/{account_id}/history-readings")
async def record_reading(account_id: str, request: Request, caller: Authenticated) -> Response:
    """For the gateway, before it shows an account's history."""
    read = await http.json_body(HistoryRead)(request)
    wish = _asked(request, caller, account_id, "read history", read, Privilege.AUDIT_READ)
    readings: Readings = request.state.readings
    return answer(Owner.PLANS, await readings.record(wish, read))


@router.post("/accounts/{account_id}/holds/place")
async def place_hold(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(HoldBody)(request)
    wish = _asked(request, caller, account_id, "place hold", body, Privilege.HOLD_EDIT)
    return answer(Owner.PLANS, await _accounts(request).place_hold(wish, body.hold))


@router.post("/accounts/{account_id}/holds/lift")
async def lift_hold(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(HoldBody)(request)
    wish = _asked(request, caller, account_id, "lift hold", body, Privilege.HOLD_EDIT)
    return answer(Owner.PLANS, await _accounts(request).lift_hold(wish, body.hold))


@router.get("/roles")
async def read_roles(subject: str, request: Request, caller: Authenticated) -> Response:
    """For the identity provider: the roles of a subject by account, null where one was revoked."""
    if Privilege.AUDIT_READ not in caller.grants.get(EVERYWHERE, frozenset()):
        raise Refused("forbidden", privilege=Privilege.AUDIT_READ)
    index: RoleIndex = request.state.roles
    answer = RecordedRoles(subject=subject, roles=await index.roles(subject))
    return Response(answer.model_dump_json(), media_type="application/json")


def _accounts(request: Request) -> BillingAccounts:
    accounts: BillingAccounts = request.state.accounts  # opened by the lifespan
    return accounts


def _contact(name: str) -> str:
    if name not in CONTACTS:
        raise Refused("contact_not_found")
    return name


def _subject(name: str) -> str:
    if not ID.fullmatch(name):
        raise Refused("role_not_found")
    return name


def _privileges(account_id: str, caller: Caller, privilege: Privilege) -> frozenset[str]:
    privileges = caller.privileges_in(account_id)
    if not ID.fullmatch(account_id) or account_id == SELLER:
        raise Refused("account_not_found")
    caller.require(account_id, privilege)
    return privileges


def _asked(
    request: Request,
    caller: Caller,
    account_id: str,
    name: str,
    body: BaseModel,
    privilege: Privilege = Privilege.INFORMATION_EDIT,
) -> Asked:
    return asked(request, caller, account_id, _privileges(account_id, caller, privilege), name, body)
