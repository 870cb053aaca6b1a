"""Two futures of an account side by side: with the hypothetical commands, and without them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import chain

import orjson

from contracts.envelope import Record
from contracts.money import format_minor
from contracts.problems import Refused
from contracts.topics import Owner
from services.gateway.what_if.wish import ComparedInvoice, Totals, WhatIfAnswer, WhatIfBody, WhatIfInvoice, instant_of

from .fork import World
from .future import future_of
from .history import History

Told = Callable[[str, datetime], None]


async def what_if(
    account_id: str, past: History, now: datetime, wish: WhatIfBody, world: World, told: Told = lambda *_: None
) -> WhatIfAnswer:
    """now: the instant of the last event, if that is later. told: which future it is at, and where in it.

    Raises Refused what_if_too_far, date_out_of_range or account_not_found; and as `future_of`.
    """
    now = max([now, *map(_recorded_at, chain(*past.values()))])
    until = instant_of(wish.checked(now).until)
    if not any(record.stream == f"billingaccount-{account_id}" for record in past.get(Owner.PLANS, ())):
        raise Refused("account_not_found")
    without = await future_of(account_id, past, now, until, (), world, lambda at: told("without", at))
    changed = without
    if wish.commands:
        changed = await future_of(account_id, past, now, until, wish.commands, world, lambda at: told("with", at))
    compared = _compared(without.invoices, changed.invoices)
    before, after = (sum(each.total_minor for each in future.invoices.values()) for future in (without, changed))
    return WhatIfAnswer(
        account_id=account_id,
        currency=without.currency,
        now=now,
        until=until,
        commands=list(changed.outcomes),
        invoices=compared,
        totals=Totals(
            without_minor=before,
            with_minor=after,
            difference_minor=after - before,
            shown=format_minor(after - before, without.currency),
        ),
        cards=list(changed.cards),
    )


def _recorded_at(record: Record) -> datetime:
    return datetime.fromisoformat(orjson.loads(record.metadata)["recorded_at"])


def _compared(without: Mapping[str, WhatIfInvoice], changed: Mapping[str, WhatIfInvoice]) -> list[ComparedInvoice]:
    """A renewal has the same id in both futures, as has all else that no command has touched."""
    pairs = [(without.get(name), changed.get(name)) for name in {**without, **changed}]
    return [
        ComparedInvoice(without=one, with_commands=other, difference_minor=_total(other) - _total(one))
        for one, other in sorted(pairs, key=_place)
    ]


def _total(invoice: WhatIfInvoice | None) -> int:
    return invoice.total_minor if invoice else 0


def _place(pair: tuple[WhatIfInvoice | None, WhatIfInvoice | None]) -> tuple[str, int, bool]:
    first = pair[0] or pair[1]
    assert first is not None
    return first.issued_on.isoformat(), first.number, pair[0] is None
