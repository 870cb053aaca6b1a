"""Speed beside the raw limits, in one run, as ratios. Absolute numbers are this machine's; compare the ratios.

python -m tests.bench                      with no history, then with 200,000 events of it
python -m tests.bench --history 0 --seconds 2
python -m tests.bench --history 0 --cluster   then over Apache Kafka and PostgreSQL, in the same run
"""

import argparse
import asyncio
import atexit
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import httpx2 as httpx
import orjson
from rich.console import Console
from rich.table import Table

from contracts.plan_actions import Privilege
from contracts.topics import Owner
from deploy.local.folder import Folder
from deploy.local.issuer import DevelopmentIssuer, Subject
from services.chassis.feed import FeedClient
from services.chassis.serve import spare_the_collector
from services.gateway.filling import fill
from services.gateway.sqlite_read_store import SqliteReadStore
from tests.cluster.portal import ClusterPortal
from tests.engines import free_port, postgres
from tests.engines.apache_kafka import ApacheKafka
from tests.portal import Portal

from . import broker_trip, history, load, wishes

ROUNDS = 3
PROBES = 300
CLIENTS = (1, 32)
console = Console(width=None if sys.stdout.isatty() else 120)


def main() -> None:
    spare_the_collector()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--history", type=int, nargs="*", default=[0, 200_000], help="events in the store beforehand")
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement and round")
    parser.add_argument("--cluster", action="store_true", help="then the same over Apache Kafka and PostgreSQL")
    options = parser.parse_args()
    for events in options.history:
        for engines in (_embedded, *([_cluster] if options.cluster else [])):
            with tempfile.TemporaryDirectory() as folder, engines(Path(folder)) as portal:
                console.rule(f"{events:,} events of history, {type(portal).__name__}")
                asyncio.run(_measured(portal, Path(folder), events, options.seconds))


@contextmanager
def _embedded(folder: Path) -> Iterator[Portal]:
    yield Portal(folder / "portal", "--no-demo", start_s=600)


@contextmanager
def _cluster(folder: Path) -> Iterator[Portal]:
    with postgres.server() as server, postgres.database(server.url) as database:
        kafka = ApacheKafka.formatted(folder)
        asyncio.run(kafka.start())
        try:
            yield ClusterPortal(folder / "portal", kafka, database, None, "--no-demo", start_s=600)
        finally:
            kafka.close()


async def _measured(portal: Portal, folder: Path, events: int, seconds: float) -> None:
    data = portal.data_dir
    if events:
        with console.status(f"writing {events:,} events"):
            (data / "plans").mkdir(parents=True)
            await history.write(data / "plans", events)
    with console.status("starting"):
        await asyncio.to_thread(portal.__enter__)
    try:
        bench = await asyncio.to_thread(Bench, portal, folder, seconds)
        table = Table("what", "ours", "raw limit", "ratio", "target")
        with console.status("measuring commands") as status:
            await bench.commands(table)
            status.update("measuring reads")
            await bench.reads(table)
            status.update("measuring visibility")
            await bench.visibility(table)
            status.update("measuring a rebuild")
            await bench.rebuild(table)
        console.print(table)
    finally:
        await asyncio.to_thread(portal.stop)


