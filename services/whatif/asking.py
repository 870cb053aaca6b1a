"""An owner's HTTP interface within this process: its own routes, asked without a socket, by somebody who may do
everything in one account."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI

from contracts.plan_actions import Privilege
from services.chassis import http
from services.chassis.auth import Authenticator, Caller
from services.chassis.http import create_app
from services.chassis.metrics import Metrics

SUBJECT = "what-if"


class Answer(NamedTuple):
    """body: JSON, or empty."""

    status: int
    body: bytes


def asking_app(name: str, account_id: str, routers: Sequence[APIRouter]) -> FastAPI:
    @asynccontextmanager
    async def nothing(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = create_app(name, nothing, routers, Authenticator("", "", ""), {}, Metrics())
    anybody = Caller(SUBJECT, "owner", {account_id: frozenset(Privilege)}, token="", expires_at=0.0)
    app.dependency_overrides[http.caller] = lambda: anybody
    return app


async def ask(
    app: FastAPI, state: Mapping[str, Any], method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    """state: what a request finds in request.state."""
    status, received, parts = 0, False, list[bytes]()

    async def receive() -> dict[str, Any]:
        nonlocal received
        if received:
            return {"type": "http.disconnect"}
        received = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": None,
        "server": None,
        "state": dict(state),
    }
    await app(scope, receive, send)
    return Answer(status, b"".join(parts))
