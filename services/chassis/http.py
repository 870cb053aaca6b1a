"""The HTTP frame every service shares: correlation ids, body limit, failures, health, metrics, bodies and callers."""

import re
import time
import uuid
from collections import ChainMap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs
from .auth import Authenticator, Caller
from .health import Check, health_router
from .metrics import CONTENT_TYPE, Metrics
from .problems import failure, install, problem_response

MAX_BODY_BYTES = 1024 * 1024

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any] | None]]
Body = TypeVar("Body", bound=BaseModel)

log = structlog.get_logger(__name__)

_CORRELATION_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context


def create_app(
    name: str,
    lifespan: Lifespan,
    routers: Sequence[APIRouter],
    authenticator: Authenticator,
    checks: MutableMapping[str, Check],
    metrics: Metrics,
    routes: Sequence[BaseRoute] = (),
) -> FastAPI:
    """A service's app. lifespan: opens in order, yields request.state's members (or None), drains in reverse.

    checks, metrics: health.Check by name, and the app's Metrics; both may be filled while the lifespan opens. routes:
    plain ones of Starlette's, found before all others.
    """

    @asynccontextmanager
    async def with_keys(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        await authenticator.refresh()
        async with lifespan(app) as state:
            yield state or {}

    # No pages of FastAPI's: they load scripts from a CDN, and its document knows neither our bodies nor our problems
    # (the gateway writes the public one). No redirects: they repeat a Host header of the client's.
    app = FastAPI(title=name, lifespan=with_keys, redirect_slashes=False, openapi_url=None, routes=list(routes))
    app.state.authenticator = authenticator
    install(app)
    app.add_middleware(_Frame, metrics=metrics)
    for router in routers:
        app.include_router(router)
    app.include_router(health_router(name, ChainMap({"token_keys": authenticator.check}, checks)))
    app.add_api_route("/metrics", _metrics_route(metrics), include_in_schema=False)
    return app


async def caller(request: Request) -> Caller:
    """FastAPI dependency: who asks. Raises Refused("unauthenticated")."""
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.caller(request.headers.get("authorization"))


def json_body(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """FastAPI dependency: the body as a `model`, validated from its bytes (strict models take dates only so).

    Fails as 400 malformed_json or 422 invalid_request, whatever the content type says.
    """

    async def body(request: Request) -> Body:
        try:
            return model.model_validate_json(await request.body())
        except ValidationError as invalid:
            raise RequestValidationError(
                [{**error, "loc": ("body", *error["loc"])} for error in invalid.errors(include_input=False)]
            ) from None

    return body


class _Frame:
    """Pure ASGI, one layer for everything each request needs: layers cost, and BaseHTTPMiddleware breaks streaming."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, status = time.perf_counter(), 0
        correlation, trace, length = _said_in(scope["headers"])
        logs.correlation_id.set(correlation)
        logs.traceparent.set(trace)

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-correlation-id", correlation.encode())]
            await send(message)

        try:
            if length > MAX_BODY_BYTES:
                await problem_response("body_too_large", limit_bytes=MAX_BODY_BYTES)(scope, receive, send_marked)
            else:
                await self._app(scope, _limited(receive), send_marked)
        except ClientDisconnect:
            log.debug("client_went_away")
        except Exception as error:
            if status:
                log.error("answer_broken_off", exc_info=error)
                raise  # so that the server cuts the connection: half an answer must not look whole
            await failure(error)(scope, receive, send_marked)
        finally:
            route = getattr(scope.get("route"), "path_format", None) or "none"
            self._metrics.observe_request(scope["method"], route, status or 499, time.perf_counter() - begun)
        return None


def _said_in(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str, int]:
    """Correlation id (a new one unless a sound one was sent), traceparent (or empty) and content length (or 0)."""
    correlation, trace, length = b"", b"", 0
    for name, value in headers:
        if name == b"x-correlation-id" and _CORRELATION_ID.fullmatch(value):
            correlation = value
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
            trace = value
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])
    return correlation.decode() or uuid.uuid4().hex, trace.decode(), length


def _limited(receive: Receive) -> Receive:
    """Counts what arrives: a chunked body tells no length beforehand."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return counted


def _metrics_route(metrics: Metrics) -> Callable[[], Awaitable[Response]]:
    async def read_metrics() -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return read_metrics
