"""The read store's engines beside each other in one run: card reads, events applied as they come, a rebuild.

python -m tests.bench.read_stores                     PostgreSQL from a wheel, durable, on this machine
python -m tests.bench.read_stores --before FOLDER     and card reads of the gateway as it is in another checkout
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2 as httpx
from rich.console import Console
from rich.table import Table

from contracts.envelope import Envelope, opened
from contracts.topics import Owner, partition_of
from services.chassis.sqlite_store import SqliteEventStore
from services.gateway.filling import fill
from services.gateway.postgres_read_store import open_postgres_read_store
from services.gateway.read_store import ReadStore
from services.gateway.sqlite_read_store import open_sqlite_read_store
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer
from tests.engines import free_port
from tests.engines.postgres import Postgres, database, server

from . import history, load, wishes

ROUNDS, PARTITIONS, CLIENTS, LIVE_EVENTS = 5, 4, 32, 2000
CARD = "/api/v1/accounts/past-7/product-cards/past7"
ROOT = Path(__file__).parents[2]


class Log:
    """A feed from memory."""

    def __init__(self, events: list[Envelope]) -> None:
        self._events = events

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        for start in range(0, len(self._events), 1000):
            yield self._events[start : start + 1000]

    async def head(self) -> int:
        return self._events[-1].position


class Bench:
    def __init__(self, folder: Path, postgres: Postgres, events: list[Envelope], seconds: float) -> None:
        self._folder, self._postgres, self._events, self._seconds = folder, postgres, events, seconds
        self._issuer = Issuer()
        self._jwks = self._issuer.jwks_file(folder)
        (folder / "service.token").write_text(self._issuer.token(sub="gateway", role="service"))

    async def rebuild(self, store: ReadStore) -> float:
        begun = time.perf_counter()
        await fill(store, {Owner.PLANS: Log(self._events)}, PARTITIONS)
        return len(self._events) / (time.perf_counter() - begun)

    async def applied(self, store: ReadStore, size: int) -> float:
        """Events a second in batches of a size, each of them durable when the next begins."""
        events = self._events[:LIVE_EVENTS] if size == 1 else self._events
        begun = time.perf_counter()
        for start in range(0, len(events), size):
            batch = events[start : start + size]
            marks = {partition_of(event.account_id, PARTITIONS): event.position for event in batch}
            await store.apply(Owner.PLANS, batch, marks, ())
        return len(events) / (time.perf_counter() - begun)

    async def reads(self, gateways: dict[str, int]) -> dict[str, float]:
        """Card reads a second by gateway; medians of rounds in turn, so that a noisy minute hits all."""
        bearer = f"Bearer {self._issuer.token(grants={'*': ['BillingSubscription:Read']})}"
        rounds: dict[str, list[float]] = {name: [] for name in gateways}
        for _ in range(ROUNDS):
            for name, port in gateways.items():
                result = await load.run("127.0.0.1", port, CLIENTS, self._seconds, wishes.repeated(CARD, bearer))
                assert not result.failures, result.failures
                rounds[name].append(result.per_second)
        return {name: statistics.median(each) for name, each in rounds.items()}

    @asynccontextmanager
    async def gateway(self, data: Path, root: Path = ROOT, **settings: str) -> AsyncIterator[int]:
        """The port of a gateway in a process of its own, over what its read store holds."""
        port = free_port()
        environment = {
            "BILLING_PORT": str(port),
            "BILLING_DATA_DIR": str(data),
            "BILLING_KAFKA_BOOTSTRAP": "127.0.0.1:9",
            "BILLING_JWKS": str(self._jwks),
            "BILLING_ISSUER": ISSUER,
            "BILLING_AUDIENCE": AUDIENCE,
            "BILLING_SERVICE_TOKEN_FILE": str(self._folder / "service.token"),
            "BILLING_PLANS_URL": "http://127.0.0.1:9",
            "BILLING_RENEWALS_URL": "http://127.0.0.1:9",
            "BILLING_LOG_LEVEL": "error",
            "BILLING_ENVIRONMENT": "development",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.gateway"),
            env={**os.environ, **environment, **settings, "PYTHONPATH": str(root)},
            cwd=root,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(30):
                while not await asyncio.to_thread(_lives, port):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            yield port
        finally:
            process.terminate()
            await process.wait()


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
    except httpx.HTTPError:
        return False


async def _log(folder: Path, events: int) -> list[Envelope]:
    await history.write(folder, events)
    store = await SqliteEventStore.open(folder / "plans.sqlite3")
    log = [opened(record) async for record in store.read_all(0)]
    await store.close()
    return log


async def _measured(folder: Path, options: argparse.Namespace, postgres: Postgres) -> None:
    bench = Bench(folder, postgres, await _log(folder, options.events), options.seconds)
    table = Table("what", "SQLite", "PostgreSQL", "ratio", *(["SQLite before", "ratio"] if options.before else []))

    def told(what: str, sqlite: float, other: float, *rest: str) -> None:
        table.add_row(what, f"{sqlite:,.0f}", f"{other:,.0f}", f"{other / sqlite:.2f}", *rest)

    async with AsyncExitStack() as held:
        url = held.enter_context(database(postgres.url))

        def stores(name: str) -> list[AsyncIterator[ReadStore]]:
            (folder / name).mkdir()
            return [
                open_sqlite_read_store(folder / name / "read.sqlite3"),
                open_postgres_read_store(url, PARTITIONS, name=name),
            ]

        for what, name, size in (("in batches of 500", "by_500", 500), ("one by one", "by_1", 1)):
            found = []
            for opening in stores(name):
                async with opening as store:
                    found.append(await bench.applied(store, size))
            told(f"events applied/s, {what}", *found)
        found = []
        for opening in stores("read_models"):
            async with opening as store:
                found.append(await bench.rebuild(store))
        told("events rebuilt/s, by the clock", *found)
        gateways = {"sqlite": await held.enter_async_context(bench.gateway(folder / "read_models"))}
        gateways["postgres"] = await held.enter_async_context(
            bench.gateway(folder / "none", BILLING_DATABASE=url, BILLING_PARTITIONS=str(PARTITIONS))
        )
        if options.before:
            shutil.copytree(folder / "read_models", folder / "before")
            gateways["before"] = await held.enter_async_context(bench.gateway(folder / "before", options.before))
        reads = await bench.reads(gateways)
        rest = [f"{reads['before']:,.0f}", f"{reads['sqlite'] / reads['before']:.2f}"] if options.before else []
        told(f"card reads/s, {CLIENTS} clients", reads["sqlite"], reads["postgres"], *rest)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.read_stores", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement of reads, and round")
    parser.add_argument("--before", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(fsync="on", shared_buffers="128MB") as postgres:
        asyncio.run(_measured(Path(folder), options, postgres))


if __name__ == "__main__":
    main()
