"""Proves that what was invoiced, collected, credited and refunded is what plans and devices said was to be paid."""

import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from contracts.envelope import Envelope
from contracts.money import Currency, format_minor
from contracts.topics import Owner
from services.chassis.event_store import START
from services.chassis.feed import FeedClient, FeedUnavailable

from .folder import Folder
from .issuer import DevelopmentIssuer
from .recount import Account, Recount

# Renewals first: whatever they had heard of when their log was looked at is in the others' logs, looked at later.
OWNERS = (Owner.RENEWALS, Owner.PLANS, Owner.DEVICES)
ROUNDS = 20  # in which what the others said last may have its effects
PAUSE_S = 0.5
MOST_ROWS = 50
FILE_WIDTH = 160  # columns, of a table that no terminal shows
AMOUNTS = ("charged", "invoiced", "tax", "paid", "refunded", "credit", "cut", "open")

Report = dict[str, Any]


def reconcile(folder: Folder, account: str | None, as_json: bool) -> int:
    """Prints the report. Returns 0 when all reconciles, else 1. Raises SystemExit when the logs cannot be read."""
    parts = folder.read_state()["parts"]
    urls = {owner: parts[owner]["url"] for owner in OWNERS}
    issuer = DevelopmentIssuer(folder.issuer)
    try:
        report = asyncio.run(_read(urls, issuer, account))
    except FeedUnavailable as failure:
        raise SystemExit(f"The logs cannot be read: {failure}.") from None
    print(json.dumps(report, indent=2)) if as_json else _show(report)
    return int(report["first"] is not None)


async def _read(urls: Mapping[Owner, str], issuer: DevelopmentIssuer, only: str | None) -> Report:
    """Reads all logs to their end, and on while something has not had its effects yet."""
    recount, reached = Recount(), dict.fromkeys(OWNERS, START)
    columns = (TextColumn("{task.description} {task.completed:,} events"),)
    async with aiohttp.ClientSession() as session:
        feeds = {owner: FeedClient(urls[owner], session, lambda: issuer.service_token("gateway")) for owner in OWNERS}
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("recounting")
            troubled: set[str] | None = None
            for round_ in range(ROUNDS):
                if round_:
                    await asyncio.sleep(PAUSE_S)
                heads = {owner: await feeds[owner].head() for owner in OWNERS}
                for owner in OWNERS:
                    async for events in feeds[owner].read(reached[owner], heads[owner]):
                        progress.advance(task, len(events))
                        _take(recount, events, only)
                    reached[owner] = heads[owner]
                now = {trouble for troubles in _troubles(recount).values() for trouble in troubles}
                # What is new since the first look is on its way: the portal works on meanwhile.
                troubled = now if troubled is None else troubled & now
                if not troubled:
                    break
    return report_of(recount, reached, troubled or set())


def _take(recount: Recount, events: list[Envelope], only: str | None) -> None:
    for event in events:
        if only in (None, event.account_id):
            recount.take(event)


def _troubles(recount: Recount) -> dict[str, list[str]]:
    return {name: account.troubles(recount.newest) for name, account in sorted(recount.accounts.items())}


def report_of(recount: Recount, positions: Mapping[Owner, int], believed: set[str]) -> Report:
    """{positions, accounts: [{account, currency, the amounts, troubles}], first}. first: the account that does not
    reconcile and the event that is not accounted for, or null. believed: the troubles that have lasted."""
    accounts = [
        _row(name, account, [trouble for trouble in account.troubles(recount.newest) if trouble in believed], recount)
        for name, account in sorted(recount.accounts.items())
        if account.currency
    ]
    failing = ({"account": row["account"], "trouble": row["troubles"][0]} for row in accounts if row["troubles"])
    return {"positions": dict(positions), "accounts": accounts, "first": next(failing, None)}


def _row(name: str, account: Account, troubles: list[str], recount: Recount) -> Report:
    newest: date = recount.newest
    amounts = {each: account.totals[each] for each in AMOUNTS}
    amounts.update(charged=account.charged(newest), open=account.bills.left_to_pay())
    return {"account": name, "currency": account.currency, **amounts, "troubles": troubles}


def _show(report: Report) -> None:
    rows = report["accounts"]
    table = Table("account", "currency", *AMOUNTS, "reconciles")
    if len(rows) > MOST_ROWS:
        rows = [*_sums(rows), *(row for row in rows if row["troubles"])][:MOST_ROWS]
    for row in rows:
        shown = (_number(row[each], Currency(row["currency"])) for each in AMOUNTS)
        table.add_row(row["account"], row["currency"], *shown, "[red]no[/]" if row["troubles"] else "[green]yes[/]")
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(table)
    first = report["first"]
    positions = ", ".join(f"{owner} at {position}" for owner, position in report["positions"].items())
    console.print(f"As of {positions}.")
    if first is None:
        console.print(f"All {len(report['accounts'])} accounts reconcile.")
    else:
        console.print(f"[red]{first['account']} does not reconcile[/]: {first['trouble']}", soft_wrap=True)


def _number(minor: int, currency: Currency) -> str:
    return format_minor(minor, currency).replace(f" {currency}", "")


def _sums(rows: list[Report]) -> list[Report]:
    """One row per currency."""
    sums: dict[str, Report] = {}
    for row in rows:
        of = sums.setdefault(row["currency"], {"currency": row["currency"], "troubles": [], "accounts": 0})
        of["accounts"] += 1
        of["account"] = f"{of['accounts']} accounts"
        of["troubles"] += row["troubles"]
        for each in AMOUNTS:
            of[each] = of.get(each, 0) + row[each]
    return list(sums.values())
