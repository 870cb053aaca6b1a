"""Every failure as an RFC 9457 problem document with a stable code (contracts.problems lists them)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from contracts.problems import PROBLEMS, Refused, problem_document

from . import logs
from .event_store import OutcomeUnknown, StoreError, TooLarge

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
RETRY_AFTER_S = 1

log = structlog.get_logger(__name__)

_CODE_OF_STATUS = {
    400: "malformed_json",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    503: "overloaded",
}


def problem_response(code: str, headers: Mapping[str, str] | None = None, **facts: Any) -> Response:
    """The answer for a code of contracts.problems. facts: members beside type, title, status, detail and code."""
    status = PROBLEMS[code].status
    extra = dict(headers or {})
    if status == 401:
        extra.setdefault("WWW-Authenticate", "Bearer")
    if status == 503:
        extra.setdefault("Retry-After", str(RETRY_AFTER_S))
    if status == 500:
        facts.setdefault("correlation_id", logs.correlation_id.get())
    # ASCII on the wire: a lone surrogate a client sent and a fact repeats must not fail to encode.
    body = json.dumps(problem_document(code, **facts), default=str).encode()
    return Response(body, status, extra, MEDIA_TYPE)


def responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses=` for these codes, one documented example each, so clients can be generated."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = PROBLEMS[code]
        entry = by_status.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}})
        entry["description"] = "; ".join(filter(None, [entry["description"], kind.title]))
        entry["content"][MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/Problem"}
        entry["content"][MEDIA_TYPE]["examples"][code] = {"value": problem_document(code)}
    return by_status


def failure(exc: Exception) -> Response:
    """The answer to anything that was raised; what nobody foresaw is logged with its traceback and is our mistake."""
    match exc:
        case Refused():
            return problem_response(exc.code, **exc.facts)
        case RequestValidationError():
            return invalid_request(exc.errors())
        case HTTPException():
            return _http_exception(exc)
        case OutcomeUnknown():
            log.warning("outcome_unknown", reason=str(exc))
            return problem_response("outcome_unknown")
        case TooLarge():
            return problem_response("body_too_large")
        case StoreError():
            log.warning("store_unavailable", error=type(exc).__name__, reason=str(exc))
            return problem_response("store_unavailable")
        case _:
            log.error("internal_error", exc_info=exc)
            return problem_response("internal_error")


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> Response:
    """400 when the body is not JSON, else 422 with errors:[{loc, message, kind}]. What was sent is never repeated."""
    if any(error["type"] == "json_invalid" for error in errors):
        return problem_response("malformed_json")
    return problem_response("invalid_request", errors=[_told(error) for error in errors[:MAX_ERRORS]])


def _told(error: Mapping[str, Any]) -> dict[str, Any]:
    # A place may hold a member name the client made up: it is cut, so that an answer stays small.
    loc = [part if isinstance(part, int) else str(part)[:64] for part in error["loc"][:10]]
    return {"loc": loc, "message": str(error["msg"])[:200], "kind": error["type"]}


def _http_exception(exc: HTTPException) -> Response:
    fallback = "internal_error" if exc.status_code >= 500 else "invalid_request"
    return problem_response(_CODE_OF_STATUS.get(exc.status_code, fallback), exc.headers)


def install(app: FastAPI) -> None:
    """Makes every failure inside `app` a problem document. Unforeseen ones are caught by chassis.http's middleware."""

    async def answer(_request: Request, exc: Exception) -> Response:
        return failure(exc)

    for kind in (Refused, RequestValidationError, HTTPException, StoreError):
        app.add_exception_handler(kind, answer)
