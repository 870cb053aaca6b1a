"""Another process at a SQLite event log, for the tests: python -m tests.chassis.event_store_process ROLE PATH.

append: writes for ever with eight writers and prints a line for every append acknowledged. follow: prints what a
read-only subscription yields. hold: opens the log for writing, says so and does nothing.
"""

import asyncio
import os
import sys
from pathlib import Path

from contracts.envelope import Record
from services.chassis.event_store import NO_STREAM, START
from services.chassis.sqlite_store import SqliteEventStore

from .event_store_contract import batch, new_stream

LIFETIME_S = 60  # a process whose test is gone ends by itself


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # one system call: said wholly or not at all


async def append(path: Path) -> None:
    store = await SqliteEventStore.open(path)

    async def write() -> None:
        stream, revision = new_stream(), NO_STREAM
        for number in range(1_000_000):
            events = batch(1 + number % 3)
            result = await store.append(stream, events, revision)
            revision = result.revision
            say(stream, result.revision, result.position, *(event.event_id for event in events))

    await asyncio.gather(*(write() for _ in range(8)))


async def follow(path: Path) -> None:
    store = await SqliteEventStore.open(path, read_only=True)
    async for item in store.subscribe(START):
        say(item.event_id if isinstance(item, Record) else "caught_up")


async def hold(path: Path) -> None:
    await SqliteEventStore.open(path)
    say("held", os.getpid())
    await asyncio.Event().wait()


if __name__ == "__main__":
    role = {"append": append, "follow": follow, "hold": hold}[sys.argv[1]]
    asyncio.run(asyncio.wait_for(role(Path(sys.argv[2])), LIFETIME_S))
