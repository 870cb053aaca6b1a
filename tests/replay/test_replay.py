"""The log as a file or a topic of somebody's own: what was asked for, once, and the same bytes every time."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope, from_kafka, opened
from contracts.topics import Owner, partition_of
from services.chassis.event_store import NO_STREAM, START
from services.chassis.feed import FeedClient
from services.chassis.memory_store import MemoryEventStore
from services.chassis.selection import Selection, an_instant
from services.replay import to_topic
from services.replay.formats import WRITTEN, Format, where
from services.replay.replaying import Part, left_of, parts_of, replay
from services.replay.to_file import CannotReplay, File, Stream
from tests.chassis.accounts import ACCOUNTS, event
from tests.chassis.event_store_contract import everything
from tests.chassis.test_feed import feed_of, token
from tests.engines.broker import Broker, records_in

ALL = Selection()
Feeds = Mapping[Owner, FeedClient]


@pytest.fixture
def log() -> MemoryEventStore:
    return MemoryEventStore()


async def happens(log: MemoryEventStore, events: int) -> None:
    """One event a minute, each of another account than the one before."""
    for number in range(events):
        account = ACCOUNTS[number % len(ACCOUNTS)]
        metadata = {
            **json.loads(event(account).metadata),
            "recorded_at": f"2026-06-11T{number // 60:02}:{number % 60:02}:00.000000Z",
        }
        revision = len(await log.read_stream(f"plan-{account}")) + NO_STREAM
        await log.append(f"plan-{account}", [replace(event(account), metadata=json.dumps(metadata).encode())], revision)


async def envelopes(log: MemoryEventStore) -> list[Envelope]:
    return [opened(record) for record in await everything(log)]


@pytest.fixture
async def feeds(log: MemoryEventStore, tmp_path: Path) -> AsyncIterator[Feeds]:
    await happens(log, 300)
    async with feed_of(log, tmp_path) as url, aiohttp.ClientSession() as session:
        yield {Owner.PLANS: FeedClient(url, session, token)}


async def replayed(feeds: Feeds, selection: Selection = ALL, written: Format = Format.JSONL) -> bytes:
    out = io.BytesIO()
    parts = await parts_of(feeds, [Owner.PLANS])
    await replay(feeds, parts, selection, Stream(out, written), lambda *_: None)
    return out.getvalue()


def at(envelope: Envelope) -> str:
    return str(envelope.metadata["recorded_at"])


async def test_the_whole_log_comes_as_it_is_and_alike_every_time(log: MemoryEventStore, feeds: Feeds) -> None:
    lines = await replayed(feeds)
    assert [json.loads(line)["position"] for line in lines.splitlines()] == [r.position for r in await everything(log)]
    assert await replayed(feeds) == lines


async def test_of_the_log_comes_what_was_asked_for(log: MemoryEventStore, feeds: Feeds) -> None:
    records = await envelopes(log)
    stream, account, middle = records[7].stream, ACCOUNTS[0], at(records[len(records) // 2])
    for selection in (
        Selection(stream=stream),
        Selection(account=account),
        Selection(since=middle),
        Selection(before=middle),
        Selection(account=account, since=middle),
        Selection(account="nobody"),
    ):
        expected = [
            record.position
            for record in records
            if selection.stream in (None, record.stream)
            and selection.account in (None, record.account_id)
            and (selection.since or "") <= at(record) < (selection.before or "~")
        ]
        found = [json.loads(line)["position"] for line in (await replayed(feeds, selection)).splitlines()]
        assert found == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-05-01T25:00Z", ""])
def test_an_instant_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month|hour"):
        an_instant(text)


def test_an_instant_without_an_offset_is_in_utc() -> None:
    assert an_instant("2026-05-01") == an_instant("2026-05-01T02:00+02:00") == "2026-05-01T00:00:00.000000Z"


async def test_a_feed_says_what_is_no_instant(feeds: Feeds) -> None:
    client = feeds[Owner.PLANS]
    headers = {"Authorization": f"Bearer {token()}"}
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{client._url}/events?since=yesterday", headers=headers)
        assert answer.status == 422
        assert (await answer.json())["code"] == "invalid_request"


async def test_cloud_events_have_the_attributes_of_the_topics(log: MemoryEventStore, feeds: Feeds) -> None:
    first, *_ = map(json.loads, (await replayed(feeds, written=Format.CLOUDEVENTS)).splitlines())
    record = (await envelopes(log))[0]
    assert (first["specversion"], first["id"], first["type"]) == ("1.0", record.event_id, record.type)
    assert (first["subject"], first["partitionkey"], first["time"]) == (record.stream, record.account_id, at(record))
    assert (first["data"], first["datacontenttype"]) == (record.data, "application/json")
    assert "prevposition" not in first


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.sampled_from(Format), cut=st.floats(0, 1), more=st.booleans())
async def test_a_replay_that_was_cut_anywhere_goes_on_to_the_same_bytes(
    log: MemoryEventStore,
    feeds: Feeds,
    tmp_path_factory: pytest.TempPathFactory,
    written: Format,
    cut: float,
    more: bool,
) -> None:
    path = tmp_path_factory.mktemp("replay") / "log.jsonl"
    whole = await replayed(feeds, written=written)
    file = File(path, ALL, written)
    file.begun(await parts_of(feeds, [Owner.PLANS]))
    file.close()
    path.with_name("log.jsonl.part").write_bytes(whole[: int(len(whole) * cut)])  # as kill -9 leaves it
    if more:
        await happens(log, 5)  # is not part of what was begun
    again = File(path, ALL, written)
    left = again.begun(await parts_of(feeds, [Owner.PLANS]))
    await replay(feeds, left, ALL, again, lambda *_: None)
    assert not path.exists()
    again.finish()
    assert path.read_bytes() == whole
    assert [each.name for each in path.parent.iterdir()] == ["log.jsonl"]


async def test_a_file_is_not_written_over_nor_another_replay_gone_on_with(feeds: Feeds, tmp_path: Path) -> None:
    parts = await parts_of(feeds, [Owner.PLANS])
    File(tmp_path / "a", ALL, Format.JSONL).begun(parts)
    with pytest.raises(CannotReplay, match="another replay"):
        File(tmp_path / "a", Selection(account="acme"), Format.JSONL).begun(parts)
    with pytest.raises(CannotReplay, match="another replay"):
        File(tmp_path / "a", ALL, Format.CLOUDEVENTS).begun(parts)
    (tmp_path / "b").write_text("mine")
    with pytest.raises(CannotReplay, match="there already"):
        File(tmp_path / "b", ALL, Format.JSONL).begun(parts)


def test_after_an_event_comes_the_rest_of_its_owner_and_the_others() -> None:
    parts = [Part(Owner.PLANS, START, 9), Part(Owner.DEVICES, START, 5), Part(Owner.RENEWALS, 2, 7)]
    assert left_of(parts, Owner.DEVICES, 4) == [Part(Owner.DEVICES, 4, 5), Part(Owner.RENEWALS, 2, 7)]


async def test_a_line_says_where_it_is_from(feeds: Feeds) -> None:
    lines = await replayed(feeds)
    for form in Format:
        first = WRITTEN[form](lines).splitlines()[0]
        assert where(first, form) == (Owner.PLANS, json.loads(lines.splitlines()[0])["position"])


async def test_a_topic_of_ones_own_holds_each_event_once_chained_and_in_order(
    log: MemoryEventStore, feeds: Feeds, broker: Broker
) -> None:
    topic, positions = "team-blue.plans", list[int]()
    whole = await parts_of(feeds, [Owner.PLANS])
    half = [Part(Owner.PLANS, START, (await everything(log))[150].position)]
    for parts in (half, whole):  # interrupted, and gone on with
        async with to_topic.opened(broker.bootstrap, topic, 4, broker.forgets) as sink:
            await replay(feeds, parts, ALL, sink, lambda *_: None)
    for partition, records in enumerate(await records_in(broker.bootstrap, topic, 4)):
        seen = START
        for record in records:
            envelope, previous = from_kafka(record.headers, record.value or b"")
            assert (partition_of(envelope.account_id, 4), previous) == (partition, seen)
            seen = envelope.position
            positions.append(seen)
    assert sorted(positions) == [record.position for record in await everything(log)]
