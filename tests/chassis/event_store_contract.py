"""What every event store promises (services.chassis.event_store), as one suite that each engine's tests inherit."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

import pytest

from contracts.envelope import Record
from services.chassis.event_store import (
    MAX_BATCH_BYTES,
    MAX_EVENT_BYTES,
    NO_STREAM,
    START,
    AppendResult,
    CaughtUp,
    EventStore,
    NewEvent,
    PositionInvalid,
    StoreUnavailable,
    SubscriptionDropped,
    TooLarge,
    WrongExpectedRevision,
)

TIMEOUT_S = 20
Item = TypeVar("Item")


def new_stream(category: str = "plan") -> str:
    return f"{category}-{uuid.uuid4()}"


def event(data: bytes = b'{"to":6}') -> NewEvent:
    return NewEvent(str(uuid.uuid4()), "plans.PlanEdited", 1, b'{"account_id":"acme"}', data)


def batch(size: int) -> list[NewEvent]:
    return [event(b'{"n":%d}' % n) for n in range(size)]


async def everything(store: EventStore, after: int = START, *categories: str) -> list[Record]:
    return [record async for record in store.read_all(after, categories)]


async def take(source: AsyncIterator[Item], count: int) -> list[Item]:
    """The next `count` items, or a TimeoutError."""
    async with asyncio.timeout(TIMEOUT_S):
        return [await anext(source) for _ in range(count)]


def ids(records: list[Record]) -> list[str]:
    return [record.event_id for record in records]


class EventStoreContract:
    """Subclasses give a fixture `store`: an empty EventStore of theirs."""

    async def test_a_stream_never_written_reads_as_empty(self, store: EventStore) -> None:
        assert await store.read_stream(new_stream()) == []
        assert await everything(store) == []
        assert await store.head() == START

    async def test_what_was_appended_reads_back_byte_for_byte(self, store: EventStore) -> None:
        stream = new_stream()
        written = NewEvent(str(uuid.uuid4()), "plans.PlanEdited", 3, b'{"b": 1,\t"a":2}', '{"név": "é\\n😀"}'.encode())
        result = await store.append(stream, [written], NO_STREAM)
        (record,) = await store.read_stream(stream)
        assert record == Record(
            result.position, stream, 0, written.event_id, written.type, 3, written.metadata, written.data
        )
        assert await everything(store) == [record]
        assert await store.head() == record.position

    async def test_revisions_are_contiguous_from_zero_and_positions_increase(self, store: EventStore) -> None:
        one, other = new_stream(), new_stream()
        first = await store.append(one, batch(2), NO_STREAM)
        second = await store.append(other, batch(1), NO_STREAM)
        third = await store.append(one, batch(3), first.revision)
        assert (first.revision, second.revision, third.revision) == (1, 0, 4)
        assert START < first.position < second.position < third.position
        assert [record.revision for record in await store.read_stream(one)] == [0, 1, 2, 3, 4]
        assert (await store.read_stream(one))[-1].position == third.position
        positions = [record.position for record in await everything(store)]
        assert positions == sorted(set(positions))

    @pytest.mark.parametrize("expected", [NO_STREAM, 0, 2, 7])
    async def test_somebody_elses_revision_appends_nothing(self, store: EventStore, expected: int) -> None:
        stream = new_stream()
        await store.append(stream, batch(2), NO_STREAM)
        before = await everything(store)
        with pytest.raises(WrongExpectedRevision) as conflict:
            await store.append(stream, batch(3), expected)
        assert conflict.value.actual == 1
        assert await everything(store) == before

    async def test_expecting_events_in_a_new_stream_is_a_conflict(self, store: EventStore) -> None:
        with pytest.raises(WrongExpectedRevision) as conflict:
            await store.append(new_stream(), batch(1), 0)
        assert conflict.value.actual == NO_STREAM

    async def test_a_repeated_append_gives_the_original_result(self, store: EventStore) -> None:
        stream, events = new_stream(), batch(3)
        await store.append(stream, batch(1), NO_STREAM)
        original = await store.append(stream, events, 0)
        await store.append(stream, batch(2), original.revision)
        await store.append(new_stream(), batch(1), NO_STREAM)
        before = await everything(store)
        assert await store.append(stream, events, 0) == original
        second = (await store.read_stream(stream))[2]
        assert await store.append(stream, events[:2], 0) == AppendResult(2, second.position)
        assert await everything(store) == before

    async def test_known_ids_in_another_place_or_company_are_a_conflict(self, store: EventStore) -> None:
        stream, events = new_stream(), batch(3)
        await store.append(stream, events, NO_STREAM)
        for sent, expected in (
            (events[1:], NO_STREAM),
            (events[:1], 0),
            ([*events, event()], NO_STREAM),
            (list(reversed(events)), NO_STREAM),
            ([replace(events[0], event_id=str(uuid.uuid4())), *events[1:]], NO_STREAM),
        ):
            with pytest.raises(WrongExpectedRevision):
                await store.append(stream, sent, expected)
        assert ids(await store.read_stream(stream)) == [sent.event_id for sent in events]

    async def test_the_same_append_many_times_at_once_is_one_fact(self, store: EventStore) -> None:
        stream, events = new_stream(), batch(2)
        results = await asyncio.gather(*(store.append(stream, events, NO_STREAM) for _ in range(20)))
        assert len(set(results)) == 1
        assert len(await store.read_stream(stream)) == 2

    async def test_of_many_with_one_expectation_one_wins(self, store: EventStore) -> None:
        stream = new_stream()
        attempts = [store.append(stream, batch(2), NO_STREAM) for _ in range(32)]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(AppendResult) == 1
        assert [type(outcome) for outcome in outcomes].count(WrongExpectedRevision) == 31
        assert len(await store.read_stream(stream)) == 2

    async def test_32_writers_lose_and_double_nothing(self, store: EventStore) -> None:
        shared, each = new_stream(), 25
        acknowledged: dict[str, AppendResult] = {}

        async def write(own: str) -> None:
            revision = NO_STREAM
            for _ in range(each):
                events = batch(2)
                result = await store.append(own, events, revision)
                revision = result.revision
                acknowledged[events[-1].event_id] = result
            while True:  # and one event into the stream all fight over
                try:
                    contested = event()
                    present = len(await store.read_stream(shared)) - 1
                    acknowledged[contested.event_id] = await store.append(shared, [contested], present)
                    return
                except WrongExpectedRevision:
                    continue

        streams = [new_stream() for _ in range(32)]
        await asyncio.gather(*map(write, streams))
        log = await everything(store)
        assert len(log) == 32 * (2 * each + 1) == len(set(ids(log)))
        stored = {record.event_id: AppendResult(record.revision, record.position) for record in log}
        assert {event_id: stored[event_id] for event_id in acknowledged} == acknowledged
        for stream in (*streams, shared):
            records = await store.read_stream(stream)
            assert [record.revision for record in records] == list(range(len(records)))
            assert records == [record for record in log if record.stream == stream]

    async def test_a_conflict_hurts_nobody_who_writes_at_the_same_time(self, store: EventStore) -> None:
        taken = new_stream()
        await store.append(taken, batch(1), NO_STREAM)
        streams = [new_stream() if number % 3 else taken for number in range(60)]
        attempts = [store.append(stream, batch(2), NO_STREAM) for stream in streams]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        for stream, outcome in zip(streams, outcomes, strict=True):
            assert isinstance(outcome, WrongExpectedRevision if stream == taken else AppendResult)
        assert [len(await store.read_stream(stream)) for stream in streams] == [
            1 if stream == taken else 2 for stream in streams
        ]

    async def test_a_caller_who_went_away_breaks_nothing(self, store: EventStore) -> None:
        attempts = [asyncio.ensure_future(store.append(new_stream(), batch(1), NO_STREAM)) for _ in range(20)]
        await asyncio.sleep(0)
        for attempt in attempts[::2]:
            attempt.cancel()
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert all(isinstance(outcome, AppendResult) for outcome in outcomes[1::2])
        stream = new_stream()
        await store.append(stream, batch(1), NO_STREAM)
        assert len(await store.read_stream(stream)) == 1

    async def test_after_is_exclusive_everywhere(self, store: EventStore) -> None:
        stream = new_stream()
        await store.append(stream, batch(4), NO_STREAM)
        records = await store.read_stream(stream)
        assert await store.read_stream(stream, after=1) == records[2:]
        assert await store.read_stream(stream, after=3) == []
        assert await store.read_stream(stream, after=99) == []
        assert await everything(store, records[1].position) == records[2:]
        assert await everything(store, records[3].position) == []
        async with aclosing(store.subscribe(records[1].position)) as subscription:
            assert await take(subscription, 3) == [*records[2:], CaughtUp()]

    async def test_categories_choose_what_is_read(self, store: EventStore) -> None:
        for category in ("plan", "catalogue", "plan", "planning", "catalogue"):
            await store.append(new_stream(category), batch(2), NO_STREAM)
        log = await everything(store)
        plans = [record for record in log if record.stream.startswith("plan-")]
        books = [record for record in log if record.stream.startswith("catalogue-")]
        assert len(plans) == len(books) == 4
        assert await everything(store, START, "plan") == plans
        assert await everything(store, plans[1].position, "plan") == plans[2:]
        assert await everything(store, START, "catalogue", "plan", "plan") == sorted(
            plans + books, key=lambda record: record.position
        )
        assert await everything(store, START, "device") == []

    @pytest.mark.parametrize("beyond", [-1, 1])
    async def test_a_position_the_log_never_gave_is_invalid(self, store: EventStore, beyond: int) -> None:
        await store.append(new_stream(), batch(1), NO_STREAM)
        position = -1 if beyond < 0 else await store.head() + beyond
        with pytest.raises(PositionInvalid):
            await everything(store, position)
        with pytest.raises(PositionInvalid):
            await take(store.subscribe(position), 1)

    async def test_a_long_log_is_read_whole(self, store: EventStore) -> None:
        """Longer than any engine's chunk, in events and in bytes."""
        streams = [new_stream("plan" if number % 2 else "lease") for number in range(6)]
        for stream in streams:
            await store.append(stream, batch(307), NO_STREAM)
        for revision in range(10):
            large = [event(b'"%b"' % (b"x" * 200_000)) for _ in range(4)]
            await store.append(streams[0], large, 306 + 4 * revision)
        log = await everything(store)
        assert len(log) == len(set(ids(log))) == 6 * 307 + 40
        assert [record.position for record in log] == sorted(record.position for record in log)
        leases = [record for record in log if record.stream.startswith("lease-")]
        assert await everything(store, START, "lease") == leases
        assert await store.read_stream(streams[0]) == [record for record in log if record.stream == streams[0]]

    async def test_a_subscription_catches_up_says_so_and_goes_on(self, store: EventStore) -> None:
        stream = new_stream()
        await store.append(stream, batch(2), NO_STREAM)
        async with aclosing(store.subscribe(START)) as subscription:
            caught_up = await take(subscription, 3)
            assert caught_up == [*await store.read_stream(stream), CaughtUp()]
            for revision in (1, 2, 3):
                await store.append(stream, batch(1), revision)
                assert await take(subscription, 1) == await store.read_stream(stream, revision)

    async def test_a_subscription_to_an_empty_log_is_caught_up_at_once(self, store: EventStore) -> None:
        async with aclosing(store.subscribe(START, ["plan"])) as subscription:
            assert await take(subscription, 1) == [CaughtUp()]
            waiting = asyncio.ensure_future(take(subscription, 2))
            await store.append(new_stream("lease"), batch(1), NO_STREAM)
            stream = new_stream("plan")
            await store.append(stream, batch(2), NO_STREAM)
            assert await waiting == await store.read_stream(stream)

    async def test_a_subscription_begun_among_appends_sees_each_event_once(self, store: EventStore) -> None:
        writers, each, quarter = 8, 60, asyncio.Event()
        appended: list[int] = []

        async def write() -> None:
            stream = new_stream()
            for revision in range(each):
                result = await store.append(stream, batch(1), revision - 1)
                appended.append(result.position)
                if len(appended) >= writers * each // 4:
                    quarter.set()
                await asyncio.sleep(0)  # an engine may answer without ever giving way

        writing = [asyncio.ensure_future(write()) for _ in range(writers)]
        await quarter.wait()
        known = await everything(store)
        begun_after, already = known[-20].position, len(known) - 19
        seen: list[Record | CaughtUp] = []
        async with aclosing(store.subscribe(begun_after)) as subscription, asyncio.timeout(TIMEOUT_S):
            async for item in subscription:
                seen.append(item)
                if len(seen) == writers * each - already + 1:
                    break
        await asyncio.gather(*writing)
        assert seen.count(CaughtUp()) == 1
        assert seen.index(CaughtUp()) >= 19
        assert [item for item in seen if isinstance(item, Record)] == await everything(store, begun_after)

    async def test_subscriptions_do_not_disturb_each_other(self, store: EventStore) -> None:
        subscriptions = [store.subscribe(START) for _ in range(3)]
        for subscription in subscriptions:
            assert await take(subscription, 1) == [CaughtUp()]
        await subscriptions[0].aclose()
        await store.append(new_stream(), batch(2), NO_STREAM)
        log = await everything(store)
        assert await take(subscriptions[1], 2) == log
        assert await take(subscriptions[2], 2) == log

    async def test_sizes_are_limited_alike_everywhere(self, store: EventStore) -> None:
        metadata = len(event().metadata)
        stream, largest = new_stream(), b"x" * (MAX_EVENT_BYTES - metadata)
        result = await store.append(stream, [event(largest)], NO_STREAM)
        with pytest.raises(TooLarge):
            await store.append(stream, [event(), event(largest + b"x")], result.revision)
        fifth = b"x" * (MAX_BATCH_BYTES // 5 - metadata)
        with pytest.raises(TooLarge):
            await store.append(stream, [event(fifth) for _ in range(6)], result.revision)
        await store.append(stream, [event(fifth) for _ in range(5)], result.revision)
        assert len(await store.read_stream(stream)) == 6

    @pytest.mark.parametrize(
        "stream", ["plan", "-1", "plan-", "", "plan-é", "plan-1 2", "1plan-1", "$all-1", "plan-1\n"]
    )
    async def test_a_stream_is_named_category_id(self, store: EventStore, stream: str) -> None:
        with pytest.raises(ValueError, match="stream name"):
            await store.append(stream, batch(1), NO_STREAM)

    async def test_an_append_needs_events_and_a_definite_expectation(self, store: EventStore) -> None:
        with pytest.raises(ValueError, match="no event"):
            await store.append(new_stream(), [], NO_STREAM)
        with pytest.raises(ValueError, match="expect"):
            await store.append(new_stream(), batch(1), -2)

    async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(self, store: EventStore) -> None:
        await store.check()
        stream = new_stream()
        accepted = [asyncio.ensure_future(store.append(new_stream(), batch(1), NO_STREAM)) for _ in range(50)]
        await asyncio.sleep(0)
        await store.close()
        assert all(isinstance(result, AppendResult) for result in await asyncio.gather(*accepted))
        for refused in (
            store.append(stream, batch(1), NO_STREAM),
            store.read_stream(stream),
            store.head(),
            store.check(),
            everything(store),
        ):
            with pytest.raises(StoreUnavailable):
                await refused
        await store.close()

    async def test_a_subscription_ends_with_an_error_that_says_where_to_go_on(self, store: EventStore) -> None:
        result = await store.append(new_stream(), batch(2), NO_STREAM)
        subscription = store.subscribe(START)
        await take(subscription, 3)
        waiting = asyncio.ensure_future(take(subscription, 1))
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(SubscriptionDropped) as dropped:
            await waiting
        assert dropped.value.last_position == result.position
