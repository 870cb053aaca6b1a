"""The KurrentDB engine: the contract on the double and on a real server."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from services.chassis.event_store import (
    NO_STREAM,
    START,
    AppendResult,
    PositionInvalid,
    StoreUnavailable,
    WrongExpectedRevision,
)
from services.chassis.kurrent_store import KurrentEventStore
from tests.doubles.kurrent_log import KurrentLog
from tests.doubles.kurrentdb import KurrentDouble

from .event_store_contract import EventStoreContract, batch, everything, ids, new_stream, take
from .kurrent import opened, running


@pytest.fixture
async def server() -> AsyncIterator[KurrentDouble]:
    async with running() as double:
        yield double


@pytest.fixture
async def store(server: KurrentDouble) -> AsyncIterator[KurrentEventStore]:
    async with opened(server) as store:
        yield store


class TestKurrentEventStore(EventStoreContract):
    pass


class TestKurrentEventStoreOnARealServer(EventStoreContract):
    @pytest.fixture
    async def store(self, kurrentdb_uri: str) -> AsyncIterator[KurrentEventStore]:
        """A log of its own for each test: nobody can empty a server."""
        store = await KurrentEventStore.open(kurrentdb_uri, f"test{uuid.uuid4().hex}")
        yield store
        await store.close()


async def test_owners_of_one_database_see_their_own_events_only(server: KurrentDouble) -> None:
    async with opened(server, "plans") as plans, opened(server, "planstwo") as other:
        stream = new_stream()
        assert await other.append(stream, batch(2), NO_STREAM) != await plans.append(stream, batch(3), NO_STREAM)
        server.log.append_as_a_stranger()
        assert len(await plans.read_stream(stream)) == len(await everything(plans)) == 3
        assert len(await everything(plans, START, "plan")) == 3
        assert len(await everything(other)) == 2
        subscription = plans.subscribe(await plans.head())
        await take(subscription, 1)
        await other.append(stream, batch(1), 1)
        server.log.append_as_a_stranger()
        appended = batch(1)
        await plans.append(stream, appended, 2)
        assert ids(await take(subscription, 1)) == [appended[0].event_id]
        await subscription.aclose()


async def test_processes_that_share_a_log_agree_on_who_was_first(server: KurrentDouble) -> None:
    async with opened(server) as one, opened(server) as two:
        stream = new_stream()
        attempts = [store.append(stream, batch(2), NO_STREAM) for store in (one, two) * 8]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(AppendResult) == 1
        assert [type(outcome) for outcome in outcomes].count(WrongExpectedRevision) == 15
        assert await one.read_stream(stream) == await two.read_stream(stream)
        assert await everything(one) == await everything(two)


async def test_positions_are_the_databases_own_however_large() -> None:
    first = 2**62
    async with running(KurrentLog(first)) as server, opened(server) as store:
        stream = new_stream()
        result = await store.append(stream, batch(3), NO_STREAM)
        records = await everything(store)
        assert first < records[0].position < records[1].position < records[2].position == result.position
        assert await store.head() == result.position
        assert await everything(store, records[0].position) == records[1:]
        with pytest.raises(PositionInvalid):
            await everything(store, records[0].position + 1)  # in the middle of an event


@pytest.mark.parametrize("type_", ["plans.PlanEdited", "plans.PlanEdited.vX", "$>"])
async def test_an_event_that_somebody_else_put_into_our_log_stops_the_reading(
    server: KurrentDouble, store: KurrentEventStore, type_: str
) -> None:
    stream = new_stream()
    await store.append(stream, batch(1), NO_STREAM)
    server.log.append_as_a_stranger(f"plans.{stream}", type_)
    with pytest.raises(StoreUnavailable, match="somebody else"):
        await store.read_stream(stream)
    with pytest.raises(StoreUnavailable, match="somebody else"):
        await everything(store)


async def test_events_that_share_a_position_are_refused(server: KurrentDouble, store: KurrentEventStore) -> None:
    server.in_a_transaction = True
    stream = new_stream()
    await store.append(stream, batch(2), NO_STREAM)
    with pytest.raises(StoreUnavailable, match="transaction"):
        await everything(store)


async def test_a_stream_that_was_truncated_is_not_taken_for_whole(
    server: KurrentDouble, store: KurrentEventStore
) -> None:
    stream = new_stream()
    await store.append(stream, batch(3), NO_STREAM)
    del server.log.streams[f"plans.{stream}"][0]
    with pytest.raises(StoreUnavailable, match="truncated"):
        await store.read_stream(stream)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("?Tls=maybe", "'maybe' not one of: true, false"),
        ("?Colour=red", "Unknown field in connection query string: COLOUR"),
        ("?Tls=false&NodePreference=follower", "NodePreference can only be leader"),
        ("?TlsCaFile=/nowhere/ca.pem", "No such file or directory"),
    ],
)
async def test_a_wrong_address_is_told_in_one_sentence_without_its_password(options: str, reason: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        await KurrentEventStore.open(f"kurrentdb://ann:s3cret@127.0.0.1:2113{options}", "plans")
    assert str(refused.value).startswith("kurrentdb://127.0.0.1:2113 ")
    assert reason in str(refused.value)
    assert "s3cret" not in repr(refused.value.__cause__) + str(refused.value)


@pytest.mark.parametrize("password", ["s3/cret", "s3?cret", "s3#cret", "s3@cret", "s3[cret", "s3\u2100cret"])
async def test_a_password_that_is_not_percent_encoded_is_told_so_and_no_piece_of_it(password: str) -> None:
    with pytest.raises(StoreUnavailable, match="percent-encoded") as refused:
        await KurrentEventStore.open(f"kurrentdb://ann:{password}@127.0.0.1:2113?tls=false", "plans")
    told = str(refused.value).lower()
    assert not any(piece in told for piece in ("ann", "s3", "cret"))


async def test_a_password_is_asked_for_without_repeating_the_address() -> None:
    with pytest.raises(StoreUnavailable, match="Username and password are required") as refused:
        await KurrentEventStore.open("kurrentdb://ann@127.0.0.1:2113", "plans")
    assert "ann" not in str(refused.value)


async def test_a_server_that_is_not_there_is_told_at_once(server: KurrentDouble) -> None:
    await server.stop()
    with pytest.raises(StoreUnavailable, match=rf"kurrentdb://127.0.0.1:{server.port}: ServiceUnavailableError"):
        await KurrentEventStore.open(server.uri, "plans")
