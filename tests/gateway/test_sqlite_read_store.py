"""What only the SQLite engine of the read store must withstand: other processes, and its disk."""

from pathlib import Path

import pytest

from contracts.topics import Owner
from services.chassis.sink import Parked
from services.gateway.cards import opened
from services.gateway.projections import product_card
from services.gateway.read_store import ReadStoreUnavailable
from services.gateway.sqlite_read_store import SqliteReadStore, open_sqlite_read_store
from services.plans.commands import AssignLicence

from .history import asked, started
from .test_read_store import everything, take_in


async def test_a_second_process_cannot_write_the_same_file(tmp_path: Path) -> None:
    async with open_sqlite_read_store(tmp_path / "read.sqlite3"):
        with pytest.raises(ReadStoreUnavailable, match="in use by another process"):
            await SqliteReadStore.open(tmp_path / "read.sqlite3")


async def test_a_file_that_is_no_database_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "read.sqlite3").write_bytes(b"something else" * 1000)
    with pytest.raises(ReadStoreUnavailable, match="cannot be used"):
        await SqliteReadStore.open(tmp_path / "read.sqlite3")


async def test_a_disk_that_is_full_midway_keeps_nothing_and_the_next_try_goes_on(tmp_path: Path) -> None:
    history = started()
    async with open_sqlite_read_store(tmp_path / "read.sqlite3") as store:
        await take_in(store, Owner.PLANS, history.events)
        before, reached = await everything(store), await store.checkpoints(Owner.PLANS)
        events = history.do("acme", AssignLicence(**asked("b1", history, assignee="a")))
        store._db.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size: no page more
        with pytest.raises(ReadStoreUnavailable, match="full"):
            await store.apply(Owner.PLANS, events, {0: 10**6}, [Parked(events[-1], "x" * 10**6)])
        assert (await everything(store), await store.checkpoints(Owner.PLANS)) == (before, reached)
        store._db.execute("PRAGMA max_page_count = 100000")
        await take_in(store, Owner.PLANS, events)
        assert opened(await store.row(product_card.TABLE, "b1") or b"")["assigned"] == 1
