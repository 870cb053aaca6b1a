"""The log over HTTP, replayed from its owners: an account's for its auditors, all of it for auditors of everything.

A line per event, as the owners' feeds have it or as CloudEvents, then a last line {"end":true,…}: what broke off has
none. The same question, asked with the positions that line names as `until`, is answered with the same bytes for ever.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from functools import partial
from typing import Any, Literal, TypeVar

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contracts.plan_actions import Privilege
from contracts.plans import HistoryWay
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http
from services.chassis.auth import EVERYWHERE
from services.chassis.feed import FeedClient, FeedUnavailable
from services.chassis.selection import Selection, an_instant
from services.replay.formats import WRITTEN, Format
from services.replay.replaying import Part, lines_of, parts_of

from .forwarded import ACCOUNT, API
from .readings import Readings
from .reads import admitted

ACCOUNT_EVENTS, EVENTS = f"{ACCOUNT}/events", f"{API}/events"
MEDIA_TYPE = "application/x-ndjson"
LONGEST_STREAM = 200

log = structlog.get_logger(__name__)

_POSITION = re.compile(r"0|[1-9][0-9]{0,18}")


class LogLine(BaseModel):
    """A line of the log. metadata: account, actor, instant, day, cause. data: by type and version, as recorded."""

    position: int
    stream: str
    revision: int
    event_id: str
    type: str
    version: int
    metadata: dict[str, Any]
    data: dict[str, Any]


class LogEnd(BaseModel):
    """The last line. positions: up to which each owner's log was looked through."""

    end: Literal[True] = True
    positions: dict[Owner, int]


Choice = TypeVar("Choice", bound=StrEnum)


async def read_account_events(request: Request) -> Response:
    asked = await admitted(request, privilege=Privilege.AUDIT_READ)
    readings: Readings = request.state.readings
    return await _replayed(request, asked.account_id, partial(readings.record, request, asked, HistoryWay.EVENTS))


async def read_events(request: Request) -> Response:
    caller = await http.caller(request)
    caller.require(EVERYWHERE, Privilege.AUDIT_READ)

    async def record() -> None:  # no account's history is the place for it
        log.warning("the log of all accounts is read", subject=caller.subject, query=request.url.query)

    return await _replayed(request, None, record)


async def _replayed(request: Request, account_id: str | None, record: Callable[[], Awaitable[None]]) -> Response:
    """Raises Refused owner_unavailable, and what record raises; RequestValidationError."""
    asked = request.query_params
    owner, written = _choice(request, "owner", Owner), _choice(request, "format", Format) or Format.JSONL
    after, until = _position(request, "after"), _position(request, "until")
    if owner is None and (after is not None or until is not None):
        raise _malformed("owner", "needed with after and until, which are positions of one owner's log")
    stream = asked.get("stream")
    if stream is not None and not 0 < len(stream) <= LONGEST_STREAM:
        raise _malformed("stream", "the name of a stream, as events have it")
    selection = Selection(account_id, stream, _instant(request, "since"), _instant(request, "before"))
    logs: Mapping[Owner, FeedClient] = request.state.logs
    owners = (owner,) if owner else tuple(Owner)
    try:
        parts = await parts_of(logs, owners, after or 0, until)
    except FeedUnavailable as reason:
        raise Refused("owner_unavailable", owner=",".join(owners), outcome="not_recorded", reason=str(reason)) from None
    await record()
    lines = _lines(logs, parts, selection, written)
    return StreamingResponse(lines, media_type=MEDIA_TYPE, headers={"Cache-Control": "private, no-store"})


async def _lines(
    logs: Mapping[Owner, FeedClient], parts: Sequence[Part], selection: Selection, written: Format
) -> AsyncGenerator[bytes, None]:
    """Whatever fails in here cuts the connection."""
    async with aclosing(lines_of(logs, parts, selection)) as blocks:
        async for _, lines in blocks:
            yield WRITTEN[written](lines)
    yield LogEnd(positions={part.owner: part.until for part in parts}).model_dump_json().encode() + b"\n"


def _choice(request: Request, name: str, of: type[Choice]) -> Choice | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if text not in set(of):
        raise _malformed(name, f"one of {', '.join(of)}")
    return of(text)


def _position(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not _POSITION.fullmatch(text) or int(text) >= 2**63:
        raise _malformed(name, "a position, as events have it")
    return int(text)


def _instant(request: Request, name: str) -> str | None:
    text = request.query_params.get(name)
    try:
        return None if text is None else an_instant(text)
    except ValueError:
        raise _malformed(name, "a day or an instant, as in 2026-05-01T12:00Z") from None


def _malformed(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "parameter_malformed", "loc": ("query", name), "msg": message}])
