"""Many accounts renew on one day: how long the whole portal takes, and which process is busy meanwhile.

python -m tests.bench.renewal_day                    2,000 accounts with one monthly plan each
python -m tests.bench.renewal_day --accounts 200     sooner done
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from contracts.plan_actions import Privilege
from contracts.topics import Owner
from services.gateway.projections import invoice, product_card
from tests.engines import until
from tests.portal import Portal
from tests.system import logs

BOOK = Path(__file__).parents[2] / "deploy/local/price_book_v1.json"
STARTED, RENEWED = "2030-01-15T12:00:00Z", "2030-02-15T12:00:00Z"
AT_ONCE = 16
POLL_S = 0.1
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.renewal_day", description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=2000)
    accounts = parser.parse_args().accounts
    with tempfile.TemporaryDirectory() as folder, Portal(Path(folder) / "portal", "--no-demo") as portal:
        asyncio.run(_measured(portal, accounts))


async def _measured(portal: Portal, accounts: int) -> None:
    names = [f"customer-{number}" for number in range(accounts)]
    grants = dict.fromkeys(names, (Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT))
    async with _client(portal, "seller") as seller, _client(portal, "otto") as operator:
        await _done(seller.put("/api/v1/catalogue/standard/versions/1", data=BOOK.read_bytes()))
        await _forward(operator, STARTED)
        with Progress(console=console) as progress:
            await _start(portal, grants, progress)
            before, busy = {owner: logs.head(portal, owner) for owner in Owner}, _cpu(portal)
            started = time.perf_counter()
            task = progress.add_task("renewing", total=accounts)
            moving = asyncio.create_task(_forward(operator, RENEWED))
            while not moving.done():
                await asyncio.sleep(POLL_S)
                progress.update(task, completed=_cards_renewed(portal))
            await moving
            renewed_s = time.perf_counter() - started
            await until(lambda: _cards_renewed(portal) == accounts and _collected(portal) == 2 * accounts)
            progress.update(task, completed=accounts)
            shown_s = time.perf_counter() - started
    written = {owner: logs.head(portal, owner) - before[owner] for owner in Owner}
    _report(accounts, renewed_s, shown_s, written, {part: _cpu(portal)[part] - spent for part, spent in busy.items()})
    _check(portal, accounts)


async def _start(portal: Portal, grants: Mapping[str, tuple[Privilege, ...]], progress: Progress) -> None:
    task, gate = progress.add_task("opening accounts", total=len(grants)), asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with gate, _client(portal, portal.token_for("bench", {name: grants[name]}), True) as client:
            account = f"/api/v1/accounts/{name}"
            await _done(client.put(account, json={"currency": "USD", "time_zone": "Etc/UTC"}))
            wish = {"sku": "workplace_pro", "quantity": 3, "cycle": "monthly"}
            await _done(client.post(f"{account}/plans", json=wish))
        progress.advance(task)

    await asyncio.gather(*map(one, grants))
    await until(lambda: _collected(portal) == len(grants))


@asynccontextmanager
async def _client(portal: Portal, user: str, is_token: bool = False) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {user if is_token else portal.token(user)}"}
    async with aiohttp.ClientSession(portal.url(), headers=headers, timeout=aiohttp.ClientTimeout(60)) as session:
        yield session


async def _done(asked: "aiohttp.client._RequestContextManager") -> None:
    async with asked as answer:
        if not answer.ok:
            raise RuntimeError(await answer.text())
        await answer.read()


async def _forward(operator: aiohttp.ClientSession, to: str) -> None:
    await _done(operator.post("/api/v1/clock", json={"to": to}))
    while True:
        async with operator.get("/api/v1/clock") as answer:
            view = await answer.json()
        if not view["moving_to"]:
            if view["reason"]:
                raise RuntimeError(view["reason"])
            return
        await asyncio.sleep(POLL_S)


def _cards_renewed(portal: Portal) -> int:
    query = f"SELECT count(*) FROM {product_card.TABLE} WHERE json_extract(data, '$.term_start') = '2030-02-15'"
    return int(portal.read_models(query)[0][0])


def _collected(portal: Portal) -> int:
    query = f"SELECT count(*) FROM {invoice.TABLE} WHERE json_extract(data, '$.status') = 'collected'"
    return int(portal.read_models(query)[0][0])


def _cpu(portal: Portal) -> dict[str, float]:
    """CPU seconds each process has used."""
    tick = os.sysconf("SC_CLK_TCK")
    fields = {part: Path(f"/proc/{of['pid']}/stat").read_text().split() for part, of in portal.parts().items()}
    return {part: (int(stat[13]) + int(stat[14])) / tick for part, stat in fields.items()}


def _report(
    accounts: int, renewed_s: float, shown_s: float, written: Mapping[Owner, int], busy: Mapping[str, float]
) -> None:
    table = Table("process", "events recorded", "CPU seconds", "of the time", title=f"{accounts:,} renewals on one day")
    for part, spent in busy.items():
        recorded = f"{written[Owner(part)]:,}" if part in set(Owner) else ""
        table.add_row(part, recorded, f"{spent:.1f}", f"{spent / shown_s:.0%}")
    console.print(table)
    console.print(f"renewed, invoiced and paid after {renewed_s:.1f} s: {accounts / renewed_s:.0f} accounts/s")
    console.print(f"and on every card and in every payment history after {shown_s:.1f} s")
    busiest = max(busy, key=lambda part: busy[part])
    console.print(
        f"busiest: {busiest}, {busy[busiest] / shown_s:.0%} of one of {os.cpu_count()} cores; the rest is waiting"
    )


def _check(portal: Portal, accounts: int) -> None:
    """Everybody was billed twice: when the plan was started, and on the day."""
    issued = [event for event in logs.feed(portal, Owner.RENEWALS) if event["type"] == "renewals.InvoiceIssued"]
    of: Iterable[tuple[str, str]] = {(e["metadata"]["account_id"], e["data"]["invoice"]["issued_on"]) for e in issued}
    assert len(issued) == len(set(of)) == 2 * accounts
    assert {event["data"]["invoice"]["total_minor"] for event in issued} == {3 * 1699}


if __name__ == "__main__":
    main()
