"""The months of leases after the first: one invoice per account and day, each month once (DOMAIN B14)."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Envelope
from services.chassis.clock import Clock
from services.chassis.memory_store import MemoryEventStore
from services.renewals.calendar import Calendar
from services.renewals.due_index import DueIndex
from services.renewals.reactions import Reactions
from tests.tax import TAXED_HERE, table

from .test_devices import HISTORY, METADATA, OPENED, told
from .test_sink import ledger, nobody_away

JUNE_6 = date(2026, 6, 6)


class Noon(Clock):
    """Stands at noon of a day."""

    def __init__(self) -> None:
        self.on = JUNE_6

    def now(self) -> datetime:
        return datetime(self.on.year, self.on.month, self.on.day, 12, tzinfo=UTC)


class Away:
    """A follower whose owner has nothing to say, but for what is put here."""

    reactions: Reactions

    def __init__(self) -> None:
        self.news: list[Envelope] = []

    async def catch_up(self) -> None:
        for event in self.news:
            await self.reactions.react(event)
        self.news = []


class Renter:
    """acme in Vienna, its leases, and the calendar that invoices them."""

    def __init__(self, store: MemoryEventStore, index: DueIndex) -> None:
        self.store, self.clock, self.plans, self.devices = store, Noon(), Away(), Away()
        kept = ledger(store, self.clock, table(825, hardware=1000))
        self.plans.reactions = self.devices.reactions = self.reactions = Reactions(kept, nobody_away)
        self.calendar = Calendar(index, kept, self.plans, self.devices, self.clock)  # type: ignore[arg-type]

    async def rents(self, lease_id: str, started_on: str = "2026-06-06") -> None:
        await self.reactions.react(event("DeviceLeaseStarted", lease_id, started_on=started_on, monthly_minor=599))

    async def wakes(self, on: date) -> None:
        self.clock.on = on
        await self.calendar.carry_out(self.clock.now())

    async def invoices(self) -> list[tuple[str, list[tuple[int, int]]]]:
        """The day of each, with units and amount of every line."""
        drafted = [json.loads(r.data)["invoice"] async for r in self.store.read_all(0) if "Drafted" in r.type]
        assert [each["number"] for each in drafted] == list(range(1, len(drafted) + 1))
        assert len({each["invoice_id"] for each in drafted}) == len(drafted)
        return [
            (each["issued_on"], [(line["quantity"], line["amount_minor"]) for line in each["lines"]])
            for each in drafted
        ]


def event(name: str, lease_id: str, **changed: Any) -> Envelope:
    body = json.loads((HISTORY / f"devices.{name}.v1.json").read_bytes())
    data = {**body, "lease_id": lease_id, **changed}
    event_id = f"00000000-0000-0000-0000-{abs(hash((name, lease_id))) % 10**12:012}"
    return Envelope(1, f"lease-{lease_id}", 0, event_id, f"devices.{name}", 1, METADATA, data)


@pytest.fixture
async def renter(tmp_path: Path) -> AsyncIterator[Renter]:
    store = MemoryEventStore()
    async with DueIndex.open(store, tmp_path / "due.sqlite3") as index:
        renter = Renter(store, index)
        await renter.reactions.react(OPENED)
        yield renter


async def test_units_of_one_parcel_are_one_line_of_one_invoice_a_month(renter: Renter) -> None:
    for lease_id in ("o1-1", "o1-2", "o1-3"):
        await renter.rents(lease_id)
    await renter.wakes(date(2026, 7, 5))
    assert await renter.invoices() == []
    for _ in range(2):
        await renter.wakes(date(2026, 8, 6))  # asleep for a month
    assert await renter.invoices() == [("2026-07-06", [(3, 1797)]), ("2026-08-06", [(3, 1797)])]


async def test_36_months_are_charged_in_all(renter: Renter) -> None:
    await renter.rents("o1-1")
    await renter.wakes(date(2036, 1, 1))
    days = [on for on, _ in await renter.invoices()]
    assert (len(days), days[0], days[-1]) == (35, "2026-07-06", "2029-05-06")


@pytest.mark.parametrize(("ended_on", "months"), [("2026-08-05", 1), ("2026-08-06", 2), ("2026-08-07", 2)])
async def test_a_unit_that_came_back_is_charged_for_the_month_that_had_begun(
    renter: Renter, ended_on: str, months: int
) -> None:
    """However late the calendar wakes up, and however late the return is heard of."""
    await renter.rents("o1-1")
    renter.devices.news = [event("DeviceReturned", "o1-1", ended_on=ended_on)]
    await renter.wakes(date(2026, 12, 24))
    assert len(await renter.invoices()) == months


async def test_a_lease_heard_of_late_is_charged_beside_those_of_its_day(renter: Renter) -> None:
    await renter.rents("o1-1")
    await renter.wakes(date(2026, 7, 6))
    await renter.rents("o1-2")
    await renter.wakes(date(2026, 8, 6))
    assert await renter.invoices() == [
        ("2026-07-06", [(1, 599)]),
        ("2026-07-06", [(1, 599)]),
        ("2026-08-06", [(2, 1198)]),
    ]


async def test_a_month_is_taxed_as_what_is_rented_where_plans_have_said_by_then(renter: Renter) -> None:
    """5.99 at 10 %: 0.599."""
    await renter.reactions.react(event("DeviceLeaseStarted", "o1-1", monthly_minor=599, tax_code="hardware"))
    renter.plans.news = [told("plans.TaxJurisdictionSet", TAXED_HERE.model_dump(mode="json"))]
    await renter.wakes(date(2026, 8, 6))
    drafted = [json.loads(r.data)["invoice"] async for r in renter.store.read_all(0) if "Drafted" in r.type]
    (tax,) = drafted[-1]["taxes"]
    assert (tax["code"], tax["rate_bp"], tax["net_minor"], tax["tax_minor"]) == ("hardware", 1000, 599, 60)


async def test_an_index_that_is_built_anew_knows_what_was_charged(renter: Renter, tmp_path: Path) -> None:
    await renter.rents("o1-1")
    await renter.wakes(date(2026, 7, 6))
    async with DueIndex.open(renter.store, tmp_path / "again.sqlite3") as index:
        again = Renter(renter.store, index)
        await again.wakes(date(2026, 8, 5))
        assert len(await renter.invoices()) == 1
