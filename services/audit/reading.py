"""Where a log is read from to be checked: a feed, a file that `billing replay` wrote, or an owner's SQLite file."""

import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from contracts.canonical import record_of
from contracts.topics import Owner
from services.chassis.event_store import START
from services.chassis.feed import FeedClient
from services.chassis.sqlite_store import SqliteEventStore

from .checking import Checker

Told = Callable[[int, int], None]  # how far it is, and how far it goes
NOTHING: Told = lambda at, end: None  # noqa: E731
TOLD_EVERY = 1_000


async def from_feed(feed: FeedClient, checker: Checker, told: Told = NOTHING) -> None:
    """Raises FeedUnavailable."""
    if not (head := await feed.head()):
        return
    async with aclosing(feed.lines(START, head)) as blocks:
        async for block in blocks:
            for line in block[:-1].split(b"\n"):
                if not _taken(line + b"\n", checker):
                    return
            told(checker.found.position, head)


async def from_sqlite(file: Path, checker: Checker, told: Told = NOTHING) -> None:
    """Of an owner's data folder, whether that runs or not. Raises StoreError."""
    store = await SqliteEventStore.open(file, read_only=True)
    try:
        end = await store.head()
        async with aclosing(store.read_all(START)) as records:
            async for record in records:
                checker.take(record)
                if checker.found.size % TOLD_EVERY == 0:
                    told(record.position, end)
        told(end, end)
        for what in await store.hidden():
            checker.unseen(what)
    except (AttributeError, TypeError) as error:  # a column that holds another type
        checker.broken(str(error))
    finally:
        await store.close()


def from_file(file: Path, checkers: dict[Owner, Checker], told: Told = NOTHING) -> None:
    """Every owner's events in it, of which each must be there from its first event on. Raises OSError."""
    size, at = file.stat().st_size, 0
    owner, left = next(iter(checkers)), dict(checkers)
    with file.open("rb") as lines:
        for count, line in enumerate(lines):
            at += len(line)
            owner = _owner_of(line) or owner
            if owner in left and not _taken(line, left[owner]):
                del left[owner]
            if count % TOLD_EVERY == 0:
                told(at, size)
    told(size, size)


def _owner_of(line: bytes) -> Owner | None:
    """As its type says; None if that says nothing."""
    try:
        return Owner(json.loads(line)["type"].partition(".")[0])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _taken(line: bytes, checker: Checker) -> bool:
    try:
        checker.take(record_of(line))
    except ValueError as error:
        checker.broken(str(error))
        return False
    return True
