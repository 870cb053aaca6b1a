"""What the plans service does to scheduled edits when their day comes, and a week before (DOMAIN 3, B4, B12)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from contracts.envelope import Record
from contracts.plan_actions import Hold
from contracts.plans import AccountHoldPlaced, AccountOpened
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.memory_store import MemoryEventStore
from services.chassis.policies import due
from services.plans import account, catalogue, decider, plan
from services.plans.account import Account
from services.plans.bundle_index import BundleIndex
from services.plans.calendar import Edits, Warnings
from services.plans.catalogue import Catalogue
from services.plans.commands import PlanCommand
from services.plans.plan import Plan
from services.plans.term_end import advance
from tests.plans.given import JULY_1, JUNE_1, JUNE_15, US, assign, cancel, discard, edit, published, start
from tests.plans.portal import SetClock

STREAM, BOOKS = "plan-b1", "catalogue-standard"


@dataclass
class Service:
    """One plan of 3 licences from June 1 on, and what the plans service does by itself. The clock is in New York."""

    store: MemoryEventStore
    index: BundleIndex
    clock: SetClock
    plans: CommandHandler[Plan]
    accounts: CommandHandler[Account]
    edits: Edits
    warnings: Warnings

    async def write(self, handler: CommandHandler[Any], stream: str, on: date, *events: BaseModel) -> None:
        metadata = due("test", "acme", f"{stream} {events}", on.isoformat(), self.clock)
        await handler.handle(stream, Command(metadata), lambda *_: events)

    async def asks(self, *commands: PlanCommand) -> None:
        books = (await self.edits._books.current(BOOKS)).state or Catalogue()
        for command in commands:
            metadata = due("test", "acme", repr(command), command.on.isoformat(), self.clock)
            await self.plans.handle(
                STREAM, Command(metadata), lambda plan, _, command=command: decider.decide(command, plan, US, books)
            )

    async def day_begins(self, on: date) -> list[str]:
        """What is recorded on that day by itself."""
        before = await self.store.head()
        self.clock.at = datetime(on.year, on.month, on.day, 4, tzinfo=UTC)  # midnight in New York
        for agenda in (self.warnings, self.edits):
            await agenda.carry_out(self.clock.now())
        return [record.type.removeprefix("plans.") for record in await self.since(before)]

    async def since(self, position: int) -> Sequence[Record]:
        return [record for record in await self.store.read_stream(STREAM) if record.position > position]

    async def last(self) -> tuple[str, dict[str, Any]]:
        """The day and the body of the newest event."""
        record = (await self.store.read_stream(STREAM))[-1]
        return orjson.loads(record.metadata)["effective_on"], orjson.loads(record.data)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    store, clock = MemoryEventStore(), SetClock()
    plans, accounts = CommandHandler(store, plan.evolve), CommandHandler(store, account.evolve)
    books = CommandHandler(store, catalogue.evolve)
    async with BundleIndex.open(store, tmp_path / "bundles.sqlite3") as index:
        edits = Edits(index, plans, accounts, books, BOOKS, clock)
        service = Service(store, index, clock, plans, accounts, edits, Warnings(index, plans, clock))
        await service.write(books, BOOKS, JUNE_1, published())
        opened = AccountOpened(currency=US.currency, time_zone=US.time_zone)
        await service.write(accounts, "billingaccount-acme", JUNE_1, opened)
        await service.asks(start("workplace_pro", 3))
        yield service


async def test_an_edit_takes_effect_when_its_day_begins_and_once(service: Service) -> None:
    await service.asks(edit(6, effective_on=JUNE_15))
    assert await service.edits.next_at() == datetime(2026, 6, 15, 4, tzinfo=UTC)
    assert await service.day_begins(date(2026, 6, 14)) == []
    assert await service.day_begins(JUNE_15) == ["PlanEdited"]
    on, edited = await service.last()
    assert (on, edited["money"]["net_minor"]) == ("2026-06-15", 2718)
    assert await service.edits.next_at() is None
    assert await service.day_begins(date(2026, 6, 16)) == []


async def test_after_days_without_us_it_still_takes_effect_as_of_its_own_day(service: Service) -> None:
    await service.asks(edit(6, effective_on=JUNE_15))
    assert await service.day_begins(date(2026, 6, 28)) == ["PlanEdited"]
    assert await service.last() == ("2026-06-15", (await service.last())[1])
    assert (await service.last())[1]["money"]["net_minor"] == 2718


async def test_a_renewal_that_is_heard_of_first_comes_after_what_was_due_before_it(service: Service) -> None:
    await service.asks(edit(6, effective_on=JUNE_15))
    await service.edits.before("b1", "acme", JULY_1)
    assert (await service.last())[0] == "2026-06-15"
    current = (await service.plans.current(STREAM)).state
    (advanced,) = advance(current, JULY_1, (await service.edits._books.current(BOOKS)).state or Catalogue())
    assert advanced.lines[0].quantity == 6  # type: ignore[union-attr]
    assert await service.day_begins(JULY_1) == []


async def test_what_was_discarded_or_has_ended_is_not_due(service: Service) -> None:
    await service.asks(edit(6, effective_on=JUNE_15), edit(7, effective_on=JUNE_15, change_id="change-2"))
    assert [each.change_id for each in await service.index.coming("effect")] == ["change-2"]
    await service.asks(discard())
    assert await service.edits.next_at() is None
    await service.asks(edit(6, effective_on=JULY_1))
    assert await service.edits.next_at() is None  # the renewal takes it in


async def test_an_account_on_hold_does_not_grow(service: Service) -> None:
    await service.asks(edit(6, effective_on=JUNE_15))
    held = AccountHoldPlaced(hold=Hold.UNPAID, invoice_id="invoice-1", amount_minor=100)
    await service.write(service.accounts, "billingaccount-acme", JUNE_1, held)
    assert await service.day_begins(JUNE_15) == ["PlanEditDiscarded"]
    assert (await service.last())[1]["reason"] == "account_held"


async def test_a_week_before_it_fails_a_reduction_is_warned_of(service: Service) -> None:
    await service.asks(edit(1), *(assign(f"person-{number}") for number in range(2)))
    assert await service.warnings.next_at() == datetime(2026, 6, 24, 4, tzinfo=UTC)
    assert await service.day_begins(date(2026, 6, 24)) == ["PlanEditWarned"]
    assert (await service.last())[1]["effective_on"] == "2026-07-01"
    assert await service.warnings.next_at() is None


async def test_a_reduction_that_will_not_fail_is_looked_at_once(service: Service) -> None:
    await service.asks(edit(2), assign())
    assert await service.day_begins(date(2026, 6, 24)) == []
    assert await service.warnings.next_at() is None


async def test_of_a_cancelled_plan_nothing_is_warned_of(service: Service) -> None:
    await service.asks(edit(1), assign("ann"), assign("bob"), cancel())
    assert await service.day_begins(date(2026, 6, 24)) == []


async def test_an_index_that_is_built_anew_knows_what_is_coming(service: Service, tmp_path: Path) -> None:
    await service.asks(edit(6, effective_on=JUNE_15))
    async with BundleIndex.open(service.store, tmp_path / "anew.sqlite3") as anew:
        assert await anew.coming("effect") == await service.index.coming("effect")
