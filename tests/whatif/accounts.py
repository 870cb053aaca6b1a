"""Accounts with a history, made in a fork of nothing but the price book that is for sale."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from contracts import codec
from contracts.envelope import Actor, Metadata, Record
from contracts.topics import Owner
from deploy.local.launcher import TAX_RATES
from services.whatif.fork import Fork, World, forked
from services.whatif.history import SELLER, History
from tests.plans.given import published

JUNE_1 = datetime(2026, 6, 1, 12, tzinfo=UTC)
WORLD = World(Path(TAX_RATES))
ACCOUNT = "/api/v1/accounts/acme"


def price_book() -> Record:
    name, version, body = codec.encode(published())
    said = Metadata(
        account_id=SELLER,
        actor=Actor(id="seller", role="seller", via="api"),
        recorded_at="2024-12-31T15:00:00.000000Z",
        effective_on="2024-12-31",
        causation_id="book",
        correlation_id="book",
        command_id="book",
        request_digest="book",
    )
    event_id = "5e4b0a5e-0000-4000-8000-000000000001"
    return Record(1, "catalogue-standard", 0, event_id, name, version, said.model_dump_json().encode(), body)


class Customer:
    """Of a fork. Commands have keys of their own, so that the same ones in the same order are the same facts."""

    def __init__(self, fork: Fork) -> None:
        self.fork = fork
        self._keys = 0

    async def asks(self, path: str, body: Any, method: str = "POST", owner: Owner = Owner.PLANS) -> Any:
        """The answer to a command that is not refused, once all its effects are there."""
        self._keys += 1
        answer = await self.fork.command(owner, method, ACCOUNT + path, body, f"key-{self._keys}")
        assert answer.status in (200, 201), answer.body
        await self.fork.roll(self.fork.now())
        return orjson.loads(answer.body)

    async def opens(self, jurisdiction: str | None = "US-NY") -> None:
        await self.asks(
            "", {"currency": "USD", "time_zone": "America/New_York", "tax_jurisdiction": jurisdiction}, "PUT"
        )

    async def starts(self, sku: str = "workplace_pro", quantity: int = 5, cycle: str = "monthly") -> str:
        stream: str = (await self.asks("/plans", {"sku": sku, "quantity": quantity, "cycle": cycle}))["stream"]
        return stream.removeprefix("plan-")


async def history(fork: Fork) -> History:
    return {owner: await fork.records(owner) for owner in Owner}


@asynccontextmanager
async def fork_of(past: History, at: datetime) -> AsyncIterator[Fork]:
    async with forked("acme", past, at, WORLD) as fork:
        yield fork


@asynccontextmanager
async def new_account(at: datetime = JUNE_1) -> AsyncIterator[Customer]:
    """acme, opened today and taxed in New York."""
    async with fork_of({Owner.PLANS: [price_book()]}, at) as fork:
        customer = Customer(fork)
        await customer.opens()
        yield customer
