"""Reading an account's audit log is recorded before anything is shown, and once a day."""

from datetime import timedelta

import pytest

from .gateway import Gateway
from .test_history import HISTORY, shown
from .test_reads import problem

__all__ = ["shown"]
PATH = "/api/v1/accounts/acme/history-readings"


async def test_a_reading_is_recorded_once_a_day_for_each_way(shown: Gateway) -> None:
    for path in (HISTORY, f"{HISTORY}?limit=1", f"{HISTORY}.csv", HISTORY, f"{HISTORY}.jsonl", f"{HISTORY}.csv"):
        assert (await shown.get(path, "auditor")).status_code == 200
    assert shown.plans.readings == [(PATH, "page"), (PATH, "csv"), (PATH, "jsonl")]
    shown.clock.at += timedelta(days=1)
    await shown.get(HISTORY, "auditor")
    assert shown.plans.readings[3:] == [(PATH, "page")]


async def test_nothing_is_recorded_of_who_may_not_read(shown: Gateway) -> None:
    await shown.get(HISTORY, "owner")
    await shown.get(f"{HISTORY}.csv", "stranger")
    await shown.get(f"{HISTORY}?limit=0", "auditor")
    assert shown.plans.readings == []


@pytest.mark.parametrize("path", [HISTORY, f"{HISTORY}.csv", f"{HISTORY}.jsonl"])
async def test_what_cannot_be_recorded_is_not_shown(shown: Gateway, path: str) -> None:
    shown.plans.refuses_readings = "store_unavailable"
    assert problem(await shown.get(path, "auditor")) == (503, "store_unavailable")
    await shown.plans.stop()
    assert problem(await shown.get(path, "auditor")) == (503, "owner_unavailable")
