"""An owner's log over HTTP: the route that streams it and the client that reads it.

A feed is NDJSON: one `contracts.envelope.feed_line` per event, then one last line {"end":true,"position":N}: every
event asked for up to N has been sent. An answer without that line is not whole, whatever HTTP says about it: the
server cuts the connection when it fails midway, but a proxy in between may end the answer politely.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from operator import itemgetter
from typing import Annotated

import aiohttp
import orjson
import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse

from contracts.envelope import Envelope, Record, feed_line
from contracts.plan_actions import Privilege
from contracts.problems import Refused
from contracts.topics import Owner

from . import http
from .auth import EVERYWHERE, Caller
from .event_store import START, EventStore
from .problems import responses
from .selection import Selection, an_instant

MEDIA_TYPE = "application/x-ndjson"
SEND_BYTES = 256 * 1024  # per write: large enough that a line costs what its bytes cost
READ_BYTES = 256 * 1024  # aiohttp buffers up to twice that and hands it over as one block
# No total: a whole log takes as long as it takes.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
MAX_PROBLEM_BYTES = 4096

SERVICE = "service"  # the role of services, which read feeds all the time

log = structlog.get_logger(__name__)

StoreOf = Callable[[Request], EventStore]

ALL = Selection()
_END = re.compile(rb'\{"end":')
_POSITION = re.compile(r"[0-9]{1,19}")
_members = itemgetter("position", "stream", "revision", "event_id", "type", "version", "metadata", "data")


def feed_router(store: EventStore | StoreOf, owner: Owner) -> APIRouter:
    """GET /events and GET /events/head, for auditors of everything.

    store: or where a request finds it, for a store that is opened by the lifespan.
    """
    router = APIRouter(tags=["feed"])
    failures = responses("event_position_invalid", "unauthenticated", "forbidden", "store_unavailable")

    def store_of(request: Request) -> EventStore:
        return store(request) if callable(store) else store

    async def auditor(request: Request, asking: Annotated[Caller, Depends(http.caller)]) -> None:
        asking.require(EVERYWHERE, Privilege.AUDIT_READ)
        if asking.role != SERVICE:  # as an event it would be in the feed, and change what is read by reading it
            log.info("feed_read", subject=asking.subject, role=asking.role, asked=str(request.url.query))

    @router.get(
        "/events",
        summary=f"The log of {owner}",
        description=__doc__,
        dependencies=[Depends(auditor)],
        response_class=StreamingResponse,
        responses={200: {"content": {MEDIA_TYPE: {}}}, **failures},
    )
    async def read_events(
        request: Request,
        after: Annotated[str, Query(description="a position; its event is not sent again")] = str(START),
        until: Annotated[str | None, Query(description="a position; its event is the last one sent")] = None,
        limit: Annotated[int | None, Query(ge=1, description="how many events to send at most")] = None,
        categories: Annotated[
            str, Query(max_length=200, description="first words of stream names, with commas; all if empty")
        ] = "",
        account: Annotated[str | None, Query(max_length=200, description="events of this account alone")] = None,
        stream: Annotated[str | None, Query(max_length=200, description="events of this stream alone")] = None,
        since: Annotated[str | None, Query(description="events recorded at this instant or later")] = None,
        before: Annotated[str | None, Query(description="events recorded before this instant")] = None,
    ) -> StreamingResponse:
        log = store_of(request)
        head = await log.head()
        first = _position(after, head)
        last = head if until is None else min(_position(until), head)
        selection = Selection(account, stream, _instant("since", since), _instant("before", before))
        records = log.read_all(first, selection.categories or tuple(filter(None, categories.split(","))))
        lines = _lines(records, last, limit, selection)
        return StreamingResponse(lines, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})

    @router.get("/events/head", summary=f"Where the log of {owner} ends", responses=failures)
    async def read_head(request: Request, _: Annotated[None, Depends(auditor)]) -> dict[str, int]:
        return {"position": await store_of(request).head()}

    return router


def _position(text: str, head: int | None = None) -> int:
    if not _POSITION.fullmatch(text) or (head is not None and int(text) > head):
        raise Refused("event_position_invalid")
    return int(text)


def _instant(name: str, text: str | None) -> str | None:
    try:
        return an_instant(text) if text else None
    except ValueError:
        wanted = "a day or an instant, as in 2026-05-01T12:00Z"
        raise RequestValidationError([{"type": "parameter_malformed", "loc": ("query", name), "msg": wanted}]) from None


async def _lines(
    records: AsyncIterator[Record], last: int, limit: int | None, selection: Selection
) -> AsyncGenerator[bytes, None]:
    """The feed's lines up to position `last`, many at a time. Whatever fails in here cuts the connection."""
    lines: list[bytes] = []
    count = size_bytes = 0
    async for record in records:
        if record.position > last:
            break
        if not selection(record):
            continue
        lines.append(feed_line(record))
        count += 1
        if count == limit:
            last = record.position
            break
        size_bytes += len(lines[-1])
        if size_bytes >= SEND_BYTES:
            yield b"".join(lines)
            lines, size_bytes = [], 0
    yield b'%b{"end":true,"position":%d}\n' % (b"".join(lines), last)


