"""The plans service over HTTP: a request becomes a command, what it recorded becomes the answer."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from contracts.envelope import Actor
from contracts.plan_actions import Privilege
from contracts.plan_commands import OpenAccountBody, PublishPriceBookBody, StartPlanBody
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http, logs
from services.chassis.auth import EVERYWHERE, Caller
from services.chassis.command_handler import Recorded

from .application import SELLER, Application, Asked
from .requests import CHANGES

API = "/api/v1"
ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
KEY = re.compile(r"[!-~]{1,128}")

Authenticated = Annotated[Caller, Depends(http.caller)]


router = APIRouter(prefix=API)


@router.put("/accounts/{account_id}")
async def open_account(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(OpenAccountBody)(request)
    return _answer(
        await _application(request).open_account(_asked_of_account(request, caller, account_id, "open", body), body)
    )


@router.put("/catalogue/{book_id}/versions/{version}")
async def publish_price_book(book_id: str, version: int, request: Request, caller: Authenticated) -> Response:
    privileges = caller.grants.get(EVERYWHERE, frozenset())
    if Privilege.CATALOGUE_EDIT not in privileges:
        raise Refused("forbidden", privilege=Privilege.CATALOGUE_EDIT)
    if not ID.fullmatch(book_id) or not 1 <= version <= 1_000_000:
        raise Refused("not_found")
    body = await http.json_body(PublishPriceBookBody)(request)
    asked = _asked(request, caller, SELLER, privileges, f"publish {book_id} {version}", body)
    return _answer(await _application(request).publish(asked, book_id, version, body))


@router.post("/accounts/{account_id}/plans")
async def start_plan(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(StartPlanBody)(request)
    return _answer(
        await _application(request).start(_asked_of_account(request, caller, account_id, "start", body)), status=201
    )


@router.post("/accounts/{account_id}/quotes/start")
async def quote_start(account_id: str, request: Request, caller: Authenticated) -> Response:
    body = await http.json_body(StartPlanBody)(request)
    return _json(await _application(request).quote(_asked_of_account(request, caller, account_id, "start", body), None))


@router.post("/accounts/{account_id}/plans/{bundle_id}/{change}")
async def change_plan(
    account_id: str, bundle_id: str, change: str, request: Request, caller: Authenticated
) -> Response:
    asked = await _asked_change(request, caller, account_id, bundle_id, change)
    confirmed = getattr(asked.body, "quote_token", None) is not None
    if asked.expected_revision is None and not confirmed and request.headers.get("if-match") != "*":
        raise Refused("revision_required")
    return _answer(await _application(request).change(asked, bundle_id))


@router.post("/accounts/{account_id}/plans/{bundle_id}/quotes/{change}")
async def quote_change(
    account_id: str, bundle_id: str, change: str, request: Request, caller: Authenticated
) -> Response:
    asked = await _asked_change(request, caller, account_id, bundle_id, change)
    return _json(await _application(request).quote(asked, bundle_id))


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


def _asked_of_account(request: Request, caller: Caller, account_id: str, name: str, body: BaseModel) -> Asked:
    privileges = caller.privileges_in(account_id)
    if not ID.fullmatch(account_id) or account_id == SELLER:
        raise Refused("account_not_found")
    caller.require(account_id, Privilege.SUBSCRIPTION_EDIT)
    return _asked(request, caller, account_id, privileges, name, body)


def _asked(
    request: Request, caller: Caller, account_id: str, privileges: frozenset[str], name: str, body: BaseModel
) -> Asked:
    return Asked(
        account_id=account_id,
        actor=Actor(id=caller.subject, role=caller.role, via="api"),
        privileges=privileges,
        name=name,
        body=body,
        idempotency_key=_idempotency_key(request),
        expected_revision=_expected_revision(request),
        correlation_id=logs.correlation_id.get(),
        traceparent=logs.traceparent.get(),
    )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        raise Refused("idempotency_key_invalid")
    return key


def _expected_revision(request: Request) -> int | None:
    """The revision in If-Match; None when it is missing or `*`. A tag we never gave is stale by definition."""
    tag = request.headers.get("if-match")
    if tag is None or tag == "*":
        return None
    if found := re.fullmatch(r'"(0|[1-9][0-9]{0,17})"', tag):
        return int(found[1])
    raise Refused("revision_stale")


def _answer(recorded: Recorded, status: int = 200) -> Response:
    """A contracts.plan_commands.CommandAnswer, spliced from the recorded bytes: a repetition gets the same ones."""
    position = f"{Owner.PLANS}:{recorded.position}"
    first = recorded.revision - len(recorded.events) + 1
    events = b",".join(
        b'{"event_id":"%b","type":"%b","revision":%d,"data":%b}'
        % (event.event_id.encode(), event.type.encode(), revision, event.data)
        for revision, event in enumerate(recorded.events, first)
    )
    body = b'{"stream":"%b","revision":%d,"position":"%b","events":[%b]}' % (
        recorded.stream.encode(),
        recorded.revision,
        position.encode(),
        events,
    )
    headers = {"ETag": f'"{recorded.revision}"', "Billing-Position": position}
    return Response(body, status, headers, "application/json")


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
