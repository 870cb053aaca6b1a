"""Checkpoints: a save that failed leaves nothing behind, and the next one succeeds."""

from pathlib import Path

import pytest

from contracts.topics import Owner
from services.chassis.checkpoints import Checkpoints


async def test_a_save_that_fails_does_not_stand_in_the_way_of_the_next(tmp_path: Path) -> None:
    with Checkpoints.open(tmp_path / "checkpoints.sqlite3") as progress:
        with pytest.raises(OverflowError):
            await progress.save(Owner.PLANS, {0: 4, 1: 2**64}, ())
        assert await progress.checkpoints(Owner.PLANS) == {}
        await progress.save(Owner.PLANS, {0: 5}, ())
        assert await progress.checkpoints(Owner.PLANS) == {0: 5}


@pytest.mark.parametrize("torn", [b"", b"not a database", b"SQLite format 3\x00" + bytes(5000)])
async def test_a_file_that_a_crash_has_torn_is_begun_anew(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "checkpoints.sqlite3"
    with Checkpoints.open(path) as progress:
        await progress.save(Owner.PLANS, {0: 5}, ())
    path.write_bytes(torn)
    with Checkpoints.open(path) as progress:
        assert await progress.checkpoints(Owner.PLANS) == {}
        await progress.save(Owner.PLANS, {0: 6}, ())
    with Checkpoints.open(path) as progress:
        assert await progress.checkpoints(Owner.PLANS) == {0: 6}
