"""What renewals say becomes commands on plans and accounts, each carried out once (DOMAIN 3, B5, B16)."""

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from contracts.envelope import Envelope, Record
from contracts.plans import AccountOpened
from contracts.renewals import InvoiceCollected, PaymentFailed, RenewalDue, RenewalEvent, RenewalFailed
from contracts.terms import Cycle
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.memory_store import MemoryEventStore
from services.chassis.policies import due
from services.plans import account, catalogue, plan
from services.plans.bundle_index import BundleIndex
from services.plans.calendar import Edits
from services.plans.reactions import RenewalReactions
from tests.plans.given import JULY_1, JUNE_1, US, pro_monthly, published
from tests.plans.portal import SetClock

PLAN, ACCOUNT, BOOKS = "plan-b1", "billingaccount-acme", "catalogue-standard"
JUNE_22 = date(2026, 6, 22)


@dataclass
class Plans:
    """acme, with one plan of 9 licences since June 1, and what plans do about what renewals say."""

    store: MemoryEventStore
    reactions: RenewalReactions

    async def hear(self, said: BaseModel, on: date = JULY_1) -> Sequence[Record]:
        """What it leads to, having been heard twice."""
        before = await self.store.head()
        name = f"renewals.{type(said).__name__}"
        metadata = {"account_id": "acme", "effective_on": on.isoformat(), "correlation_id": "c"}
        event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, said.model_dump_json()))
        event = Envelope(1, "renewal-acme", 0, event_id, name, 1, metadata, said.model_dump(mode="json"))
        for _ in range(2):
            await self.reactions.react(event)
        return [record async for record in self.store.read_all(before)]


@pytest.fixture
async def plans(tmp_path: Path) -> AsyncIterator[Plans]:
    store, clock = MemoryEventStore(), SetClock()
    bundles, accounts = CommandHandler(store, plan.evolve), CommandHandler(store, account.evolve)
    books = CommandHandler(store, catalogue.evolve)
    opened = AccountOpened(currency=US.currency, time_zone=US.time_zone)
    known: list[tuple[CommandHandler[Any], str, Sequence[BaseModel]]] = [
        (books, BOOKS, [published()]),
        (accounts, ACCOUNT, [opened]),
        (bundles, PLAN, pro_monthly().told),
    ]
    for handler, stream, events in known:
        metadata = due("test", "acme", stream, JUNE_1.isoformat(), clock)
        await handler.handle(stream, Command(metadata), lambda *_, events=events: events)
    async with BundleIndex.open(store, tmp_path / "bundles.sqlite3") as index:
        edits = Edits(index, bundles, accounts, books, BOOKS, clock)
        yield Plans(store, RenewalReactions(bundles, accounts, books, BOOKS, edits, clock))


def told(record: Record) -> tuple[str, str, Any]:
    return record.stream, record.type.removeprefix("plans."), orjson.loads(record.data)


async def test_a_renewal_that_is_due_begins_the_next_term_of_each_bundle_once(plans: Plans) -> None:
    (record,) = await plans.hear(RenewalDue(cadence=Cycle.MONTHLY, due_on=JULY_1, bundle_ids=("b1", "not-there")))
    stream, name, data = told(record)
    assert (stream, name) == (PLAN, "PlanTermAdvanced")
    assert (data["term_start"], data["money"]["net_minor"]) == ("2026-07-01", 9 * 1699)


def failed(attempt: int) -> PaymentFailed:
    return PaymentFailed(
        invoice_id="invoice-1", attempt=attempt, amount_minor=1699, reason="card_declined", next_try_on=JULY_1
    )


async def test_the_second_attempt_that_fails_holds_the_account_until_the_invoice_is_collected(plans: Plans) -> None:
    assert await plans.hear(failed(attempt=1)) == []
    (record,) = await plans.hear(failed(attempt=2))
    hold = {"hold": "unpaid", "invoice_id": "invoice-1", "amount_minor": 1699}
    assert told(record) == (ACCOUNT, "AccountHoldPlaced", hold)
    assert await plans.hear(failed(attempt=3)) == []
    (record,) = await plans.hear(InvoiceCollected(invoice_id="invoice-1", by="payment"))
    assert told(record) == (ACCOUNT, "AccountHoldLifted", {"hold": "unpaid", "invoice_id": "invoice-1"})
    assert await plans.hear(InvoiceCollected(invoice_id="invoice-2", by="payment")) == []


async def test_what_is_never_paid_lapses_once(plans: Plans) -> None:
    said: RenewalEvent = RenewalFailed(invoice_id="invoice-1", failed_on=JUNE_22, bundle_ids=("b1", "o1-1"))
    (record,) = await plans.hear(said, JUNE_22)
    stream, name, data = told(record)
    assert (stream, name, data["lapsed_on"], data["invoice_id"]) == (PLAN, "PlanLapsed", "2026-06-22", "invoice-1")
