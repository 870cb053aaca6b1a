"""Work that goes on meanwhile ends when it should, also when a library under it loses that it was asked to."""

import asyncio
from contextlib import suppress

import pytest

from services.chassis import running as module
from services.chassis.running import ended, running


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_AGAIN_S", 0.01)


async def deaf(times: int) -> None:
    """Goes on as if nothing had been said, so many times."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_work_that_does_not_hear_it_the_first_time_is_told_again() -> None:
    async with asyncio.timeout(10), running(deaf(0), deaf(3)) as tasks:
        await asyncio.sleep(0)
    assert all(task.cancelled() for task in tasks)


async def test_work_within_work_is_told_again_too() -> None:
    inner: list[asyncio.Task[None]] = []

    async def outer() -> None:
        async with running(deaf(5)) as tasks:
            inner.extend(tasks)
            await asyncio.Event().wait()

    async with asyncio.timeout(10), running(outer()):
        await asyncio.sleep(0.05)
    assert inner[0].cancelled()


async def test_work_that_fails_while_it_ends_does_not_fail_whoever_ends_it() -> None:
    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the disk is full")

    async with running(fails()) as (task,):
        await asyncio.sleep(0)
    assert isinstance(task.exception(), OSError)


async def test_whoever_is_ended_while_it_ends_others_ends_after_them() -> None:
    work = asyncio.create_task(deaf(3))
    await asyncio.sleep(0)
    ending = asyncio.create_task(ended(work))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait([ending])
    assert (work.cancelled(), ending.cancelled()) == (True, True)
