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
