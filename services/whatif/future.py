"""One future of an account: what comes of its history, with hypothetical commands or without."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from contracts.envelope import opened
from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.problems import problem_document
from contracts.topics import Owner
from services.chassis.clock import today
from services.gateway import cards, invoices
from services.gateway.answers import ProductCard
from services.gateway.commands import COMMANDS
from services.gateway.folding import NOTHING, Rows, fold
from services.gateway.forwarded import API
from services.gateway.projections import account, invoice, product_card
from services.gateway.what_if.wish import Hypothetical, Outcome, WhatIfInvoice, instant_of

from .fork import Fork, Told, World, forked
from .history import History

PROJECTIONS = (account, product_card, invoice)
_ID = r"[A-Za-z0-9_.:-]{1,128}"
_ADDRESSES = [(each, re.compile(re.sub(r"{\w+}", _ID, each.path))) for each in COMMANDS if not each.quote]


class Broken(Exception):
    """A mistake of ours: an owner did not answer a command as it should."""


@dataclass(frozen=True, slots=True)
class Future:
    """outcomes: in the order of the commands. invoices: those that are new, by id. cards: at the end."""

    currency: Currency
    outcomes: Sequence[Outcome]
    invoices: Mapping[str, WhatIfInvoice]
    cards: Sequence[ProductCard]


async def future_of(
    account_id: str,
    past: History,
    now: datetime,
    until: datetime,
    commands: Sequence[Hypothetical],
    world: World,
    told: Told,
) -> Future:
    """Raises ValueError for a history with a gap, gateway.mover.Stuck, Broken."""
    async with forked(account_id, past, now, world) as fork:
        outcomes = []
        for number, command in sorted(enumerate(commands, 1), key=lambda each: _at(each[1], now)):
            await fork.roll(_at(command, now), told)
            outcomes.append(await _outcome(fork, number, command))
        await fork.roll(until, told)
        return await _read(fork, past, sorted(outcomes, key=lambda outcome: outcome.number))


def _at(command: Hypothetical, now: datetime) -> datetime:
    return now if command.at is None else instant_of(command.at)


async def _outcome(fork: Fork, number: int, command: Hypothetical) -> Outcome:
    """Raises Broken."""
    path = command.address(f"{API}/accounts/{fork.account_id}")
    found = [each for each, address in _ADDRESSES if address.fullmatch(path) and command.method in (None, each.method)]
    told: dict[str, Any] = {"number": number, "at": fork.now(), "path": path}
    if not found:
        problem = problem_document("not_found")
        return Outcome(**told, method=command.method or "POST", outcome="refused", events=[], problem=problem)
    method = found[0].method
    status, body = await fork.command(found[0].owner, method, path, command.body, f"what-if-{number}")
    if status >= 500:
        raise Broken(f"{method} {path} was answered {status}")
    members = orjson.loads(body)
    if status >= 400:
        return Outcome(**told, method=method, outcome="refused", events=[], problem=members)
    events = [event["type"] for event in members["events"]]
    return Outcome(**told, method=method, outcome="done", events=events, problem=None)


async def _read(fork: Fork, past: History, outcomes: Sequence[Outcome]) -> Future:
    """Through the projections that answer any read."""
    rows: dict[str, Rows] = {}
    for owner in (Owner.PLANS, Owner.RENEWALS):
        events = [opened(record, orjson.loads) for record in await fork.records(owner)]
        of_owner = fold(PROJECTIONS, events, lambda _table, _key: NOTHING)
        rows |= {table: found for table, found in of_owner.items() if found}
    holder = rows[account.TABLE][fork.account_id].row
    assert holder is not None
    known = {record.stream for record in past.get(Owner.RENEWALS, ())}
    on, holds = today(fork, holder["time_zone"]), cards.holds_of(holder)
    return Future(
        Currency(holder["currency"]),
        outcomes,
        {
            key: _invoice(found.row)
            for key, found in rows.get(invoice.TABLE, {}).items()
            if found.row and f"invoice-{key}" not in known
        },
        [
            cards.card(orjson.loads(orjson.dumps(found.row)), on, frozenset(Privilege), holds)
            for found in rows.get(product_card.TABLE, {}).values()
            if found.row
        ],
    )


def _invoice(row: dict[str, Any]) -> WhatIfInvoice:
    view = invoices.view(row, frozenset())
    return WhatIfInvoice(**{name: getattr(view, name) for name in WhatIfInvoice.model_fields})
