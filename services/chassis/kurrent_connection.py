"""A connection to KurrentDB: the client, with what it throws told in the words of the port, and an orderly end."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import suppress
from random import uniform
from typing import Any, TypeVar

from kurrentdbclient import AsyncKurrentDBClient, RecordedEvent
from kurrentdbclient.common import AsyncRecordedEventIterator
from kurrentdbclient.exceptions import NotFoundError

from .event_store import StoreError, StoreUnavailable
from .kurrent_wire import CHANNEL_OPTIONS, FAILURES, UNREACHABLE, connection_string, meaning, public

RETRIED_S = 12.0  # of a call with the requests that the client repeats by itself
LONG_READ_S = 60.0  # of one request of a long read, which goes on with the next
CLOSE_TIMEOUT_S = 10.0
MAX_PAUSE_S = 5.0
SEARCH_WINDOW = 1_000  # events the server looks through at a time for those of one log

Found = TypeVar("Found")


class Connection:
    """address: as it may be told. closed: set when `close` begins."""

    def __init__(self, uri: str) -> None:
        """Raises StoreUnavailable when it is no address."""
        try:
            self.address = public(uri)
        except ValueError as error:
            raise StoreUnavailable(str(error)) from None
        self.closed = asyncio.Event()
        self._under_way: set[asyncio.Task[Any]] = set()
        try:
            self.client = AsyncKurrentDBClient(connection_string(uri))
        except (ValueError, OSError) as error:
            reason = str(error).partition(uri)[0].rstrip(": ")
            raise StoreUnavailable(f"{self.address} is no address of KurrentDB: {reason}") from None
        self.client.grpc_options += CHANNEL_OPTIONS

    async def close(self) -> None:
        """Finishes what was begun, for CLOSE_TIMEOUT_S at most."""
        if self.closed.is_set():
            return
        self.closed.set()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSE_TIMEOUT_S)
        with suppress(*FAILURES):
            await self.client.close()

    def refuse_when_closed(self) -> None:
        if self.closed.is_set():
            raise StoreUnavailable(f"{self.address} was closed")

    def begun(self, work: Coroutine[Any, Any, Found]) -> asyncio.Task[Found]:
        """What is begun is finished before the connection closes: a client closed meanwhile may never answer."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def asked(self, answer: Coroutine[Any, Any, Found]) -> Found:
        """Raises NotFoundError and StoreError."""
        try:
            async with asyncio.timeout(RETRIED_S):
                return await self.begun(answer)
        except NotFoundError:
            raise
        except Exception as error:
            if meant := self._meaning(error):
                raise meant from error
            raise

    async def events(self, position: int, prefixes: Sequence[str], live: bool) -> AsyncGenerator[RecordedEvent, None]:
        """Of streams whose names begin so: from `position` on to the end of the log; or, live, after it for ever.

        Raises StoreError when it breaks off.
        """
        self.refuse_when_closed()
        try:
            found = await self.begun(self._opened(position, prefixes, live))
            connection = self.client.connection_id
            try:
                # Not `async with`: in it, a lost connection looks like the end of the log.
                async for event in found:
                    yield event
            except UNREACHABLE:
                async with asyncio.timeout(RETRIED_S):
                    await self.client.reconnect(connection_id=connection)  # maybe another node leads now
                raise
            finally:
                with suppress(*FAILURES):
                    await found.stop()
        except Exception as error:
            if meant := self._meaning(error):
                raise meant from error
            raise

    async def pause(self, failures: int) -> None:
        """Exponential back-off with jitter, bounded by MAX_PAUSE_S and by the end of the connection."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(MAX_PAUSE_S, 0.05 * 2 ** min(failures, 10)) * uniform(0.5, 1)):
                await self.closed.wait()

    async def _opened(self, position: int, prefixes: Sequence[str], live: bool) -> AsyncRecordedEventIterator:
        async with asyncio.timeout(RETRIED_S):
            if live:
                return await self.client.subscribe_to_all(
                    commit_position=position or None,
                    filter_include=prefixes,  # a string would be one prefix per character
                    filter_by_stream_name=True,
                    filter_by_prefix=True,
                    window_size=SEARCH_WINDOW,
                )
            return await self.client.read_all(
                commit_position=position or None,
                filter_include=prefixes,
                filter_by_stream_name=True,
                filter_by_prefix=True,
                timeout=LONG_READ_S,
            )

    def _meaning(self, error: Exception) -> StoreError | None:
        if self.closed.is_set():  # a client that is closed throws whatever its parts throw
            return StoreUnavailable(f"{self.address} was closed")
        return meaning(error, self.address) if isinstance(error, FAILURES) else None
