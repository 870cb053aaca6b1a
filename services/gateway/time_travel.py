"""Answers of the past: made by the handlers that make today's, then marked as what they are."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from contracts.problems import PROBLEMS
from services.chassis.clock import instant

from .past import Past, settled
from .reads import CACHING, PAST, Reads, unless_known

AT, POSITIONS = "Billing-As-Of", "Billing-Positions"
# It stays as it is; but whoever may see it today need not tomorrow.
LASTING = {"Cache-Control": "private, max-age=3600", "Vary": "Authorization"}
NOT_ALLOWED = {"allowed": False, "reason": "of_the_past", "message": PROBLEMS["of_the_past"].title}

Handler = Callable[[Request], Awaitable[Response]]


def at_any_time(read: Handler) -> Handler:
    """The read, also with `as_of`."""

    async def handle(request: Request) -> Response:
        answer = await read(request)
        past: Past | None = request.scope.get(PAST)
        return answer if past is None or answer.status_code != 200 else _marked(request, answer, past)

    return handle


def _marked(request: Request, answer: Response, past: Past) -> Response:
    """Nothing in it may be done: what it says of permissions is that of today's privileges and the state of then. Its
    tag is no revision to be sent with a command."""
    body = orjson.dumps(_not_allowed(orjson.loads(bytes(answer.body))))
    reads: Reads = request.state.reads
    caching = CACHING
    if "no-store" in answer.headers.get("cache-control", ""):
        caching = {"Cache-Control": "private, no-store"}
    elif settled(past.at, reads.clock.now()):
        caching = LASTING
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    said = {AT: instant(past.at), POSITIONS: past.said()}
    return unless_known(
        request, Response(body, headers={"ETag": tag, **caching, **said}, media_type="application/json")
    )


def _not_allowed(part: Any) -> Any:
    """The same, but whatever may be done may not."""
    match part:
        case {"allowed": bool()}:
            return {**part, **NOT_ALLOWED}
        case dict():
            return {name: _not_allowed(member) for name, member in part.items()}
        case list():
            return [_not_allowed(member) for member in part]
    return part
