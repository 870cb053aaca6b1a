"""`billing replay` of a long log, beside reading the same rows raw; how much memory it takes; interrupted and gone on.

python -m tests.bench.replay                       1,000,000 events
python -m tests.bench.replay --events 100000       sooner done
"""

import argparse
import asyncio
import hashlib
import itertools
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from contracts.topics import Owner
from deploy.local.folder import Folder
from deploy.local.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from services.chassis.auth import Authenticator
from services.chassis.event_store import NO_STREAM, NewEvent
from services.chassis.feed import feed_router
from services.chassis.http import create_app
from services.chassis.metrics import Metrics
from services.chassis.serve import run
from services.chassis.settings import ListenerSettings
from services.chassis.sqlite_store import SqliteEventStore
from tests.engines import until
from tests.engines.broker import free_port

from .history import account_streams

SAMPLE_ACCOUNTS = 1_000  # decided for real; the rest are these again, as other streams
AT_ONCE = 400
KILLS = 3
POLL_S = 0.02
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.replay", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.serve, options.port)
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.events)


def _measure(folder: Path, events: int) -> None:
    written = asyncio.run(_write(folder, events))
    table = Table("what", "events/s", "beside raw", "memory at most, MB: command, owner")
    raw_s = _raw(folder, folder / "raw")
    table.add_row("the rows, from SQLite to a file", f"{written / raw_s:,.0f}", "1", "")
    with _owner(folder) as owner:
        for form in ("jsonl", "cloudevents"):
            begun = time.perf_counter()
            peaks = _watched(_replay(folder, f"{form}.whole", form), owner)
            took_s = time.perf_counter() - begun
            memory = ", ".join(f"{peak / 2**20:,.0f}" for peak in peaks)
            table.add_row(f"billing replay, {form}", f"{written / took_s:,.0f}", f"{raw_s / took_s:.2f}", memory)
        size = (folder / "jsonl.whole").stat().st_size
        for kill in range(1, KILLS + 1):
            _killed(_replay(folder, "again", "jsonl"), folder / "again.part", size * kill // (KILLS + 1))
        assert _replay(folder, "again", "jsonl").wait() == 0
    console.print(table)
    digests = {name: _digest(folder / name) for name in ("jsonl.whole", "again")}
    same = digests["again"] == digests["jsonl.whole"]
    console.print(
        f"{written:,} events, {size / 2**20:,.0f} MB; killed {KILLS} times and gone on: {same and 'the same bytes'}"
    )
    assert same, digests


async def _write(folder: Path, events: int) -> int:
    (folder / "plans").mkdir()
    sample = list(account_streams(SAMPLE_ACCOUNTS))
    store = await SqliteEventStore.open(folder / "plans" / "plans.sqlite3")
    wanted = _again_and_again(sample)
    written = 0
    with Progress(console=console) as progress:
        task = progress.add_task("writing the log", total=events)
        while written < events:
            chunk = list(itertools.islice(wanted, AT_ONCE))
            await asyncio.gather(*(store.append(stream, batch, NO_STREAM) for stream, batch in chunk))
            written += sum(len(batch) for _, batch in chunk)
            progress.update(task, completed=written)
    await store.close()
    return written


def _again_and_again(sample: list[tuple[str, tuple[NewEvent, ...]]]) -> Iterator[tuple[str, list[NewEvent]]]:
    for number in itertools.count():
        for stream, batch in sample:
            yield f"{stream}-{number}", [replace(each, event_id=str(uuid.uuid4())) for each in batch]


def _raw(folder: Path, to: Path) -> float:
    begun = time.perf_counter()
    with sqlite3.connect(folder / "plans" / "plans.sqlite3") as db, to.open("wb") as out:
        for metadata, data in db.execute("SELECT metadata, data FROM events ORDER BY position"):
            out.write(metadata)
            out.write(data)
    return time.perf_counter() - begun


@contextmanager
def _owner(folder: Path) -> Iterator[int]:
    """A process that serves the feed of the log; its pid."""
    port = free_port()
    DevelopmentIssuer(Folder(folder).issuer)
    command = [sys.executable, "-m", "tests.bench.replay", "--serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{port}"
        Folder(folder).write_state({owner: {"url": url, "pid": process.pid} for owner in Owner})
        asyncio.run(until(lambda: _answers(port)))
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _serve(folder: Path, port: int) -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, object]]:
        store = await SqliteEventStore.open(folder / "plans" / "plans.sqlite3")
        yield {"store": store}
        await store.close()

    settings = ListenerSettings(
        port=port,
        data_dir=folder,
        jwks=str(DevelopmentIssuer(Folder(folder).issuer).jwks_file),
        issuer=ISSUER,
        audience=AUDIENCE,
        log_level="error",
    )
    router = feed_router(lambda request: request.state.store, Owner.PLANS)
    authenticator = Authenticator(settings.jwks, settings.issuer, settings.audience)
    run(create_app("plans", lifespan, [router], authenticator, {}, Metrics()), settings)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _replay(folder: Path, to: str, form: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "services.cli", "replay", "--owner", "plans", "--format", form]
    command += ["--output", str(folder / to), "--data-dir", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _watched(command: "subprocess.Popen[bytes]", owner: int) -> tuple[int, int]:
    """The most memory that the command and the owner had resident while it ran, in bytes."""
    peaks = [0, 0]
    while command.poll() is None:
        peaks = [max(peak, _resident(pid)) for peak, pid in zip(peaks, (command.pid, owner), strict=True)]
        time.sleep(POLL_S)
    assert command.returncode == 0
    return peaks[0], peaks[1]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def _killed(command: "subprocess.Popen[bytes]", part: Path, at: int) -> None:
    """As `kill -9` does, once it has written so much."""
    while not part.exists() or part.stat().st_size < at:
        assert command.poll() is None, "it ended before it could be killed"
        time.sleep(POLL_S)
    command.kill()
    command.wait()


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    main()