class FeedUnavailable(Exception):
    """The feed could not be read, or not to its end. `code`: of the problem it answered with, if it did."""

    def __init__(self, reason: str, code: str | None = None) -> None:
        super().__init__(reason)
        self.code = code


class FeedClient:
    """Reads one owner's feed. token: called for every request, gives a token of an auditor."""

    def __init__(self, url: str, session: aiohttp.ClientSession, token: Callable[[], str]) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._token = token

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        """The events after a position, up to and with `until` or the log's end, as many at once as the network brings.

        Raises FeedUnavailable also when the answer broke off, or the log ends before `until`: once it is through
        without that, nothing was left out.
        """
        async with aclosing(self.lines(after, until)) as blocks:
            async for block in blocks:
                yield _decoded(block)

    async def lines(
        self, after: int, until: int | None = None, selection: Selection = ALL
    ) -> AsyncGenerator[bytes, None]:
        """As `read`, of those that are asked for and as they were sent: whole lines, at least one at a time."""
        params = {"after": str(after), **({} if until is None else {"until": str(until)}), **selection.members()}
        rest, end = b"", None
        async with self._answer("/events", params) as answer:
            async for block in answer.content.iter_any():
                lines, newline, tail = block.rpartition(b"\n")
                if not newline:
                    rest += block
                    continue
                whole, rest = rest + lines + newline, tail
                if _END.match(whole, begins := whole.rfind(b"\n", 0, -1) + 1):
                    end, whole = _end_of(whole[begins:]), whole[:begins]
                if whole:
                    yield whole
        if end is None or rest:
            raise FeedUnavailable(f"the feed {self._url} broke off")
        if until is not None and end < until:
            raise FeedUnavailable(f"the feed {self._url} ends at {end}, before {until}")

    async def head(self) -> int:
        """The position of the log's last event, START when there is none. Raises FeedUnavailable."""
        async with self._answer("/events/head", {}) as answer:
            try:
                return int(orjson.loads(await answer.read())["position"])
            except (ValueError, LookupError, TypeError) as error:
                raise FeedUnavailable(f"{self._url} is not a feed") from error

    @asynccontextmanager
    async def _answer(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        try:
            async with self._session.get(
                self._url + path,
                params=params,
                headers={"Authorization": f"Bearer {self._token()}"},
                timeout=TIMEOUT,
                read_bufsize=READ_BYTES,
                allow_redirects=False,  # the token is meant for this owner only
            ) as answer:
                if answer.status != 200:
                    raise await _refusal(answer)
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FeedUnavailable(f"the feed {self._url} failed: {error or type(error).__name__}") from error


def _decoded(lines: bytes) -> list[Envelope]:
    """The events of whole lines."""
    try:
        # One call for all lines: a newline cannot occur within JSON text, so these are the separators.
        return [Envelope(*_members(event)) for event in orjson.loads(b"[%b]" % lines[:-1].replace(b"\n", b","))]
    except (ValueError, LookupError, TypeError) as error:
        raise FeedUnavailable("the feed sent something else than events") from error


def _end_of(line: bytes) -> int:
    try:
        return int(orjson.loads(line)["position"])
    except (ValueError, LookupError, TypeError) as error:
        raise FeedUnavailable("the feed sent something else than events") from error


async def _refusal(answer: aiohttp.ClientResponse) -> FeedUnavailable:
    try:
        code = str(orjson.loads(await answer.content.read(MAX_PROBLEM_BYTES))["code"])
    except (ValueError, LookupError, TypeError):
        code = None
    return FeedUnavailable(f"the feed {answer.url.path} answered {answer.status} {code or ''}".rstrip(), code)
