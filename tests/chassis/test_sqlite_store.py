"""The SQLite engine: the contract, and what only a file shared by processes can get wrong."""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.chassis.event_store import (
    NO_STREAM,
    START,
    AppendResult,
    CaughtUp,
    OutcomeUnknown,
    StoreUnavailable,
    SubscriptionDropped,
    WrongExpectedRevision,
)
from services.chassis.sqlite_store import SqliteEventStore

from .event_store_contract import TIMEOUT_S, EventStoreContract, batch, event, everything, ids, new_stream, take

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plans.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteEventStore]:
    store = await SqliteEventStore.open(path)
    yield store
    await store.close()


@asynccontextmanager
async def process(role: str, path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process at the log (event_store_process); killed at the end."""
    arguments = ("-m", "tests.chassis.event_store_process", role, str(path))
    other = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        yield other
    finally:
        if other.returncode is None:
            other.kill()
        await other.wait()


async def lines(other: asyncio.subprocess.Process, count: int) -> list[list[str]]:
    """What it says next, in words."""
    assert other.stdout
    async with asyncio.timeout(TIMEOUT_S):
        return [(await other.stdout.readline()).decode().split() for _ in range(count)]


@contextmanager
def no_room_to_grow(file: Path) -> Iterator[None]:
    """Writes of this process fail midway once a file is a little longer than `file`."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 100_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def file_sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in folder.iterdir()}


def foreign_files(path: Path) -> Iterator[str]:
    """Puts at `path` one file after another that is no log of ours; what each should be refused for."""
    path.write_bytes(b"a text file, " * 100)
    yield "not a database"
    path.unlink()
    with closing(sqlite3.connect(path)) as later:
        later.execute("PRAGMA user_version = 99")
    yield "version"
    path.unlink()


class TestSqliteEventStore(EventStoreContract):
    pass


async def test_everything_is_there_after_opening_again(path: Path, store: SqliteEventStore) -> None:
    stream, events = new_stream(), batch(3)
    original = await store.append(stream, events, NO_STREAM)
    log = await everything(store)
    await store.close()
    again = await SqliteEventStore.open(path)
    assert await everything(again) == log
    assert await again.append(stream, events, NO_STREAM) == original
    result = await again.append(stream, batch(1), original.revision)
    assert result == AppendResult(3, original.position + 1)
    await again.close()


async def test_what_was_acknowledged_survives_being_killed_again_and_again(path: Path) -> None:
    acknowledged: list[list[str]] = []
    for _ in range(5):
        async with process("append", path) as appender:
            acknowledged += await lines(appender, 150)
            appender.send_signal(signal.SIGKILL)
            rest, _ = await asyncio.wait_for(appender.communicate(), TIMEOUT_S)
            acknowledged += [line.split() for line in rest.decode().splitlines()]
    store = await SqliteEventStore.open(path)
    log = await everything(store)
    await store.close()
    assert [record.position for record in log] == sorted({record.position for record in log})
    assert len(set(ids(log))) == len(log)
    places = {(record.stream, record.revision): (record.event_id, record.position) for record in log}
    for stream, revision, position, *event_ids in acknowledged:
        first = int(revision) - len(event_ids) + 1
        stored = [places[stream, first + number] for number in range(len(event_ids))]
        assert [event_id for event_id, _ in stored] == event_ids
        assert stored[-1][1] == int(position)
    for stream in {record.stream for record in log}:
        revisions = [record.revision for record in log if record.stream == stream]
        assert revisions == list(range(len(revisions)))
        assert len(revisions) in {sum(1 + number % 3 for number in range(n)) for n in range(2000)}, "half a batch"


async def test_a_reader_in_another_process_sees_appends_and_outlives_the_writer(path: Path) -> None:
    store = await SqliteEventStore.open(path)
    stream = new_stream()
    await store.append(stream, batch(2), NO_STREAM)
    async with process("follow", path) as follower:
        assert await lines(follower, 3) == [[event_id] for event_id in ids(await everything(store))] + [["caught_up"]]
        for revision in (1, 2, 3):
            appended = event()
            await store.append(stream, [appended], revision)
            assert await lines(follower, 1) == [[appended.event_id]]
        await store.close()
        again = await SqliteEventStore.open(path)
        last = event()
        await again.append(stream, [last], 4)
        assert await lines(follower, 1) == [[last.event_id]]
        await again.close()


async def test_a_read_only_store_reads_and_follows_but_takes_nothing(path: Path, store: SqliteEventStore) -> None:
    stream = new_stream()
    await store.append(stream, batch(1), NO_STREAM)
    reading = await SqliteEventStore.open(path, read_only=True)
    await reading.check()
    async with aclosing(reading.subscribe(START)) as subscription:
        assert await take(subscription, 2) == [*await everything(store), CaughtUp()]
        await store.append(stream, batch(1), 0)
        assert await take(subscription, 1) == await store.read_stream(stream, 0)
        assert await reading.read_stream(stream) == await store.read_stream(stream)
        with pytest.raises(StoreUnavailable, match="read-only"):
            await reading.append(stream, batch(1), 1)
        await reading.close()
        with pytest.raises(SubscriptionDropped):
            await take(subscription, 1)


async def test_a_second_writer_is_told_who_writes_and_what_to_do(path: Path, store: SqliteEventStore) -> None:
    with pytest.raises(StoreUnavailable, match=rf"{path}.*process.*{os.getpid()}.*read-only"):
        await SqliteEventStore.open(path)
    await store.close()
    async with process("hold", path) as holder:
        ((_, holder_id),) = await lines(holder, 1)
        with pytest.raises(StoreUnavailable, match=f"id {holder_id}"):
            await SqliteEventStore.open(path)
        holder.kill()
        await holder.wait()
    after_it_was_killed = await SqliteEventStore.open(path)
    await after_it_was_killed.append(new_stream(), batch(1), NO_STREAM)
    await after_it_was_killed.close()


async def test_a_full_disk_takes_nothing_by_halves_and_passes(store: SqliteEventStore) -> None:
    stream = new_stream()
    await store.append(stream, batch(2), NO_STREAM)
    before = await everything(store)
    large = [event(b"x" * 200_000) for _ in range(4)]
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]  # the limit is this connection's alone
    store._db.execute(f"PRAGMA max_page_count = {pages + 60}")
    attempts = [store.append(stream, large, 1), *(store.append(new_stream(), large, NO_STREAM) for _ in range(5))]
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        assert isinstance(outcome, StoreUnavailable)
        assert "full" in str(outcome)
    assert await everything(store) == before
    store._db.execute("PRAGMA max_page_count = 1000000")
    await store.append(stream, large, 1)
    assert ids(await store.read_stream(stream, 1)) == [sent.event_id for sent in large]