class Bench:
    """A running portal with an account to load, and a bare FastAPI process beside it."""

    def __init__(self, portal: Portal, folder: Path, seconds: float) -> None:
        self._portal, self._folder, self._seconds = portal, folder, seconds
        everything = {"*": tuple(Privilege)}
        self._token = DevelopmentIssuer(Folder(portal.data_dir).issuer).token(Subject("bench", "owner", everything))
        self._authorization = f"Bearer {self._token}"
        http = httpx.Client(base_url=portal.url(), headers={"Authorization": self._authorization}, timeout=30)
        book = history.PRICE_BOOK.read_bytes()
        http.put("/api/v1/catalogue/standard/versions/1", content=book).raise_for_status()
        self._plans = wishes.start_plans(http, [f"bench-{number}" for number in range(64)], 4)
        self._probed = wishes.start_plans(http, ["probe"], 4)
        self._card_path = self._probed[0].replace("/plans/", "/product-cards/")
        self._summary_path = self._probed[0].rpartition("/plans/")[0] + "/plan-summary"
        portal.until(lambda: http.get(self._card_path).status_code == 200)
        self._card = http.get(self._card_path)
        self._bare_port = _start_bare(portal, folder, self._card.content)

    async def commands(self, table: Table) -> None:
        """At the plans service alone (what follows its commands is stopped meanwhile), with all that follows running
        on the same cores, and with the gateway in front as well."""
        for clients in CLIENTS:
            with self._stopped("broker", "devices", "renewals", "gateway"):
                await self._commands(table, clients, "plans", "plans service alone")
            await self._commands(table, clients, "plans", "plans service, all following")
            await self._commands(table, clients, "gateway", "through the gateway, all following")

    async def _commands(self, table: Table, clients: int, part: str, name: str) -> None:
        edits = wishes.Edits(self._plans, self._authorization, clients)
        ours, bare = await self._in_turn(
            lambda: self._load(part, clients, edits.of_client), lambda: self._load_bare(clients, wishes.bare_appends)
        )
        row = f"durable commands/s, {clients} client{'s' * (clients > 1)}, {name}"
        table.add_row(row, f"{ours:,.0f}", f"{bare:,.0f}", f"{ours / bare:.2f}", "≥ 0.50")

    @contextmanager
    def _stopped(self, *parts: str) -> Iterator[None]:
        pids = [self._portal.parts()[part]["pid"] for part in parts]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    async def reads(self, table: Table) -> None:
        ours, bare = await self._in_turn(
            lambda: self._load("gateway", 32, wishes.repeated(self._card_path, self._authorization)),
            lambda: self._load_bare(32, wishes.repeated("/bytes", self._authorization)),
        )
        size = len(self._card.content)
        table.add_row(f"card reads/s, {size:,} bytes", f"{ours:,.0f}", f"{bare:,.0f}", f"{ours / bare:.2f}", "≥ 0.80")

    async def visibility(self, table: Table) -> None:
        """Acknowledged → on the card, and on the plan summary, which is two trips; beside the broker's own trip."""
        trips = await broker_trip.measured(self._portal.bootstrap, PROBES)
        for name, path in (("card", self._card_path), ("summary", self._summary_path)):
            seen = await self._seen_after(path)
            for label, target, at in (("p50", "≤ +25", 0.5), ("p99", "≤ +80", 0.99)):
                ours, raw = _quantile(seen, at) * 1e3, _quantile(trips, at) * 1e3
                row = f"acknowledged → {name}, ms, {label}"
                table.add_row(row, f"{ours:.1f}", f"{raw:.1f} (broker)", f"+{ours - raw:.1f} ms", f"{target} ms")

    async def rebuild(self, table: Table) -> None:
        """CPU seconds of the reader: what one core of its own would do."""
        async with aiohttp.ClientSession() as session:
            feeds = {
                owner: FeedClient(self._portal.url(owner), session, lambda: self._token)
                for owner in (Owner.PLANS, Owner.RENEWALS)
            }
            lines = [line async for line in _lines(session, self._portal.url("plans"), self._authorization)]
            lines += [line async for line in _lines(session, self._portal.url("renewals"), self._authorization)]
            store = await SqliteReadStore.open(self._folder / "rebuilt.sqlite3")
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            count = await fill(store, feeds, partitions=4)
            cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
            await store.close()
        decode_s = time.process_time()
        for line in lines:
            orjson.loads(line)
        decode_s = time.process_time() - decode_s
        ours, raw = count / cpu_s, len(lines) / decode_s
        row = f"rebuild events/s and core ({count:,} events; {count / wall_s:,.0f}/s by the clock)"
        table.add_row(row, f"{ours:,.0f}", f"{raw:,.0f} (decode)", f"{ours / raw:.2f}", "≥ 100,000/s")

    async def _in_turn(
        self, ours: Callable[[], Awaitable[float]], bare: Callable[[], Awaitable[float]]
    ) -> tuple[float, float]:
        """Medians of several rounds, one after the other in each, so that a noisy minute hits both."""
        rounds = [(await ours(), await bare()) for _ in range(ROUNDS)]
        return statistics.median(a for a, _ in rounds), statistics.median(b for _, b in rounds)

    async def _load(self, part: str, clients: int, messages: load.Messages) -> float:
        port = int(self._portal.url(part).rpartition(":")[2])
        return _checked(await load.run("127.0.0.1", port, clients, self._seconds, messages))

    async def _load_bare(self, clients: int, messages: load.Messages) -> float:
        return _checked(await load.run("127.0.0.1", self._bare_port, clients, self._seconds, messages))

    async def _seen_after(self, path: str) -> list[float]:
        """Seconds from a command's answer until a read that asks for its position is answered."""
        edits = wishes.Edits(self._probed, self._authorization).of_client(0)
        gateway = int(self._portal.url().rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway)
        seen = []
        for _ in range(PROBES):
            writer.write(next(edits))
            status, body = await load.answer(reader)
            assert status == 200, body
            acknowledged = time.perf_counter()
            query = f"{path}?min_position={orjson.loads(body)['position']}"
            writer.write(load.request("GET", query, Authorization=self._authorization))
            status, body = await load.answer(reader)
            assert status == 200, body
            seen.append(time.perf_counter() - acknowledged)
            await asyncio.sleep(0.01)
        writer.close()
        return seen


async def _lines(session: aiohttp.ClientSession, url: str, authorization: str) -> AsyncIterator[bytes]:
    async with session.get(f"{url}/events", headers={"Authorization": authorization}) as answer:
        for line in (await answer.read()).splitlines():
            yield line


def _checked(result: load.Load) -> float:
    if result.failures:
        raise SystemExit(f"the load was answered with {result.failures}: nothing was measured")
    return result.per_second


def _quantile(values: list[float], at: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * at))]


def _start_bare(portal: Portal, folder: Path, answer: bytes) -> int:
    """The port of a bare FastAPI process that answers with these bytes; it dies with us."""
    data, port = folder / "bare", free_port()
    data.mkdir()
    (data / "answer.json").write_bytes(answer)
    (data / "event.json").write_bytes(answer)
    environment = {
        **os.environ,
        "BILLING_PORT": str(port),
        "BILLING_DATA_DIR": str(data),
        "BILLING_KAFKA_BOOTSTRAP": "none",
        "BILLING_JWKS": "none",
        "BILLING_ISSUER": "none",
        "BILLING_AUDIENCE": "none",
        "BILLING_SERVICE_TOKEN_FILE": "none",
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare"], env=environment, stdin=subprocess.DEVNULL)
    atexit.register(process.kill)
    portal.until(lambda: _listens(port))
    return port


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/bytes").status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
