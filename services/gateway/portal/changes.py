"""Tells open pages that something of their account has changed: server-sent events, one look for all of an account's
pages at what the read store holds. A page then asks for itself again, by the same reads as ever."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse

from services.gateway.projections import PROJECTIONS
from services.gateway.read_store import ReadStore, ReadStoreUnavailable

from .visits import HEADERS, Visit

LOOK_EVERY_S = 0.5
HELLO_EVERY_S = 15.0
STREAM_S = 300.0  # then the browser comes again, with a session that may have ended meanwhile


class Changes:
    """One process's pages. A look takes a few row look-ups, and there is one for an account while anybody listens."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._listening: dict[str, int] = {}
        self._moved = asyncio.Condition()
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def of(self, store: ReadStore, account_id: str) -> AsyncGenerator[str, None]:
        """A mark at once, and another one whenever the account's rows are others; empty now and then in between."""
        self._listening[account_id] = self._listening.get(account_id, 0) + 1
        if account_id not in self._looking:
            self._looking[account_id] = asyncio.create_task(self._look(store, account_id))
        try:
            told = self._marks.setdefault(account_id, await mark_of(store, account_id))
            yield told
            while True:
                try:
                    async with asyncio.timeout(HELLO_EVERY_S), self._moved:
                        await self._moved.wait_for(lambda told=told: self._marks.get(account_id) != told)  # type: ignore[misc]
                    told = self._marks[account_id]
                    yield told
                except TimeoutError:
                    yield ""
        finally:
            self._listening[account_id] -= 1
            if not self._listening[account_id]:
                del self._listening[account_id]
                self._looking.pop(account_id).cancel()
                self._marks.pop(account_id, None)

    async def _look(self, store: ReadStore, account_id: str) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                mark = await mark_of(store, account_id)
            except ReadStoreUnavailable:
                continue
            if mark != self._marks.get(account_id):
                async with self._moved:
                    self._marks[account_id] = mark
                    self._moved.notify_all()


async def mark_of(store: ReadStore, account_id: str) -> str:
    digest = hashlib.blake2b(digest_size=9)
    for projection in PROJECTIONS:
        for row in await store.rows_of(projection.TABLE, account_id):
            digest.update(hashlib.blake2b(row, digest_size=16).digest())
    return digest.hexdigest()


async def changes(visit: Visit) -> Response:
    visit.caller.privileges_in(visit.account_id)
    marks: Changes = visit.request.app.state.changes
    headers = {**HEADERS, "X-Accel-Buffering": "no"}
    told = _events(marks, visit.request.state.reads.store, visit.account_id)
    return StreamingResponse(told, headers=headers, media_type="text/event-stream")


async def _events(marks: Changes, store: ReadStore, account_id: str) -> AsyncIterator[bytes]:
    try:
        async with asyncio.timeout(STREAM_S):
            async with aclosing(marks.of(store, account_id)) as told:
                async for mark in told:
                    yield f"event: changed\ndata: {mark}\n\n".encode() if mark else b": still here\n\n"
    except TimeoutError:
        return
