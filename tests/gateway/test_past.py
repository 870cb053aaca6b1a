"""Whatever happened: a read of the past is what the read showed then, byte for byte but for what may be done now."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.envelope import Envelope
from contracts.topics import Owner
from tests.devices.given import leased, placed, request_return

from .gateway import Gateway, gateway
from .history import TODAY, ZONE, History
from .random_history import BUNDLES, histories
from .test_invoices import declined, invoice, paid

ACCOUNT = "/api/v1/accounts/acme"
MINE = [bundle for bundle in BUNDLES if bundle.startswith("acme")]
PATHS = [
    f"{ACCOUNT}/{path}"
    for path in (
        *("product-cards", "plan-summary", "catalogue", "entitlements", "entitlements?subject=a", "upcoming-charges"),
        *("plan-summary/breakdown?cadence=monthly", "plan-summary/breakdown?cadence=annual", "history?limit=7"),
        *("device-orders", "device-orders/o1", "leases", "leases/o1-1", "shipments", "invoices", "invoices/i1"),
        *(f"product-cards/{bundle_id}" for bundle_id in MINE),
    )
]
# Beside plans and their renewals: one order, one lease of another account's order, and invoices paid and not.
LIVES: list[tuple[Owner, str, tuple[BaseModel, ...]]] = [
    (Owner.DEVICES, "deviceorder-o1", placed().days_later(8).told),
    (Owner.DEVICES, "lease-o1-1", leased().after(request_return(date(2027, 1, 4))).told),
    (Owner.RENEWALS, "invoice-i1", tuple(paid(invoice(1)))),
    (Owner.RENEWALS, "invoice-i2", tuple(declined(invoice(2)))),
]
# Each example is thousands of reads: to make a failing one smaller would take longer than to understand it.
THOROUGH = settings(max_examples=3, deadline=None, phases=[Phase.generate])
Answers = dict[str, tuple[int, Any]]


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[Owner, Envelope]]:
    """The events of all owners in the order in which a gateway gets to know them: any within a day."""
    history: History = draw(histories())
    days = (history.today - TODAY).days
    for owner, stream, told in LIVES:
        for event, day in zip(told, sorted(draw(st.integers(0, days)) for _ in told), strict=True):
            history.today = TODAY + timedelta(days=day)
            history.write(owner, stream, "acme", [event])
    logs = {owner: in_order(log) for owner, log in history.logs.items()}
    waiting = [(owner, log) for owner, log in logs.items() if log]
    arrived = []
    while waiting:
        day = min(log[0].metadata["recorded_at"] for _, log in waiting)
        owner, log = draw(st.sampled_from([each for each in waiting if each[1][0].metadata["recorded_at"] == day]))
        arrived.append((owner, log.pop(0)))
        waiting = [each for each in waiting if each[1]]
    return arrived


def in_order(log: list[Envelope]) -> list[Envelope]:
    """As one owner would have recorded it: by day."""
    by_day = sorted(log, key=lambda event: event.metadata["recorded_at"])
    return [replace(event, position=3 * number + 1) for number, event in enumerate(by_day)]


def documented(part: Any) -> Any:
    """Without what is said to differ: whether something may be done."""
    match part:
        case {"allowed": bool()}:
            return {name: member for name, member in part.items() if name not in ("allowed", "reason", "message")}
        case dict():
            return {name: documented(member) for name, member in part.items()}
        case list():
            return [documented(member) for member in part]
    return part


async def answers(shown: Gateway, as_of: str | None = None) -> Answers:
    found = {}
    for path in PATHS:
        asked = path if as_of is None else f"{path}{'&' if '?' in path else '?'}as_of={as_of}"
        answer = await shown.get(asked, "overseer")
        body = answer.json()
        if as_of is not None and answer.status_code == 200:
            assert b'"allowed":true' not in answer.content
        known = orjson.dumps(documented(body)) if answer.status_code == 200 else body["code"]
        found[path] = (answer.status_code, known)
    return found


def same(past: Answers, then: Answers, named: str) -> None:
    differing = [path for path in PATHS if past[path] != then[path]]
    assert not differing, (named, differing[0], past[differing[0]], then[differing[0]])


async def take_in(shown: Gateway, owner: Owner, event: Envelope) -> None:
    shown.logs[owner].events.append(event)
    await shown.following.take_in(owner, [event])
    if event.account_id != "globex":  # the past of an account knows no other's events, nor that time went on with them
        shown.clock.at = datetime.fromisoformat(event.metadata["recorded_at"])


@THOROUGH
@given(arrivals())
def test_at_every_position_it_is_what_was_shown_then(arrived: list[tuple[Owner, Envelope]]) -> None:
    async def compare() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with gateway(Path(folder)) as shown:
                seen, positions = {}, dict.fromkeys(Owner, 0)
                for owner, event in arrived:
                    await take_in(shown, owner, event)
                    positions[owner] = event.position
                    seen[",".join(f"{owner}:{position}" for owner, position in positions.items())] = await answers(
                        shown
                    )
                for named, then in seen.items():
                    if then[PATHS[0]][0] == 200:
                        same(await answers(shown, named), then, named)
                    else:
                        refused = (await shown.get(f"{PATHS[0]}?as_of={named}", "overseer")).json()
                        assert refused["code"] == "as_of_before_account"

    asyncio.run(compare())


@THOROUGH
@given(arrivals())
def test_on_every_day_it_is_what_was_shown_at_its_end(arrived: list[tuple[Owner, Envelope]]) -> None:
    async def compare() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with gateway(Path(folder)) as shown:
                seen = {}
                for day, events in by_day(arrived):
                    for owner, event in events:
                        await take_in(shown, owner, event)
                    shown.clock.at = datetime.combine(day, time(23, 59, 59), ZoneInfo(ZONE)).astimezone(UTC)
                    seen[day.isoformat()] = await answers(shown)
                shown.clock.at += timedelta(days=1)
                for named, then in seen.items():
                    same(await answers(shown, named), then, named)

    asyncio.run(compare())


def by_day(arrived: list[tuple[Owner, Envelope]]) -> Iterator[tuple[date, list[tuple[Owner, Envelope]]]]:
    """Every day from the first to the last, also those on which nothing happened."""
    on = {id(event): date.fromisoformat(event.metadata["recorded_at"][:10]) for _, event in arrived}
    day = min(on.values())
    while day <= max(on.values()):
        yield day, [each for each in arrived if on[id(each[1])] == day]
        day += timedelta(days=1)
