"""Keeps the ledger of an owner's log and signs its head: each day, by the service's clock, and whenever it is asked to.

It reads the log as a relay does, after the fact: nothing waits for it. It signs nothing that contradicts the last head:
who has rewritten log and ledger finds that no new head comes, and why is told in the log and as a metric.
Two at once are harmless: the ledger takes each event once, and a head that is there is not written again.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import APIRouter, Depends, Request

from contracts.audit import Head
from contracts.merkle import root_of
from contracts.plan_actions import Privilege
from contracts.problems import Refused
from contracts.topics import Owner

from . import heads, http
from .auth import EVERYWHERE, Caller
from .clock import Clock, instant
from .event_store import EventStore, StoreError
from .ledger import CHUNK, Ledger
from .running import running

LOOK_EVERY_S = 2.0
WRITTEN_S, WRITTEN_WITHIN = 0.02, 50  # how long, and how often, to wait for a file that is empty yet

log = structlog.get_logger(__name__)

Found = TypeVar("Found")


class Disagrees(Exception):
    """What was signed does not agree with what is there now: somebody has to look. The text says what."""


CANNOT_SIGN = (Disagrees, heads.WrongKey, StoreError, sqlite3.Error, OSError, ValueError)


class Notary:
    """Made by `notarising`. trouble: why nothing is signed now, empty when all is well."""

    def __init__(self, owner: Owner, store: EventStore, ledger: Path, folder: Path, key: Path, clock: Clock) -> None:
        """ledger, key: files. folder: of heads."""
        self._owner, self._store, self._folder, self._clock = owner, store, folder, clock
        self._file, self._key = ledger, key
        self._ledger: Ledger | None = None
        self._thread = ThreadPoolExecutor(1, "notary")  # hashing and the ledger's disk keep nobody waiting
        self._turn = asyncio.Lock()
        self.trouble = ""

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._look()
                self.trouble = ""
            except Exception as error:  # whatever it is, it is told, and looked at again
                if self.trouble != (trouble := str(error) or type(error).__name__):
                    log.error("log_not_signed", owner=self._owner, reason=trouble)
                self.trouble = trouble
            await asyncio.sleep(LOOK_EVERY_S)

    async def sign(self) -> Head | None:
        """The head of the log as it is now, signed; None of an empty log. Raises what CANNOT_SIGN names."""
        async with self._turn:
            return await self._in_thread(self._signed, await self._read_up())

    async def close(self) -> None:
        if self._ledger:
            await self._in_thread(self._ledger.close)
        self._thread.shutdown()

    async def _look(self) -> None:
        async with self._turn:
            last = await self._read_up()
            if last is None or last.signed_at[:10] < instant(self._clock.now())[:10]:
                await self._in_thread(self._signed, last)

    async def _read_up(self) -> Head | None:
        """The last head, and the ledger up to the log's end: in this order, for another one of us may sign meanwhile
        what is not in our ledger yet."""
        await self._catch_up()
        return await self._in_thread(self._last)

    async def _catch_up(self) -> None:
        if self._ledger is None:
            self._ledger = await self._in_thread(lambda: Ledger.open(self._file))
        ledger = self._ledger
        _, after = await self._in_thread(ledger.end)
        if after > (head := await self._store.head()):
            raise Disagrees(f"the log ends at {head}, and the ledger at {after}: the log's tail was cut")
        batch = []
        async with aclosing(self._store.read_all(after)) as records:  # type: ignore[type-var]
            async for record in records:
                batch.append(record)
                if len(batch) == CHUNK:
                    await self._in_thread(ledger.take_in, batch)
                    batch = []
        if batch:
            await self._in_thread(ledger.take_in, batch)

    def _signed(self, last: Head | None) -> Head | None:
        assert self._ledger is not None
        signer, (size, position) = heads.Signer.from_file(self._key), self._ledger.end()
        if last:
            self._check(last, size)
        if not size or (last and last.size == size):
            return last
        head = Head(
            owner=self._owner,
            size=size,
            root=root_of(size, self._ledger.node).hex(),
            position=position,
            signed_at=instant(self._clock.now()),
            previous=last.digest() if last else "",
            key_id=signer.key_id,
        )
        try:
            file = heads.write(self._folder, signer.sign(head))
        except FileExistsError:  # another one of us was faster
            return self._last()
        log.info("head_signed", owner=self._owner, size=size, position=position, file=str(file))
        return heads.read(file)

    def _check(self, last: Head, size: int) -> None:
        assert self._ledger is not None
        if last.size > size:
            raise Disagrees(f"the ledger has {size} events, and {last.size} were signed: the log's tail was cut")
        if root_of(last.size, self._ledger.node).hex() != last.root:
            raise Disagrees(f"the first {last.size} events are not those that were signed at {last.signed_at}")

    def _last(self) -> Head | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (files := heads.files_of(self._folder, self._owner)):
            return None
        for _ in range(WRITTEN_WITHIN):  # another one of us may be writing it this moment
            if files[-1].stat().st_size:
                break
            time.sleep(WRITTEN_S)
        return heads.read(files[-1])

    async def _in_thread(self, work: Callable[..., Found], *values: Any) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)


@asynccontextmanager
async def notarising(notary: Notary) -> AsyncIterator[Notary]:
    """Runs it meanwhile."""
    try:
        async with running(notary.run()):
            yield notary
    finally:
        await notary.close()


router = APIRouter()


@router.post("/audit/heads", summary="Sign the head of the log now")
async def sign_head(request: Request, caller: Annotated[Caller, Depends(http.caller)]) -> dict[str, Any]:
    """{head, trouble}: what is signed now, null of an empty log; or why nothing can be. Where no head is signed
    (BILLING_AUDIT_HEADS), it is not found."""
    caller.require(EVERYWHERE, Privilege.AUDIT_READ)
    notary: Notary | None = request.state.notary
    if notary is None:
        raise Refused("not_found")
    try:
        head = await notary.sign()
    except CANNOT_SIGN as trouble:
        return {"head": None, "trouble": str(trouble)}
    return {"head": head and head.model_dump(), "trouble": ""}
