"""Carries out the rows of a file of edits, each as the command it is, under the caller's token and one key for all.

Each row's Idempotency-Key derives from the file's and the row's number: the same file sent again under its key gives
what was done before as it was answered then, and does the rest. So no job is kept anywhere, and whoever lost the answer
sends the file again. Rows of one plan go one after the other; of different plans, a few at once.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

from contracts.problems import Refused
from services.chassis.running import running
from services.gateway.inside import Commands, Members, Problem

from .results import Outcome, RowResult, not_tried, quoted, recorded, refused
from .rows import Row

AT_ONCE = 8  # plans; other requests must get through
INVALID = "invalid_request"
ANY = "*"  # whatever it is now

Try = Callable[[Row], Awaitable[RowResult]]


class BulkEdit:
    """revisions: of the account's plans when the file came, where nothing else may change them; else None."""

    def __init__(self, commands: Commands, revisions: Mapping[str, int] | None, key: str) -> None:
        self._commands, self._revisions = commands, revisions
        self._key = hashlib.sha256(key.encode()).hexdigest()[:32]
        self._left: dict[str, tuple[str, str]] = {}  # by bundle: the tag a row asked for, and the one it left

    async def dry_run(self, rows: Sequence[Row]) -> AsyncGenerator[RowResult, None]:
        """What each row would do by itself, in their order."""
        async with aclosing(_in_order(rows, self._quote)) as results:
            async for result in results:
                yield result

    async def one_by_one(self, rows: Sequence[Row]) -> AsyncGenerator[RowResult, None]:
        """A row that is refused keeps none of the others back."""
        async with aclosing(_in_order(rows, self._edit)) as results:
            async for result in results:
                yield result

    async def all_or_none(self, rows: Sequence[Row]) -> AsyncGenerator[RowResult, None]:
        """Nothing is done unless every row can be; what somebody else changes in that moment stops it where it is."""
        looked = [result async for result in _in_order(rows, self._quote_or_done)]  # read to its end, so it is closed
        stopped = any(result.outcome is Outcome.REFUSED for result in looked)
        for row, result in zip(rows, looked, strict=True):
            if result.outcome is not Outcome.WOULD_BE_DONE:
                yield result
            elif stopped:
                yield not_tried(row)
            else:
                done = await self._edit(row)
                stopped = done.outcome is Outcome.REFUSED
                yield done

    async def _quote(self, row: Row) -> RowResult:
        return await _tried(row, self._asked_for_quote)

    async def _quote_or_done(self, row: Row) -> RowResult:
        """A row that was done under this key before is refused a quote; sent again it gives its answer, or is refused
        for the same reason at the same revision."""
        result = await _tried(row, self._asked_for_quote)
        if row.wish and result.outcome in (Outcome.REFUSED, Outcome.UNCHANGED):
            done = await self._edit(row)
            return done if done.outcome is Outcome.DONE else result
        return result

    async def _edit(self, row: Row) -> RowResult:
        return await _tried(row, self._sent)

    async def _asked_for_quote(self, row: Row) -> RowResult:
        tag = self._tag(row)
        return quoted(
            row, await self._commands.command("quote_edit_plan", _body(row), None, tag, bundle_id=row.bundle_id)
        )

    async def _sent(self, row: Row) -> RowResult:
        tag, key = self._tag(row), f"bulk-{self._key}-{row.number}"
        answer = await self._commands.command("edit_plan", _body(row), key, tag, bundle_id=row.bundle_id)
        self._left[row.bundle_id] = (tag, f'"{answer["revision"]}"')
        return recorded(row, answer)

    def _tag(self, row: Row) -> str:
        """If-Match: what the row says of its plan; else, where nothing may change meanwhile, what the plan was when the
        file came. Rows of one plan are of one file: the second builds upon the first."""
        said = row.wish.revision if row.wish else None
        tag = f'"{said}"' if said is not None else self._pinned(row)
        found, left = self._left.get(row.bundle_id, ("", ""))
        return left if tag == found != ANY else tag

    def _pinned(self, row: Row) -> str:
        if self._revisions is None:
            return ANY
        if row.bundle_id not in self._revisions:
            raise Refused("plan_not_found")
        return f'"{self._revisions[row.bundle_id]}"'


def _body(row: Row) -> Members:
    assert row.wish is not None
    return row.wish.model_dump(mode="json", include={"quantity", "line_id", "effective_on"}, exclude_none=True)


async def _tried(row: Row, attempt: Try) -> RowResult:
    if row.wish is None:
        return refused(row, INVALID)
    try:
        return await attempt(row)
    except Problem as problem:
        return refused(row, problem.code, problem.document)
    except Refused as refusal:
        return refused(row, refusal.code, refusal.facts)


async def _in_order(rows: Sequence[Row], attempt: Try) -> AsyncGenerator[RowResult, None]:
    """Results in the rows' order, as soon as they are there."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
    results = {row.number: loop.create_future() for row in rows}
    plans: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        plans[row.bundle_id].append(row)

    async def one(of_plan: list[Row]) -> None:
        async with gate:
            for row in of_plan:
                try:
                    results[row.number].set_result(await attempt(row))
                except Exception as error:  # ours: whoever waits for the row hears of it
                    results[row.number].set_exception(error)

    async with running(*map(one, plans.values())):
        for row in rows:
            yield await results[row.number]
