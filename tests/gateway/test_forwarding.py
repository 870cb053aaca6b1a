"""Commands on their way to the owner and back: nothing added, nothing lost, nowhere else."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from aiohttp import web

from contracts.topics import Owner
from services.chassis.http import MAX_BODY_BYTES
from services.gateway import forwarding
from services.gateway.commands import COMMANDS
from services.gateway.forwarded import Forwarded

from .gateway import Gateway, gateway, token
from .test_reads import problem

EDIT = "/api/v1/accounts/acme/plans/b1/edit"


@pytest.fixture
async def forwarding_to(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        opened.plans.answer = opened.devices.answer = lambda _: web.json_response({})
        opened.renewals.answer = opened.plans.answer
        yield opened


async def test_a_command_arrives_as_it_was_sent(forwarding_to: Gateway) -> None:
    body = b'{ "quantity" : 8 }\n'
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"Idempotency_Key": "key-1", "If_Match": '"3"', "X_Correlation_Id": "request-1", "traceparent": trace}
    await forwarding_to.post(EDIT, body, Content_Type="application/json", Cookie="a=b", X_Evil="1", **headers)
    (asked,) = forwarding_to.plans.asked
    assert (asked.method, asked.raw_path) == ("POST", EDIT)
    assert forwarding_to.plans.bodies == [body]
    assert {name.lower(): value for name, value in asked.headers.items()} == {
        "host": asked.headers["host"],
        "authorization": f"Bearer {token('editor')}",
        "content-type": "application/json",
        "idempotency-key": "key-1",
        "if-match": '"3"',
        "x-correlation-id": "request-1",
        "traceparent": trace,
        "content-length": str(len(body)),
    }


@pytest.mark.parametrize("status", [200, 201, 400, 404, 409, 412, 422, 428, 503])
async def test_the_answer_comes_back_as_it_was_given(forwarding_to: Gateway, status: int) -> None:
    kind = "application/json" if status < 300 else "application/problem+json"
    told = {
        "ETag": '"4"',
        "Billing-Position": "plans:7",
        "Retry-After": "1",
        "Location": "/x",
        "X-Correlation-Id": "the owner's",
        "Set-Cookie": "a=b",
        "Content-Type": kind,
    }
    forwarding_to.plans.answer = lambda _: web.Response(body=b'{"a": 1}', status=status, headers=told)
    answer = await forwarding_to.post(EDIT, X_Correlation_Id="request-1")
    assert (answer.status_code, answer.content) == (status, b'{"a": 1}')
    for name in ("ETag", "Billing-Position", "Retry-After", "Location", "Content-Type"):
        assert answer.headers[name] == told[name]
    assert answer.headers.get_list("x-correlation-id") == ["request-1"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.method} {command.path}")
async def test_every_command_has_its_address(forwarding_to: Gateway, command: Forwarded) -> None:
    ids = {"account_id": "acme", "bundle_id": "b1", "invoice_id": "i1", "order_id": "o1", "lease_id": "o1-1"}
    path = command.path.format(**ids, book_id="standard", version=1, contact="bill_to", subject="user-2", sku="rooms")
    sent = {"Authorization": f"Bearer {token('editor')}"}
    answer = await forwarding_to.client.request(command.method, path, content=b"{}", headers=sent)
    assert answer.status_code == 200
    owners = {
        Owner.PLANS: forwarding_to.plans,
        Owner.DEVICES: forwarding_to.devices,
        Owner.RENEWALS: forwarding_to.renewals,
    }
    owner = owners[command.owner]
    assert [(asked.method, asked.raw_path) for asked in owner.asked] == [(command.method, path)]


async def test_a_stranger_goes_no_further(forwarding_to: Gateway) -> None:
    assert problem(await forwarding_to.client.post(EDIT, content=b"{}")) == (401, "unauthenticated")
    assert forwarding_to.plans.asked == []


@pytest.mark.parametrize(
    "odd", ["..", ".", "%2e%2e", "a%2Fb", "a%3Fb", "a%23b", "a%00", "a%0a", "%C3%A9", "a b", "x" * 129]
)
@pytest.mark.parametrize(
    "path", ["/api/v1/accounts/{}/plans", "/api/v1/accounts/acme/plans/{}/edit", "/api/v1/catalogue/{}/versions/1"]
)
async def test_an_odd_id_reaches_nothing(forwarding_to: Gateway, path: str, odd: str) -> None:
    sent = {"Authorization": f"Bearer {token('editor')}"}
    for method in ("POST", "PUT"):
        answer = await raw(forwarding_to, method, path.format(odd.replace(" ", "%20")), sent)
        assert answer in (404, 405)
    assert forwarding_to.plans.asked == []


async def raw(to: Gateway, method: str, path: str, headers: dict[str, str]) -> int:
    """The status for a path that no client library has tidied up."""
    status = 0

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            assert isinstance(message["status"], int)
            status = message["status"]

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode(),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
    }
    transport = to.client._transport
    await transport.app(scope, receive, send)  # type: ignore[attr-defined]
    return status


async def test_an_owner_that_is_not_there_recorded_nothing(forwarding_to: Gateway) -> None:
    await forwarding_to.plans.stop()
    answer = await forwarding_to.post(EDIT)
    assert problem(answer) == (503, "owner_unavailable")
    assert (answer.json()["owner"], answer.json()["outcome"]) == ("plans", "not_recorded")
    assert answer.headers["retry-after"] == "1"


async def test_an_owner_that_goes_away_in_the_middle_leaves_the_outcome_open(forwarding_to: Gateway) -> None:
    def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    forwarding_to.plans.answer = hang_up
    answer = await forwarding_to.post(EDIT)
    assert problem(answer) == (503, "owner_unavailable")
    assert answer.json()["outcome"] == "unknown"
    assert "Idempotency-Key" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "1"


async def test_an_owner_that_does_not_answer_in_time_leaves_the_outcome_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "ANSWER_S", 0.05)
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(60)
        return web.Response()

    async with gateway(tmp_path) as slow:
        slow.plans.answer = never
        answer = await slow.post(EDIT)
        assert problem(answer) == (503, "owner_unavailable")
        assert answer.json()["outcome"] == "unknown"
        assert asked.is_set()


async def test_a_failure_that_is_no_problem_document_becomes_one(forwarding_to: Gateway) -> None:
    forwarding_to.plans.answer = lambda _: web.Response(text="<h1>Bad Gateway</h1>", status=502)
    assert problem(await forwarding_to.post(EDIT)) == (503, "owner_unavailable")


async def test_a_body_too_large_goes_no_further(forwarding_to: Gateway) -> None:
    answer = await forwarding_to.post(EDIT, b" " * (MAX_BODY_BYTES + 1))
    assert problem(answer) == (413, "body_too_large")
    assert forwarding_to.plans.asked == []


async def test_many_commands_at_once_get_their_own_answers(forwarding_to: Gateway) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"path": request.path, "key": request.headers["Idempotency-Key"]})

    forwarding_to.plans.answer = echo

    async def ask(number: int) -> bool:
        path = f"/api/v1/accounts/acme/plans/b{number}/edit"
        answer = await forwarding_to.post(path, Idempotency_Key=f"key-{number}")
        return bool(json.loads(answer.content) == {"path": path, "key": f"key-{number}"})

    assert all(await asyncio.gather(*(ask(number) for number in range(40))))
