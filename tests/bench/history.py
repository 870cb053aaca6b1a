"""A plans log with a past: accounts with one plan and ten events each, written straight into the event store."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from contracts.envelope import Actor, Metadata
from contracts.money import Currency
from contracts.plan_commands import PublishPriceBookBody
from contracts.tax import TaxTable
from contracts.terms import Cycle
from services.chassis.command_handler import new_events
from services.chassis.event_store import NO_STREAM, NewEvent
from services.chassis.sqlite_store import SqliteEventStore
from services.plans import account, catalogue, decider, plan
from services.plans.account import Account
from services.plans.commands import AssignLicence, EditPlan, OpenAccount, PlanCommand, PublishPriceBook, StartPlan

EVENTS_PER_ACCOUNT = 10
EDITOR = frozenset({"BillingSubscription:Edit"})
PRICE_BOOK = Path(__file__).parents[2] / "deploy/local/price_book_v1.json"


async def write(folder: Path, events: int) -> None:
    """`events` of them into the store of a plans service that has yet to start; its folder is there."""
    store = await SqliteEventStore.open(folder / "plans.sqlite3")
    streams = account_streams(events // EVENTS_PER_ACCOUNT)
    while chunk := [each for _, each in zip(range(400), streams, strict=False)]:
        await asyncio.gather(*(store.append(stream, batch, NO_STREAM) for stream, batch in chunk))
    await store.close()


def account_streams(accounts: int) -> Iterator[tuple[str, tuple[NewEvent, ...]]]:
    on = date.today()
    body = PublishPriceBookBody.model_validate_json(PRICE_BOOK.read_bytes())
    publish = PublishPriceBook("standard", 1, body.effective_from, None, body.products, on)
    published = catalogue.decide(publish, None)
    book = catalogue.evolve(None, published[0], on)
    yield "catalogue-standard", new_events(published, _metadata("seller", on))
    for number in range(accounts):
        account_id, bundle_id = f"past-{number}", f"past{number}"
        opened = account.decide(OpenAccount(Currency.USD, "UTC", datetime.now(UTC)), None, TaxTable())
        yield f"billingaccount-{account_id}", new_events(opened, _metadata(account_id, on))
        state, events = None, []
        for command in _commands(bundle_id, on):
            decided = decider.decide(command, state, Account(Currency.USD, "UTC"), book)
            for event in decided:
                state = plan.evolve(state, event, on)
            events += new_events(decided, _metadata(account_id, on))
        yield f"plan-{bundle_id}", tuple(events)


def _commands(bundle_id: str, on: date) -> Iterator[PlanCommand]:
    def said(change: str) -> dict[str, object]:
        return {"bundle_id": bundle_id, "on": on, "change_id": change, "privileges": EDITOR}

    yield StartPlan(**said("c0"), sku="workplace_business", quantity=10, cycle=Cycle.MONTHLY)  # type: ignore[arg-type]
    for number in range(4):
        yield EditPlan(**said(f"c{number}"), quantity=11 + number)  # type: ignore[arg-type]
        yield AssignLicence(**said(f"a{number}"), assignee=f"person-{number}")  # type: ignore[arg-type]


def _metadata(account_id: str, on: date) -> Metadata:
    command_id = str(uuid.uuid4())
    return Metadata(
        account_id=account_id,
        actor=Actor(id="bench", role="owner", via="api"),
        recorded_at=f"{on.isoformat()}T00:00:00.000000Z",
        effective_on=on.isoformat(),
        causation_id=command_id,
        correlation_id="bench",
        command_id=command_id,
        request_digest="past",
    )