async def test_a_commit_that_breaks_midway_is_of_unknown_outcome_until_repeated(
    path: Path, store: SqliteEventStore
) -> None:
    stream, events = new_stream(), [event(b"x" * 200_000) for _ in range(4)]
    await store.append(stream, batch(1), NO_STREAM)
    with no_room_to_grow(Path(f"{path}-wal")), pytest.raises(OutcomeUnknown):
        await store.append(stream, events, 0)
    result = await store.append(stream, events, 0)
    assert result.revision == 4
    assert len(await store.read_stream(stream)) == 5
    assert await store.append(stream, events, 0) == result


async def test_a_file_somebody_else_has_locked_is_unavailable_until_let_go(path: Path, store: SqliteEventStore) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.check()
        shell.execute("ROLLBACK")
    await store.check()
    await store.append(new_stream(), batch(1), NO_STREAM)
    assert len(await everything(store)) == 1


async def test_a_transaction_somehow_left_open_costs_one_append(store: SqliteEventStore) -> None:
    store._db.execute("BEGIN")
    with pytest.raises(StoreUnavailable):
        await store.append(new_stream(), batch(1), NO_STREAM)
    await store.append(new_stream(), batch(1), NO_STREAM)


async def test_what_one_caller_got_wrong_is_nobody_elses_trouble(store: SqliteEventStore) -> None:
    unspeakable = replace(event(), type="plans.\ud800")
    attempts = [store.append(new_stream(), [event(), unspeakable if n == 3 else event()], NO_STREAM) for n in range(8)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert isinstance(outcomes.pop(3), UnicodeEncodeError)
    assert all(isinstance(outcome, AppendResult) for outcome in outcomes)
    assert len(await everything(store)) == 14


async def test_a_short_read_does_not_wait_for_long_ones(store: SqliteEventStore) -> None:
    for _ in range(20):
        await store.append(new_stream(), batch(1000), NO_STREAM)
    stream = new_stream()
    await store.append(stream, batch(1), NO_STREAM)
    long_reads = [asyncio.ensure_future(everything(store)) for _ in range(8)]
    await asyncio.sleep(0)
    assert len(await store.read_stream(stream)) == 1
    assert not any(long_read.done() for long_read in long_reads)
    assert {len(log) for log in await asyncio.gather(*long_reads)} == {20_001}


async def test_readers_cannot_write(path: Path, store: SqliteEventStore) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store._read(store._short_reads, lambda db: db.execute("DELETE FROM events"))


async def test_nobody_but_the_writer_ever_folds_the_wal(path: Path) -> None:
    """Two connections that do may corrupt it (FACTS); SQLite lets any last connection do it that could write."""
    async with process("append", path) as appender:
        await lines(appender, 20)
        appender.kill()
        await appender.wait()
    left = file_sizes(path.parent)
    assert left["plans.db-wal"] > 0
    reading = await SqliteEventStore.open(path, read_only=True)
    assert len(await everything(reading)) >= 20
    await reading.close()
    assert file_sizes(path.parent)["plans.db-wal"] == left["plans.db-wal"]


async def test_what_stands_in_the_way_is_said_in_one_sentence(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"plans\.db cannot be read.*owner"):
        await SqliteEventStore.open(path, read_only=True)
    with pytest.raises(StoreUnavailable, match="No such file or directory"):
        await SqliteEventStore.open(tmp_path / "nowhere" / "plans.db")
    for reason in foreign_files(path):
        with pytest.raises(StoreUnavailable, match=reason):
            await SqliteEventStore.open(path)
    store = await SqliteEventStore.open(path)  # no lock was left behind by what failed
    with pytest.raises(WrongExpectedRevision):
        await store.append(new_stream(), batch(1), 0)
    await store.close()


async def test_a_closed_log_is_one_file(path: Path, store: SqliteEventStore) -> None:
    await store.append(new_stream(), batch(1), NO_STREAM)
    await everything(store)
    await store.close()
    assert set(file_sizes(path.parent)) == {"plans.db", "plans.db.lock"}
