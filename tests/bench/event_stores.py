"""KurrentDB's engine beside SQLite's in one run: appends, reads of one stream and of the log, a second.

python -m tests.bench.event_stores                   KurrentDB's double: the client's cost and ours, no server's figure
python -m tests.bench.event_stores --kurrentdb URI   a real one
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.chassis.event_store import NO_STREAM, START, EventStore, NewEvent
from services.chassis.kurrent_store import KurrentEventStore
from services.chassis.sqlite_store import SqliteEventStore

ROUNDS, WRITERS, APPENDS, BATCH = 5, 32, 20, 100
BODY = b'{"bundle_id":"acme","before":9,"after":12,"lines":[%b]}' % b",".join([b'{"amount_minor":3277}'] * 5)


def batch(size: int) -> list[NewEvent]:
    metadata = b'{"account_id":"acme","recorded_at":"2026-11-23T07:00:00.000000Z","command_id":"%b"}'
    return [
        NewEvent(str(uuid.uuid4()), "plans.PlanEdited", 1, metadata % uuid.uuid4().hex.encode(), BODY)
        for _ in range(size)
    ]


async def appends(store: EventStore, size: int, writers: int) -> float:
    """Events a second, each writer in a stream of its own."""

    async def write() -> None:
        stream, revision = f"plan-{uuid.uuid4()}", NO_STREAM
        for _ in range(APPENDS):
            revision = (await store.append(stream, batch(size), revision)).revision

    begun = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(writers)))
    return writers * APPENDS * size / (time.perf_counter() - begun)


async def stream_reads(store: EventStore) -> float:
    """Streams of 20 events a second."""
    stream = f"plan-{uuid.uuid4()}"
    await store.append(stream, batch(20), NO_STREAM)
    begun = time.perf_counter()
    for _ in range(200):
        await store.read_stream(stream)
    return 200 / (time.perf_counter() - begun)


async def log_read(store: EventStore) -> float:
    """Events a second."""
    begun, count = time.perf_counter(), 0
    async for _ in store.read_all(START):
        count += 1
    return count / (time.perf_counter() - begun)


MEASURED: dict[str, Callable[[EventStore], Awaitable[float]]] = {
    "appends of one event, 1 writer": lambda store: appends(store, 1, 1),
    f"appends of one event, {WRITERS} writers": lambda store: appends(store, 1, WRITERS),
    f"events in appends of {BATCH}, 4 writers": lambda store: appends(store, BATCH, 4),
    "reads of a stream of 20": stream_reads,
    "events of the log": log_read,
}


async def measured(folder: Path, uri: str) -> dict[str, dict[str, float]]:
    """Medians; the engines take turns in every round."""
    stores = {
        "SQLite": await SqliteEventStore.open(folder / "plans.sqlite3"),
        "KurrentDB": await KurrentEventStore.open(uri, f"bench{uuid.uuid4().hex}"),
    }
    found: dict[str, dict[str, list[float]]] = {what: {name: [] for name in stores} for what in MEASURED}
    for _ in range(ROUNDS):
        for what, measure in MEASURED.items():
            for name, store in stores.items():
                found[what][name].append(await measure(store))
    for store in stores.values():
        await store.close()
    return {what: {name: statistics.median(each) for name, each in of.items()} for what, of in found.items()}


@contextmanager
def double() -> Iterator[str]:
    """In a process of its own: it shall not take our processor's time."""
    command = (sys.executable, "-m", "tests.doubles")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.event_stores", description=__doc__.splitlines()[0])
    parser.add_argument("--kurrentdb", help="the address of a real one; a log of its own is made in it, and stays")
    given = parser.parse_args().kurrentdb
    with tempfile.TemporaryDirectory() as folder:
        if given:
            found = asyncio.run(measured(Path(folder), given))
        else:
            with double() as uri:
                found = asyncio.run(measured(Path(folder), uri))
    what = "KurrentDB" if given else "KurrentDB's double (no server's figure)"
    table = Table("a second, median of 5", "SQLite", what, "ratio")
    for name, of in found.items():
        table.add_row(name, f"{of['SQLite']:,.0f}", f"{of['KurrentDB']:,.0f}", f"{of['KurrentDB'] / of['SQLite']:.3f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
