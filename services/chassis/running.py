"""Work that goes on meanwhile, and has ended when it should.

Asking a task once to end is not enough: `asyncio.wait_for` before Python 3.12 loses a cancellation that comes in the
moment its wait is over, and libraries under us use it. Who then waits for the task waits for ever.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

ASK_AGAIN_S = 5.0  # longer than any takes to end in good order, which asking again would cut short


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """The work as tasks, which run meanwhile."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        await ended(*tasks)


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancels them, again and again, until they are done; they may have failed. Raises CancelledError after that."""
    cancelled: asyncio.CancelledError | None = None
    while going_on := [task for task in tasks if not task.done()]:
        for task in going_on:
            task.cancel()
        try:
            await asyncio.wait(going_on, timeout=ASK_AGAIN_S)
        except asyncio.CancelledError as again:  # we are to end, and shall: after them
            cancelled = again
    if cancelled is not None:
        raise cancelled
