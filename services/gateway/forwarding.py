"""Passes a command on to the service that decides it, with the caller's token, and its answer back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.requests import Request
from starlette.responses import Response
from yarl import URL

from contracts.problems import Refused
from services.chassis import logs
from services.chassis.problems import MEDIA_TYPE

CONNECT_S = 1.0
POOL_S = 5.0  # for a free connection; longer means more requests at once than the owner can take
ANSWER_S = 15.0
CONNECTIONS = 256
IDLE_S = 30.0  # below the 75 s after which our services close an idle connection

# What only the caller knows, and what only the owner knows. Nothing else crosses.
SENT = ("authorization", "content-type", "idempotency-key", "if-match")
RETURNED = ("content-type", "etag", "billing-position", "retry-after", "location", "www-authenticate")


@asynccontextmanager
async def connections() -> AsyncIterator[aiohttp.ClientSession]:
    """Pooled connections to the owners. They keep no cookies: one caller's must not travel with another's request."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_S),
        timeout=aiohttp.ClientTimeout(total=ANSWER_S, connect=POOL_S, sock_connect=CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:
        yield session


class Forwarder:
    """To one owner. url: its origin."""

    def __init__(self, session: aiohttp.ClientSession, url: str, owner: str) -> None:
        self._session, self._url, self._owner = session, url.rstrip("/"), owner

    async def forward(self, request: Request, path: str) -> Response:
        """The owner's answer to the request's body at `path`, an absolute path that the caller has put together from
        checked parts. Raises Refused owner_unavailable; `outcome` says whether the command may have been recorded."""
        body = await request.body()
        try:
            async with self._session.request(
                request.method,
                URL(self._url + path, encoded=True),
                data=body,
                headers=_sent(request),
                allow_redirects=False,
            ) as answer:
                return await self._passed_back(answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._unavailable("not_recorded") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable("unknown") from error

    async def _passed_back(self, answer: aiohttp.ClientResponse) -> Response:
        if answer.status >= 500 and answer.content_type != MEDIA_TYPE:  # something in between, or half dead
            raise self._unavailable("unknown")
        headers = {name: answer.headers[name] for name in RETURNED if name in answer.headers}
        return Response(await answer.read(), answer.status, headers)

    def _unavailable(self, outcome: str) -> Refused:
        return Refused("owner_unavailable", owner=self._owner, outcome=outcome)


def _sent(request: Request) -> dict[str, str]:
    headers = {name: value for name in SENT if (value := request.headers.get(name)) is not None}
    headers["X-Correlation-Id"] = logs.correlation_id.get()
    if trace := logs.traceparent.get():
        headers["traceparent"] = trace
    return headers
