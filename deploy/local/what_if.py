"""`billing what-if` in a portal on this machine: reads the account's history, and forks it in this process."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from contracts.money import format_minor
from contracts.problems import PROBLEMS, Refused
from contracts.topics import Owner
from services.chassis import logs
from services.chassis.clock import clock_of
from services.chassis.feed import FeedClient, FeedUnavailable
from services.gateway.mover import Stuck
from services.gateway.what_if.wish import WhatIfAnswer, WhatIfBody, WhatIfInvoice, instant_of
from services.whatif.comparison import what_if
from services.whatif.fork import World
from services.whatif.future import Broken
from services.whatif.history import NeverStill, history_of

from .folder import Folder
from .issuer import DevelopmentIssuer
from .launcher import TAX_RATES

FILE_WIDTH = 120  # columns, of a table that no terminal shows
NONE = "–"


def command(folder: Folder, account_id: str, until: str, commands: Path | None, as_json: bool) -> int:
    """Returns 1 when a command was refused. Raises SystemExit with what stands against it."""
    logs.setup("what-if", "error")
    wish = _wish(until, commands)
    try:
        answer = asyncio.run(_answer(folder, account_id, wish))
    except Refused as refused:
        kind = PROBLEMS[refused.code]
        raise SystemExit(f"{kind.title}. {kind.next_step} {_facts(refused)}".strip()) from None
    except (FeedUnavailable, NeverStill, Stuck, Broken, ValueError, OSError) as problem:
        raise SystemExit(f"What if came to no end: {problem}") from None
    if as_json:
        sys.stdout.write(answer.model_dump_json(indent=2) + "\n")
    else:
        _show(answer)
    return int(any(each.problem for each in answer.commands))


async def _answer(folder: Folder, account_id: str, wish: WhatIfBody) -> WhatIfAnswer:
    parts, issuer = folder.read_state()["parts"], DevelopmentIssuer(folder.issuer)
    async with aiohttp.ClientSession() as session:
        feeds = {
            owner: FeedClient(parts[owner]["url"], session, lambda: issuer.service_token("gateway")) for owner in Owner
        }
        past = await history_of(account_id, feeds)
    now = clock_of(folder.clock).now()
    columns = (TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[at]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        total = (instant_of(wish.until) - now).total_seconds()
        names = ("without", "with") if wish.commands else ("without",)
        tasks = {name: progress.add_task(f"{name} commands", total=total, at="") for name in names}

        def told(name: str, at: datetime) -> None:
            progress.update(tasks[name], completed=(at - now).total_seconds(), at=f"{at:%Y-%m-%d}")

        return await what_if(account_id, past, now, wish, World(TAX_RATES), told)


def _wish(until: str, file: Path | None) -> WhatIfBody:
    """Raises SystemExit."""
    try:
        lines = file.read_bytes().splitlines() if file else []
    except OSError as problem:
        raise SystemExit(f"{file} cannot be read: {problem.strerror}.") from None
    commands: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            commands += [orjson.loads(line)] if line.strip() else []
        except ValueError:
            raise SystemExit(f"{file}, line {number}: not JSON.") from None
    try:
        return WhatIfBody.model_validate_json(orjson.dumps({"until": until, "commands": commands}))
    except ValidationError as invalid:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors(include_input=False))
        raise SystemExit(f"Not understood: {'; '.join(wrong)}. See billing what-if --help.") from None


def _facts(refused: Refused) -> str:
    return " ".join(f"{name}: {value}." for name, value in refused.facts.items())


def _show(answer: WhatIfAnswer) -> None:
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    for each in answer.commands:
        said = each.problem["detail"] if each.problem else ", ".join(each.events) or "it is already so"
        console.print(f"{each.number}. {each.at:%Y-%m-%d} {each.method} {each.path}: {each.outcome}, {said}")
    console.print(_table(answer))
    for card in answer.cards:
        renewal = card.next_renewal
        next_one = (
            f", renews on {renewal.due_on} for {format_minor(renewal.amount_minor, card.currency)}" if renewal else ""
        )
        console.print(f"At the end: {card.licences.total} × {card.name} ({card.bundle_id}), {card.status}{next_one}")
    console.print("Nothing of this was recorded.")


def _table(answer: WhatIfAnswer) -> Table:
    """Without commands one column of amounts is all there is to see."""
    title = f"{answer.account_id}, {answer.now:%Y-%m-%d} to {answer.until:%Y-%m-%d}"
    table = Table("issued on", "invoice", title=title, show_footer=True)
    table.columns[0].footer = "in sum"
    sums = (answer.totals.without_minor, answer.totals.with_minor, answer.totals.difference_minor)
    shown = tuple(zip(("without", "with", "difference") if answer.commands else ("total",), sums, strict=False))
    for name, minor in shown:
        table.add_column(name, footer=format_minor(minor, answer.currency), justify="right")
    for pair in answer.invoices:
        one = pair.with_commands or pair.without
        assert one is not None
        difference = format_minor(pair.difference_minor, answer.currency) if pair.difference_minor else NONE
        amounts = (_amount(pair.without), _amount(pair.with_commands), difference)
        style = "bold" if pair.difference_minor else ""
        table.add_row(f"{one.issued_on}", f"{one.kind}: {_products(one)}", *amounts[: len(shown)], style=style)
    return table


def _amount(invoice: WhatIfInvoice | None) -> str:
    return invoice.shown if invoice else NONE


def _products(invoice: WhatIfInvoice) -> str:
    return ", ".join(dict.fromkeys(line.name for line in invoice.lines))
