"""Events of plans become commands on renewals; one that cannot is named, so that it alone is set aside."""

import uuid
from datetime import date
from pathlib import Path

import pytest

from contracts.envelope import Envelope
from contracts.money import MAX_MINOR, Currency
from contracts.plans import NextRenewal, RenewalLine
from contracts.tax import TaxTable
from contracts.terms import Cycle
from contracts.topics import Owner
from services.chassis.checkpoints import Checkpoints
from services.chassis.clock import Clock, SystemClock
from services.chassis.command_handler import CommandHandler
from services.chassis.consumer import CannotApply
from services.chassis.event_store import EventStore
from services.chassis.memory_store import MemoryEventStore
from services.chassis.policies import PolicySink
from services.renewals import account, invoice
from services.renewals.ledger import Ledger
from services.renewals.payments import EmbeddedPayments
from services.renewals.reactions import Reactions


def ledger(store: EventStore, clock: Clock | None = None) -> Ledger:
    return Ledger(
        accounts=CommandHandler(store, account.evolve),
        invoices=CommandHandler(store, invoice.evolve),
        payments=EmbeddedPayments(),
        rates=TaxTable(),
        clock=clock or SystemClock(),
    )


async def nobody_away() -> None:
    """There is nothing to be heard of plans."""


def started(position: int, amount: int, bundle: int | None = None) -> Envelope:
    """What bundle `position`, or another one, will cost; nothing when it is cancelled."""
    number = bundle or position
    line = RenewalLine(line_id="line-1", sku="big", name="Big", quantity=1, unit_minor=amount, amount_minor=amount)
    renewal = NextRenewal(
        cadence=Cycle.MONTHLY,
        due_on=date(2026, 2, 1),
        currency=Currency.USD,
        amount_minor=amount,
        lines=(line,) if amount else (),
    )
    metadata = {
        "account_id": "acme",
        "effective_on": "2026-01-01",
        "correlation_id": "c",
        "recorded_at": "2026-01-01T00:00:00Z",
    }
    data = {"bundle_id": f"bundle-{number}", "next_renewal": renewal.model_dump(mode="json")}
    event_id = str(uuid.uuid4())
    return Envelope(position, f"plan-bundle-{number}", position, event_id, "plans.PlanStarted", 1, metadata, data)


async def test_a_plan_that_takes_its_account_beyond_any_amount_is_named_as_the_trouble(tmp_path: Path) -> None:
    """Anything else would be taken for a failing machine, and retried for ever before the events of all accounts."""
    with Checkpoints.open(tmp_path / "checkpoints.sqlite3") as progress:
        sink = PolicySink(Reactions(ledger(MemoryEventStore()), nobody_away).react, progress)
        await sink.apply(Owner.PLANS, [started(1, MAX_MINOR)], {0: 1}, ())
        with pytest.raises(CannotApply) as trouble:
            await sink.apply(Owner.PLANS, [started(2, 1)], {0: 2}, ())
        assert trouble.value.envelope.position == 2
        assert await sink.checkpoints(Owner.PLANS) == {0: 1}
