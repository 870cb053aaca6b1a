"""The event store on KurrentDB (once EventStoreDB), for clusters: any number of processes append to one log.

Several owners share a database: the log of `plans` is all streams whose names begin with `plans.`, and nobody but
plans reads or writes them.

What it relies on besides the protocol (so the server's source says of appends to one stream, the only kind used here):
- An event's commit position is the place of its own record in the server's log, in bytes: it grows in commit order, has
  gaps, and no two events share one. Events of a transaction, which do share one, are refused (`recorded`).
- An append is answered with the position of its last event, and so is a repetition of it. What is answered otherwise is
  looked up in the stream.
- The leader answers reads with everything it has acknowledged, so no other node is asked.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog
from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import NotFoundError, WrongCurrentVersionError

from contracts.envelope import Record

from .batches import checked
from .event_store import (
    NO_STREAM,
    START,
    AccessDenied,
    AppendResult,
    CaughtUp,
    NewEvent,
    OutcomeUnknown,
    PositionInvalid,
    StoreError,
    StoreUnavailable,
    SubscriptionDropped,
    TooLarge,
    WrongExpectedRevision,
)
from .kurrent_connection import RETRIED_S, Connection
from .kurrent_wire import FAILURES, meaning, proposed, recorded, revision

CALL_S = 5.0  # of one request
APPEND_TRIES = 3
READ_TRIES = 2  # that bring nothing, one after the other
LAST = 2**63 - 1  # no position lies beyond

log = structlog.get_logger(__name__)


class KurrentEventStore:
    """Made by `open`."""

    def __init__(self, server: Connection, owner: str) -> None:
        self._server = server
        self._prefix = f"{owner}."
        self._doubtful = False  # the last append failed in a way that tells nothing

    @classmethod
    async def open(cls, uri: str, owner: str) -> "KurrentEventStore":
        """The log of `owner` in the database at `uri`, with the options and credentials kurrentdbclient knows (Tls,
        TlsCaFile, UserCertFile, UserKeyFile, …).

        Raises StoreUnavailable or AccessDenied with one sentence on what stands in the way, without credentials.
        """
        store = cls(Connection(uri), owner)
        try:
            await store.check()
        except StoreError as error:
            await store.close()
            raise error.with_traceback(None) from None  # gRPC's own story fills a screen
        return store

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        batch = checked(stream, events, expected)
        self._server.refuse_when_closed()
        # Shielded: the client leaves a request whose caller went away lying about on the connection.
        return await asyncio.shield(self._server.begun(self._append(stream, batch, expected)))

    async def read_stream(self, stream: str, after: int = NO_STREAM) -> list[Record]:
        self._server.refuse_when_closed()
        return await self._read_stream(stream, after)

    async def read_all(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record, None]:
        """Goes on behind what it has yielded when a request ends in between, as long as that helps."""
        end = await self._end(categories)
        if after < START or (after > end and after > await self.head()):
            raise PositionInvalid(f"{after} is not a position of this log")
        last, failures = after, 0
        while last < end:
            begun = last
            try:
                async with aclosing(self._events(last, categories)) as found:
                    async for record in found:
                        if record.position > end:
                            return
                        if record.position > last:  # a read begins with the event it is to follow
                            last = record.position
                            yield record
                failure: Exception = StoreUnavailable(f"{self._server.address} ended a read at {last}, before {end}")
            except StoreUnavailable as error:
                failure = error
            failures = failures + 1 if last == begun else 0
            if failures == READ_TRIES:
                raise failure

    async def subscribe(self, after: int, categories: Sequence[str] = ()) -> AsyncGenerator[Record | CaughtUp, None]:
        """Outlives restarts and changes of the leader: it begins again behind the last event, however long that takes.
        It is dropped when the store is closed, refuses us, or has lost what it gave."""
        last, caught_up, failures = after, False, 0
        while True:
            try:
                if not caught_up:
                    async with aclosing(self.read_all(last, categories)) as known:
                        async for record in known:
                            last, failures = record.position, 0
                            yield record
                    caught_up = True
                    yield CaughtUp()
                async with aclosing(self._events(last, categories, live=True)) as news:
                    async for record in news:
                        failures = 0
                        if record.position > last:  # else it was sent twice
                            last = record.position
                            yield record
                reason = "it ended"
            except (AccessDenied, PositionInvalid) as error:
                if not caught_up and last == after:
                    raise
                raise SubscriptionDropped(last) from error
            except StoreUnavailable as error:
                if self._server.closed.is_set():
                    raise SubscriptionDropped(last) from error
                reason = str(error)
            failures += 1
            log.warning("subscription_interrupted", log=self._prefix, after=last, reason=reason)
            await self._server.pause(failures)

    async def head(self) -> int:
        """Costs as much as others have written since our last event: the server looks for it from its end backwards."""
        return await self._end(())

    async def check(self) -> None:
        """Only the leader answers, so who is answered can append."""
        self._server.refuse_when_closed()
        await self._server.asked(self._server.client.get_current_version(f"{self._prefix}nothing-0", timeout=CALL_S))

    async def close(self) -> None:
        await self._server.close()

    # Appending

    async def _append(self, stream: str, batch: Sequence[NewEvent], expected: int) -> AppendResult:
        if self._doubtful:  # else a database that is away would leave every command in doubt
            await self.check()
        current = StreamState.NO_STREAM if expected == NO_STREAM else expected
        events, name = proposed(batch), f"{self._prefix}{stream}"
        for _ in range(APPEND_TRIES):
            try:
                async with asyncio.timeout(RETRIED_S):
                    position = await self._server.client.append_to_stream(
                        name, events=events, current_version=current, timeout=CALL_S
                    )
                self._doubtful = False
                if START < position <= LAST:
                    return AppendResult(expected + len(batch), position)
            except WrongCurrentVersionError as error:
                raise WrongExpectedRevision(stream, expected, revision(error.actual_version)) from error
            except FAILURES as error:
                if isinstance(refusal := meaning(error, self._server.address), AccessDenied | TooLarge):
                    raise refusal from error
                log.warning("append_in_doubt", stream=stream, reason=str(refusal))
                self._doubtful = True
            if result := await self._settled(stream, batch, expected):
                return result
        raise OutcomeUnknown(f"{self._server.address} does not say whether it appended to {stream}")

    async def _settled(self, stream: str, batch: Sequence[NewEvent], expected: int) -> AppendResult | None:
        """The original result if these events lie where they were meant to, None if nothing does yet: they may be on
        their way. Raises WrongExpectedRevision, OutcomeUnknown."""
        try:
            present = await self._read_stream(stream, expected)
        except StoreError as error:
            raise OutcomeUnknown(f"{error}; it may have appended to {stream}") from error
        if not present:
            return None
        ours = present[: len(batch)]
        if [record.event_id for record in ours] != [event.event_id for event in batch]:
            raise WrongExpectedRevision(stream, expected, present[-1].revision)
        return AppendResult(ours[-1].revision, ours[-1].position)

    # Reading

    async def _read_stream(self, stream: str, after: int) -> list[Record]:
        name = f"{self._prefix}{stream}"
        try:
            events = await self._server.asked(
                self._server.client.get_stream(name, stream_position=after + 1, timeout=CALL_S)
            )
        except NotFoundError:
            return []
        records = [recorded(event, self._prefix) for event in events]
        if [record.revision for record in records] != list(range(after + 1, after + 1 + len(records))):
            raise StoreUnavailable(f"{name} is not whole after revision {after}: has it been truncated?")
        return records

    async def _end(self, categories: Sequence[str]) -> int:
        """The position of the last event of these categories, START when there is none."""
        self._server.refuse_when_closed()
        patterns = "|".join(map(re.escape, self._prefixes(categories)))
        return await self._server.asked(
            self._server.client.get_commit_position(
                filter_include=(f"({patterns}).*",), filter_by_stream_name=True, timeout=CALL_S
            )
        )

    async def _events(
        self, position: int, categories: Sequence[str], live: bool = False
    ) -> AsyncGenerator[Record, None]:
        """The log from `position` on to its end; or, live, after it for ever. Raises StoreError when it breaks off."""
        if live and position > await self.head():
            # The server would wait in silence until its log is that long.
            raise PositionInvalid(f"{self._server.address} has lost what lay before {position}")
        async with aclosing(self._server.events(position, self._prefixes(categories), live)) as events:
            async for event in events:
                yield recorded(event, self._prefix)

    def _prefixes(self, categories: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{self._prefix}{category}-" for category in sorted({*categories})) or (self._prefix,)
