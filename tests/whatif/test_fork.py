"""A fork goes on as the account itself would: the same events, on the same instants, with the same ids."""

from datetime import timedelta

import pytest

from contracts.envelope import Record
from contracts.topics import Owner
from services.whatif.fork import Fork
from tests.whatif.accounts import JUNE_1, Customer, fork_of, history, new_account

MONTH = timedelta(days=31)


async def facts(fork: Fork, owner: Owner = Owner.RENEWALS) -> list[tuple[object, ...]]:
    """All that is recorded, but for positions, which are a store's own, and for the trace of a request."""
    return [_fact(record) for record in await fork.records(owner)]


def _fact(record: Record) -> tuple[object, ...]:
    return record.stream, record.revision, record.event_id, record.type, record.data


async def eventful(customer: Customer) -> None:
    """Two plans, a pending reduction, leases on their way, and a card that fails twice."""
    plan = await customer.starts()
    await customer.starts("phone_us_unlimited", 8)
    await customer.asks(
        "/device-orders",
        {"lines": [{"sku": "haas_desk_phone", "quantity": 3}], "ship_to": "office-1"},
        owner=Owner.DEVICES,
    )
    await customer.asks(f"/plans/{plan}/edit", {"quantity": 9})
    await customer.asks(f"/plans/{plan}/edit", {"quantity": 4})
    await customer.asks("/payment-method", {"token": "card-flaky"}, "PUT")


@pytest.mark.parametrize("days", [0, 3, 30, 33, 47])
async def test_a_fork_of_any_day_brings_what_the_account_brings(days: int) -> None:
    """Also of days on which a payment is being tried again, parcels are on their way, or a renewal is just through."""
    async with new_account() as customer:
        await eventful(customer)
        await customer.fork.roll(JUNE_1 + timedelta(days=days))
        async with fork_of(await history(customer.fork), customer.fork.now()) as fork:
            await customer.fork.roll(JUNE_1 + 4 * MONTH)
            await fork.roll(JUNE_1 + 4 * MONTH)
            for owner in Owner:
                assert sorted(await facts(fork, owner)) == sorted(await facts(customer.fork, owner))
        issued = [
            record for record in await customer.fork.records(Owner.RENEWALS) if record.type.endswith("InvoiceIssued")
        ]
        assert len(issued) > 8
