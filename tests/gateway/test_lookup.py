"""Look-ups of many readers as one query: each gets a row as it was after he asked."""

import asyncio

import pytest

from services.gateway.lookup import Lookup
from tests.engines import until


class Rows:
    """Rows that change, and a query that takes as long as the test says."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes | None] = {"a": b"1", "b": b"2"}
        self.asked: list[list[str]] = []
        self.may_answer = asyncio.Event()
        self.away = False

    async def find(self, keys: list[str]) -> dict[str, bytes | None]:
        self.asked.append(keys)
        found = {key: self.rows[key] for key in keys if key in self.rows}
        await self.may_answer.wait()
        if self.away:
            raise ConnectionError("away")
        return found


async def test_who_asks_during_a_query_is_answered_by_the_next_one_with_all_others() -> None:
    rows = Rows()
    lookup = Lookup(rows.find)
    first = asyncio.create_task(lookup.row("a"))
    await until(lambda: rows.asked)
    rows.rows["a"] = b"newer"  # what was committed before somebody asks, he sees
    later = [asyncio.create_task(lookup.row(key)) for key in ("a", "b", "a", "c")]
    await asyncio.sleep(0)
    rows.may_answer.set()
    assert await first == b"1"
    assert await asyncio.gather(*later) == [b"newer", b"2", b"newer", None]
    assert rows.asked == [["a"], ["a", "b", "c"]]


async def test_a_failure_is_told_to_all_who_asked_and_the_next_query_goes_on() -> None:
    rows = Rows()
    rows.may_answer.set()
    rows.away = True
    lookup = Lookup(rows.find)
    outcomes = await asyncio.gather(lookup.row("a"), lookup.row("b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 2
    rows.away = False
    assert await lookup.row("a") == b"1"


async def test_a_reader_who_leaves_takes_nothing_from_the_others() -> None:
    rows = Rows()
    lookup = Lookup(rows.find)
    leaving, staying = (asyncio.create_task(lookup.row("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    rows.may_answer.set()
    assert await staying == b"1"
