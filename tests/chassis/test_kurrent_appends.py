"""An append to KurrentDB that is answered late, twice, wrongly or not at all is one fact, or none, and said so."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from services.chassis import kurrent_store
from services.chassis.event_store import (
    NO_STREAM,
    AccessDenied,
    AppendResult,
    EventStore,
    NewEvent,
    OutcomeUnknown,
    StoreUnavailable,
    WrongExpectedRevision,
)
from services.chassis.kurrent_store import APPEND_TRIES, KurrentEventStore
from tests.doubles import kurrent_faults as faults
from tests.doubles.kurrent_faults import Fault
from tests.doubles.kurrent_log import Proposed
from tests.doubles.kurrentdb import KurrentDouble

from .event_store_contract import TIMEOUT_S, batch, everything, ids, new_stream
from .kurrent import opened, running


@pytest.fixture
async def server() -> AsyncIterator[KurrentDouble]:
    async with running() as double:
        yield double


@pytest.fixture
async def store(server: KurrentDouble) -> AsyncIterator[KurrentEventStore]:
    async with opened(server) as store:
        yield store


async def is_there_once(store: EventStore, stream: str, events: list[NewEvent], result: AppendResult) -> None:
    """As appended with this result."""
    records = await store.read_stream(stream)
    assert ids(records) == [event.event_id for event in events] == ids(await everything(store))
    assert (records[-1].revision, records[-1].position) == (result.revision, result.position)


@pytest.mark.parametrize(
    "fault",
    [
        faults.times_out_after_writing,
        faults.times_out_before_writing,
        faults.loses_the_connection_after_writing,
        faults.loses_the_connection_before_writing,
        faults.confirms_twice,
        faults.is_not_ready,
        faults.does_not_know_where,
    ],
)
async def test_an_append_whose_answer_goes_wrong_is_one_fact(
    server: KurrentDouble, store: KurrentEventStore, fault: Fault
) -> None:
    stream, events = new_stream(), batch(3)
    server.appends.append(fault)
    result = await store.append(stream, events, NO_STREAM)
    assert not server.appends
    await is_there_once(store, stream, events, result)
    assert await store.append(stream, events, NO_STREAM) == result
    assert (await store.append(stream, batch(1), result.revision)).revision == 3


async def test_an_append_whose_answer_was_lost_is_looked_up_not_sent_again(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    """A server that has not replicated it yet answers no repetition either."""
    server.appends.extend([faults.times_out_after_writing] * APPEND_TRIES)
    stream, events = new_stream(), batch(3)
    await is_there_once(store, stream, events, await store.append(stream, events, NO_STREAM))
    assert server.requests.count("append") == 1


async def test_an_append_carried_out_after_its_caller_gave_up_is_one_fact(
    server: KurrentDouble, store: KurrentEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kurrent_store, "CALL_S", 0.2)
    told, written = asyncio.Event(), asyncio.Event()
    server.appends.append(faults.writes_once_told(told, written))
    stream, events = new_stream(), batch(2)
    result = await store.append(stream, events, NO_STREAM)
    told.set()
    await asyncio.wait_for(written.wait(), TIMEOUT_S)
    await is_there_once(store, stream, events, result)


async def test_an_append_goes_on_when_its_caller_has_left_and_before_the_store_closes(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    server.appends.append(faults.times_out_before_writing)
    stream, events = new_stream(), batch(2)
    leaving = asyncio.ensure_future(store.append(stream, events, NO_STREAM))
    while "append" not in server.requests:  # noqa: ASYNC110
        await asyncio.sleep(0)
    leaving.cancel()
    await store.close()
    async with opened(server) as another:
        assert ids(await another.read_stream(stream)) == [event.event_id for event in events]


async def test_what_never_says_whether_it_was_appended_is_of_unknown_outcome_until_repeated(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    stream, events = new_stream(), batch(2)
    server.appends.extend([faults.times_out_before_writing] * APPEND_TRIES)
    with pytest.raises(OutcomeUnknown):
        await store.append(stream, events, NO_STREAM)
    await is_there_once(store, stream, events, await store.append(stream, events, NO_STREAM))


async def test_who_was_faster_while_an_append_was_in_doubt_has_won(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    stream = new_stream()
    await store.append(stream, batch(1), NO_STREAM)

    async def overtakes(node: KurrentDouble, *rest: object) -> object:
        faster = Proposed(str(uuid.uuid4()), "plans.PlanEdited.v1", "application/json", b"{}", b"{}")
        node.log.append(f"plans.{stream}", [faster], 0)
        return await faults.times_out_before_writing(node, *rest)

    server.appends.append(overtakes)
    with pytest.raises(WrongExpectedRevision) as conflict:
        await store.append(stream, batch(2), 0)
    assert conflict.value.actual == 1
    assert len(await store.read_stream(stream)) == 2


async def test_refused_credentials_are_told_apart_from_a_server_that_is_away(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    server.appends.append(faults.refuses)
    with pytest.raises(AccessDenied, match="refused our credentials"):
        await store.append(new_stream(), batch(1), NO_STREAM)


async def test_while_the_server_is_away_nothing_is_in_doubt_but_what_met_its_end(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    stream, events = new_stream(), batch(1)
    await server.stop()
    with pytest.raises(OutcomeUnknown):
        await store.append(stream, events, NO_STREAM)
    with pytest.raises(StoreUnavailable):
        await store.append(new_stream(), batch(1), NO_STREAM)
    asked = (store.check(), store.head(), store.read_stream(stream), everything(store))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    await server.start()
    await store.check()
    await is_there_once(store, stream, events, await store.append(stream, events, NO_STREAM))
