"""Every way to tamper with a log, done with SQL on its own files, and what `billing audit verify` answers.

Four days of 40 events each, with a head signed at the end of the first three.
"""

import json
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.envelope import feed_line
from contracts.topics import Owner
from deploy.local.audit import Sources, verify
from deploy.local.folder import Folder
from services.chassis import heads
from services.chassis.event_store import NO_STREAM
from services.chassis.notary import Disagrees
from services.chassis.sqlite_store import SqliteEventStore
from tests.chassis.accounts import event, happens
from tests.chassis.event_store_contract import everything
from tests.chassis.test_notary import Office

A_DAY = 40
SIGNED_DAYS = 3
SIZE = A_DAY * (SIGNED_DAYS + 1)
ALL_WELL = f"It agrees with the head of 2026-06-10T12:00:00.000000Z, {A_DAY * 3} events up to position {A_DAY * 3}"


class Audited:
    """The files of a plans service that was stopped: its log, its ledger, its heads and key."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.office, self._capsys = Office(folder), capsys
        self.log = folder / "plans.sqlite3"
        self.sources = Sources(Folder(folder), self.log, folder, self.office.heads, self.office.key)

    @property
    def ledger(self) -> Path:
        return self.log.with_name("plans.ledger.sqlite3")

    def shell(self, *statements: str, file: Path | None = None) -> None:
        with closing(sqlite3.connect(file or self.log, isolation_level=None)) as db:
            for statement in statements:
                assert db.execute(statement).rowcount != 0, statement

    def one(self, query: str) -> tuple[str, ...]:
        with closing(sqlite3.connect(self.log)) as db:
            return tuple(db.execute(query).fetchone())

    def named(self, position: int) -> str:
        """As an answer names the event at a position."""
        event_id, type_, revision, stream = self.one(
            f"SELECT event_id, type, revision, name FROM events JOIN streams ON id = stream WHERE position = {position}"
        )
        return f"{type_} {event_id} at position {position}, revision {revision} of {stream}"

    def verified(self, sources: Sources | None = None) -> tuple[int, str]:
        self._capsys.readouterr()
        with ThreadPoolExecutor(1) as beside:  # it has a loop of its own
            code = beside.submit(verify, sources or self.sources, [Owner.PLANS]).result()
        return code, self._capsys.readouterr().out

    def refused(self) -> str:
        code, said = self.verified()
        assert code == 1
        assert said.startswith("plans: NOT as it was signed")
        return said


@pytest.fixture(scope="module")
async def four_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    await lived(folder)
    return folder


@pytest.fixture
def audited(four_days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audited:
    """Files of its own for each test."""
    shutil.copytree(four_days, tmp_path, dirs_exist_ok=True)
    return Audited(tmp_path, capsys)


async def lived(folder: Path) -> None:
    """Makes the files."""
    office = Office(folder)
    office.clock.at = datetime(2026, 6, 8, 12, tzinfo=UTC)  # the events say the 11th
    store = await SqliteEventStore.open(folder / "plans.sqlite3")
    async with office.signing(store, folder / "plans.ledger.sqlite3") as notary:
        for day in range(SIGNED_DAYS + 1):
            await happens(store, A_DAY, seed=day)
            if day < SIGNED_DAYS:
                await notary.sign()
                office.clock.at += timedelta(days=1)
        await notary._catch_up()
    await store.close()


def moved(by: int, after: int) -> tuple[str, str]:
    """SQL that makes room in the log, or closes a gap, as somebody would who wants no trace."""
    return (
        f"UPDATE events SET position = -position WHERE position > {after}",
        f"UPDATE events SET position = -position + {by} WHERE position < 0",
    )


async def test_a_log_that_nobody_touched_is_as_it_was_signed(audited: Audited) -> None:
    code, said = audited.verified()
    assert (code, said.splitlines()) == (
        0,
        [f"plans: as it was signed, {SIZE} events.", f"  {ALL_WELL}; {A_DAY} events are younger."],
    )


async def test_a_file_that_was_replayed_is_verified_like_the_log_itself(audited: Audited, tmp_path: Path) -> None:
    store = await SqliteEventStore.open(audited.log, read_only=True)
    lines = [feed_line(record) for record in await everything(store)]
    await store.close()
    file = tmp_path / "log.jsonl"
    sources = Sources(Folder(tmp_path), file, tmp_path, audited.office.heads, audited.office.key)
    file.write_bytes(b"".join(lines))
    assert audited.verified(sources) == audited.verified()
    edited = lines[70].replace(b"ann", b"bob")
    file.write_bytes(b"".join([*lines[:70], edited, *lines[71:]]))
    assert f"Edited: {audited.named(71)}." in audited.verified(sources)[1]
    file.write_bytes(b"".join([*lines[:70], b"no event\n", *lines[71:]]))
    assert "After position 70 stands something that is no event" in audited.verified(sources)[1]


@pytest.mark.parametrize(
    "change",
    [
        "data = replace(data, 'ann', 'ane')",
        "data = CAST(replace(data, 'ann', 'bob') AS BLOB)",
        "metadata = replace(metadata, 'editor', 'viewer')",
        "metadata = replace(metadata, '2026-06-11T10', '2026-06-11T11')",
        "metadata = 'gone'",
        "type = 'plans.LicenceUnassigned'",
        "version = 2",
        "revision = revision + 1000",
    ],
)
async def test_an_event_that_was_edited_is_named(audited: Audited, change: str) -> None:
    as_it_was = audited.named(93)
    audited.shell(f"UPDATE events SET {change} WHERE position = 93")
    said = audited.refused()
    assert f"Edited: {as_it_was}." in said
    assert "it was changed after the head of 2026-06-09T12:00:00.000000Z, 80 events up to position 80" in said


async def test_an_event_that_was_edited_after_the_last_head_is_named(audited: Audited) -> None:
    audited.shell("UPDATE events SET data = replace(data, 'ann', 'ane') WHERE position = 150")
    said = audited.refused()
    assert f"Edited: {audited.named(150)}." in said
    assert ALL_WELL in said


@pytest.mark.parametrize("traceless", [False, True])
async def test_an_event_that_was_removed_is_named(audited: Audited, traceless: bool) -> None:
    as_it_was = audited.named(50)
    audited.shell("DELETE FROM events WHERE position = 50", *(moved(-1, 50) if traceless else ()))
    assert f"Removed: {as_it_was}." in audited.refused()


async def test_a_stream_that_was_removed_is_named_by_its_first_event(audited: Audited) -> None:
    name, first = audited.one(
        "SELECT name, min(position) FROM events JOIN streams ON id = stream GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    )
    as_it_was = audited.named(int(first))
    audited.shell(f"DELETE FROM streams WHERE name = '{name}'")
    assert f"Removed: {as_it_was}." in audited.refused()


async def test_events_that_changed_places_are_named(audited: Audited) -> None:
    one, other = audited.named(20), audited.named(21)
    audited.shell(
        "UPDATE events SET position = -1 WHERE position = 20",
        "UPDATE events SET position = 20 WHERE position = 21",
        "UPDATE events SET position = 21 WHERE position = -1",
    )
    said = audited.refused()
    assert f"Reordered: {other.replace('position 21', 'position 20')}, stands where {one}, was." in said


@pytest.mark.parametrize("at", [60, SIZE])
async def test_an_event_that_was_inserted_is_named(audited: Audited, at: int) -> None:
    audited.shell(
        *moved(1, at - 1),
        "INSERT INTO events SELECT"
        f" {at}, stream, revision + 500, category, 'forged', type, version, metadata, data"
        f" FROM events WHERE position = {at + 1}",
    )
    assert f"Inserted: {audited.named(at)}, which the ledger does not know there." in audited.refused()


async def test_an_event_that_took_the_place_of_another_is_named(audited: Audited) -> None:
    as_it_was = audited.named(60)
    audited.shell("UPDATE events SET event_id = 'forged' WHERE position = 60")
    assert f"Replaced: {as_it_was}, by {audited.named(60)}." in audited.refused()


async def test_a_tail_that_was_cut_shows_in_the_ledger(audited: Audited) -> None:
    first_gone = audited.named(151)
    audited.shell("DELETE FROM events WHERE position > 150")
    assert f"The tail was cut: the log ends after 150 events, and the first that is missing is {first_gone}." in (
        audited.refused()
    )


async def test_a_tail_that_was_cut_of_log_and_ledger_shows_beside_a_head(audited: Audited) -> None:
    audited.shell("DELETE FROM events WHERE position > 100")
    audited.shell("DELETE FROM events WHERE position > 100", file=audited.ledger)
    said = audited.refused()
    assert "it ends after 100 events, and at 2026-06-10T12:00:00.000000Z 120 were signed, up to position 120" in said
    assert "The ledger was cut: it ends after 100 events, and more were signed." in said


async def rewritten(audited: Audited) -> None:
    """The log is edited, and the ledger made anew from it."""
    audited.shell("UPDATE events SET data = CAST(replace(data, 'ann', 'bob') AS BLOB) WHERE position IN (93, 130)")
    audited.ledger.unlink()
    store = await SqliteEventStore.open(audited.log)
    async with audited.office.signing(store, audited.ledger) as notary:
        with pytest.raises(Disagrees, match="the first 120 events are not those that were signed"):
            await notary.sign()
    await store.close()


async def test_where_log_and_ledger_were_rewritten_the_heads_say_between_which_days(audited: Audited) -> None:
    await rewritten(audited)
    said = audited.refused()
    assert (
        "it was changed after the head of 2026-06-09T12:00:00.000000Z, 80 events up to position 80, which agrees, and"
        " up to the head of 2026-06-10T12:00:00.000000Z (120 events, position 120)." in said
    )
    assert "Log and ledger agree with each other, so both were rewritten." in said


async def test_who_also_signs_anew_has_not_the_key(audited: Audited) -> None:
    await rewritten(audited)
    for file in heads.files_of(audited.office.heads, "plans"):
        file.unlink()
    key = audited.office.key.read_bytes()
    audited.office.key.write_bytes(heads.new_key())
    store = await SqliteEventStore.open(audited.log)
    async with audited.office.signing(store, audited.ledger) as notary:
        await notary.sign()
    await store.close()
    audited.office.key.write_bytes(key)
    said = audited.refused()
    assert "plans-000000000160.json is not signed with the key" in said
    assert "No head was signed of this log, or all of them were removed." in said


def head_files(audited: Audited) -> list[Path]:
    return heads.files_of(audited.office.heads, "plans")


async def test_a_head_that_was_edited_or_is_no_head_is_named(audited: Audited) -> None:
    first, second, _ = head_files(audited)
    said = json.loads(first.read_bytes())
    first.chmod(0o600)
    first.write_text(json.dumps({**said, "size": 39}))
    second.chmod(0o600)
    second.write_text("{}")
    answer = audited.refused()
    assert f"{first} is not signed with the key" in answer
    assert f"{second} cannot be read as a head." in answer


@pytest.mark.parametrize("removed", [0, 1])
async def test_a_head_that_was_removed_is_missed_by_the_one_after_it(audited: Audited, removed: int) -> None:
    files = head_files(audited)
    files[removed].unlink()
    assert f"A head before {files[removed + 1]} was removed or changed" in audited.refused()


async def test_the_last_head_that_was_removed_leaves_days_nobody_signed(audited: Audited) -> None:
    head_files(audited)[-1].unlink()
    code, said = audited.verified()
    assert code == 0
    assert "Nothing is signed of the days up to 2026-06-11: is a head missing?" in said


async def test_a_ledger_that_was_changed_is_told_from_a_log_that_was(audited: Audited) -> None:
    audited.shell("UPDATE events SET link = zeroblob(32) WHERE number = 50", file=audited.ledger)
    said = audited.refused()
    assert "The log agrees with what was signed: it is the ledger that was changed." in said
    assert ALL_WELL in said


async def test_without_a_ledger_the_heads_answer(audited: Audited) -> None:
    audited.ledger.unlink()
    code, said = audited.verified()
    assert (code, ALL_WELL in said, "There is no ledger" in said) == (0, True, True)
    audited.shell("UPDATE events SET data = replace(data, 'ann', 'ane') WHERE position = 30")
    assert "it was changed from the first event on, up to the head of 2026-06-08" in audited.refused()


async def test_what_is_recorded_while_it_is_verified_is_no_harm(audited: Audited) -> None:
    """The ledger was read before the log, which has gone on since."""
    store = await SqliteEventStore.open(audited.log)
    await store.append("plan-new", [event("account-1")], NO_STREAM)
    await store.close()
    code, said = audited.verified()
    assert (code, f"{SIZE + 1} events." in said) == (0, True)


@pytest.mark.parametrize("position", [0, -5])
async def test_an_event_before_the_beginning_which_no_audit_sees_is_in_no_stream_either(
    audited: Audited, position: int
) -> None:
    (stream,) = audited.one("SELECT name FROM events JOIN streams ON id = stream WHERE position = 20")
    store = await SqliteEventStore.open(audited.log, read_only=True)
    as_it_was = await store.read_stream(stream)
    audited.shell(
        f"INSERT INTO events SELECT {position}, stream, 1000, category, 'x', type, version, metadata, data"
        " FROM events WHERE position = 20"
    )
    assert await store.read_stream(stream) == as_it_was
    await store.close()
    assert f"At position {position} stands a row where no reader of the log sees it." in audited.refused()


async def test_an_event_of_a_stream_that_is_not_there_is_told(audited: Audited) -> None:
    audited.shell(
        "INSERT INTO events SELECT 999, 999, 1000, category, 'x', type, version, metadata, data"
        " FROM events WHERE position = 20"
    )
    assert "At position 999 stands a row where no reader of the log sees it." in audited.refused()


@pytest.mark.parametrize("category", ["'zzz'", "CAST(category AS BLOB)"])
async def test_a_category_by_which_some_readers_would_pass_an_event_over_is_told(
    audited: Audited, category: str
) -> None:
    audited.shell(f"UPDATE events SET category = {category} WHERE position = 20")
    assert "The event at position 20 has another category than its stream" in audited.refused()
