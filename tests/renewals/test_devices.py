"""What devices say is to be paid is invoiced, once, even if their account is heard of later than they are."""

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from contracts import codec
from contracts.envelope import Envelope
from services.chassis.feed import FeedUnavailable
from services.chassis.memory_store import MemoryEventStore
from services.renewals.reactions import Reactions

from .test_sink import ledger, nobody_away

HISTORY = Path(codec.__file__).parent / "history"
METADATA = {"account_id": "acme", "effective_on": "2026-06-06", "correlation_id": "c"}
METADATA["recorded_at"] = "2026-06-06T00:00:00Z"


def told(name: str, data: dict[str, Any] | None = None) -> Envelope:
    """An event of devices as it is stored, or another one with `data`."""
    body = data or json.loads((HISTORY / f"{name}.v1.json").read_bytes())
    event_id = str(uuid5(NAMESPACE_URL, name))
    return Envelope(1, f"stream-{name}", 0, event_id, name, 1, METADATA, body)


OPENED = told("plans.AccountOpened", {"currency": "USD", "time_zone": "Europe/Vienna"})


async def invoiced(store: MemoryEventStore) -> list[tuple[int, str]]:
    """Net and the subject of each line of every invoice drafted."""
    bodies = [json.loads(r.data) async for r in store.read_all(0) if r.type == "renewals.InvoiceDrafted"]
    return [(b["invoice"]["net_minor"], line["bundle_id"]) for b in bodies for line in b["invoice"]["lines"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("devices.DeviceOrderSubmitted", [(11400, "o1"), (11400, "o1")]),
        ("devices.ShipmentDelivered", [(1198, "o1")]),
        ("devices.DeviceReturnOverdue", [(33500, "o1-1")]),
        ("devices.DeviceOrderPlaced", []),
        ("devices.ShipmentDispatched", []),
        ("devices.DeviceLeaseStarted", []),
    ],
)
async def test_what_is_to_be_paid_is_invoiced_once(name: str, expected: list[tuple[int, str]]) -> None:
    store = MemoryEventStore()
    reactions = Reactions(ledger(store), nobody_away)
    await reactions.react(OPENED)
    for _ in range(2):
        await reactions.react(told(name))
    assert await invoiced(store) == expected


async def test_an_invoice_waits_for_its_account() -> None:
    store = MemoryEventStore()

    async def heard_of() -> None:
        await reactions.react(OPENED)

    reactions = Reactions(ledger(store), heard_of)
    await reactions.react(told("devices.ShipmentDelivered"))
    assert await invoiced(store) == [(1198, "o1")]


async def test_while_plans_are_away_nothing_is_lost() -> None:
    async def away() -> None:
        raise FeedUnavailable("nobody answers")

    reactions = Reactions(ledger(MemoryEventStore()), away)
    with pytest.raises(FeedUnavailable):  # a failing machine: the event is tried again
        await reactions.react(told("devices.ShipmentDelivered"))
