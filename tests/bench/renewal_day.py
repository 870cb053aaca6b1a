"""Many accounts renew on one day, through the embedded system: how long it takes, and what bounds it.

python -m tests.bench.renewal_day                     2,000 accounts with a monthly plan each
python -m tests.bench.renewal_day --accounts 200
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from contracts.plan_actions import Privilege
from deploy.local.folder import Folder
from deploy.local.issuer import DevelopmentIssuer, Subject
from services.chassis.sqlite_store import SqliteEventStore
from tests.portal import Portal

from . import event_stores
from .history import PRICE_BOOK

BOUGHT, RENEWED = "2030-06-01T12:00:00Z", "2030-07-01T12:00:00Z"
OWNERS = ("plans", "devices", "renewals")
CLIENTS = 16
MOST_S = 1200.0  # then it ends, whatever is done by then
LOOK_EVERY_S = 0.2
# Of renewals, per account: due, the next one scheduled, answered, drafted, issued, paid, collected, completed.
EVENTS_EACH = 8
TICKS = os.sysconf("SC_CLK_TCK")

console = Console(width=None if sys.stdout.isatty() else 110)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.renewal_day", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--accounts", type=int, default=2000)
    accounts = parser.parse_args().accounts
    with tempfile.TemporaryDirectory() as folder:
        portal = Portal(Path(folder) / "portal", "--no-demo", start_s=600)
        with portal:
            asyncio.run(asyncio.wait_for(_measured(portal, accounts), MOST_S))


async def _measured(portal: Portal, accounts: int) -> None:
    everything = {"*": tuple(Privilege)}
    token = DevelopmentIssuer(Folder(portal.data_dir).issuer).token(Subject("bench", "owner", everything))
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*"}
    async with aiohttp.ClientSession(headers=headers) as http:
        day = RenewalDay(portal, http, accounts)
        with Progress(console=Console(stderr=True)) as progress:
            await day.prepare(progress)
            await day.renew(progress)
        await day.tell()


class RenewalDay:
    """seconds: of the clock's move to the day and through it. used_s: CPU of each part meanwhile."""

    def __init__(self, portal: Portal, http: aiohttp.ClientSession, accounts: int) -> None:
        self._portal, self._http, self._accounts = portal, http, accounts
        self.seconds = 0.0
        self.used_s: dict[str, float] = {}
        self.before: dict[str, int] = {}

    async def prepare(self, progress: Progress) -> None:
        await self._move(BOUGHT)
        api = f"{self._portal.url()}/api/v1"
        book = f"{api}/catalogue/standard/versions/1"
        await self._ask("PUT", book, data=PRICE_BOOK.read_bytes())
        task = progress.add_task("accounts", total=self._accounts)

        async def open_one(number: int) -> None:
            account = f"{api}/accounts/bench-{number}"
            terms = {"currency": "USD", "time_zone": "UTC", "tax_jurisdiction": "US-TX"}
            await self._ask("PUT", account, json=terms)
            await self._ask(
                "POST", f"{account}/plans", json={"sku": "workplace_pro", "quantity": 5, "cycle": "monthly"}
            )
            progress.advance(task)

        await _by(CLIENTS, open_one, range(self._accounts))
        await self._move("2030-06-02T12:00:00Z")  # what was bought is invoiced and paid

    async def renew(self, progress: Progress) -> None:
        task = progress.add_task("renewals", total=self._accounts)
        self.before = await self._heads()
        used, begun = self._cpu(), time.perf_counter()
        await self._move(RENEWED, lambda recorded: progress.update(task, completed=recorded // EVENTS_EACH))
        self.seconds = time.perf_counter() - begun
        self.used_s = {part: now - used[part] for part, now in self._cpu().items()}
        progress.update(task, completed=self._accounts)

    async def tell(self) -> None:
        recorded, appends = await self._recorded()
        done = recorded["renewals.RenewalCompleted"]
        assert done == self._accounts, f"{done} of {self._accounts} renewals are completed"
        events = sum(recorded.values())
        rate = f"{done / self.seconds:,.1f} renewals/s, {events / self.seconds:,.0f} events/s"
        console.print(f"{done:,} accounts renewed in {self.seconds:.1f} s: {rate}")
        with tempfile.TemporaryDirectory() as folder:
            store = await SqliteEventStore.open(Path(folder) / "bare.sqlite3")
            one_by_one = await event_stores.appends(store, 1, 1)
            await store.close()
        console.print(
            f"{appends / self.seconds:,.0f} durable appends/s; one after the other {one_by_one:,.0f}/s are made"
        )
        table = Table("part", "CPU, s", "of the time", title=f"{os.cpu_count()} cores")
        for part, used in sorted(self.used_s.items(), key=lambda each: -each[1]):
            table.add_row(part, f"{used:.1f}", f"{used / self.seconds:.0%}")
        console.print(table)
        console.print(", ".join(f"{count / done:g} {name}" for name, count in sorted(recorded.items())), "per account")

    async def _move(self, to: str, recorded: Callable[[int], object] = lambda _: None) -> None:
        """recorded: told how many events renewals have recorded meanwhile."""
        clock = f"{self._portal.url()}/api/v1/clock"
        view = await self._ask("POST", clock, json={"to": to, "stand_still": True})
        while view["moving_to"]:
            await asyncio.sleep(LOOK_EVERY_S)
            recorded((await self._heads())["renewals"] - self.before.get("renewals", 0))
            view = await self._ask("GET", clock)
        assert view["reason"] is None, view["reason"]

    async def _heads(self) -> dict[str, int]:
        """On SQLite a position counts events."""
        return {
            owner: int((await self._ask("GET", f"{self._portal.url(owner)}/events/head"))["position"])
            for owner in OWNERS
        }

    async def _recorded(self) -> tuple[Counter[str], int]:
        """Events since `before`, by type; and in how many appends: one for each command."""
        found: Counter[str] = Counter()
        commands: set[str] = set()
        for owner in OWNERS:
            params = {"after": str(self.before[owner])}
            async with self._http.get(f"{self._portal.url(owner)}/events", params=params) as answer:
                async for line in answer.content:
                    event = orjson.loads(line)
                    if "type" in event:
                        found[event["type"]] += 1
                        commands.add(event["metadata"]["command_id"])
        return found, len(commands)

    def _cpu(self) -> dict[str, float]:
        """Seconds of CPU each part has used so far."""
        used = {}
        for name, part in self._portal.parts().items():
            fields = Path(f"/proc/{part['pid']}/stat").read_text().rpartition(") ")[2].split()
            used[name] = (int(fields[11]) + int(fields[12])) / TICKS
        return used

    async def _ask(self, method: str, url: str, **body: Any) -> Any:
        async with self._http.request(method, url, **body) as answer:
            answer.raise_for_status()
            return await answer.json()


async def _by(clients: int, work: Callable[[int], Awaitable[None]], items: Iterable[int]) -> None:
    left = iter(items)

    async def client() -> None:
        for item in left:
            await work(item)

    await asyncio.gather(*(client() for _ in range(clients)))


if __name__ == "__main__":
    main()
