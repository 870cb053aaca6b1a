"""A follower of a sink that other processes write to: it sees how far they are while somebody waits, and only then."""

import asyncio

from contracts.envelope import Envelope, opened
from contracts.topics import Owner
from services.chassis.follower import Follower
from services.chassis.memory_store import MemoryEventStore
from tests.engines import READY_S, until

from .accounts import PARTITIONS, happens
from .ledger import Ledger, StoreFeed


def follower(ledger: Ledger, store: MemoryEventStore, shared: bool) -> Follower:
    return Follower(Owner.PLANS, StoreFeed(store), ledger, PARTITIONS, shared)


async def one_event(store: MemoryEventStore) -> Envelope:
    await happens(store, 1, ["account-1"])
    (event,) = [opened(record) async for record in store.read_all(0)]
    return event


async def test_who_waits_hears_of_what_another_process_has_applied_though_the_sink_was_away() -> None:
    ledger, store = Ledger(), MemoryEventStore()
    one, other = (follower(ledger, store, shared=True) for _ in range(2))
    event = await one_event(store)
    waiting = [asyncio.create_task(other.wait_for(event.account_id, event.position, READY_S)) for _ in range(3)]
    ledger.away = True
    await until(lambda: ledger.tries > 2)
    ledger.away = False
    await one.take([(event, 0)])
    assert await asyncio.gather(*waiting) == [True] * 3
    assert max(other.checkpoints.values()) == 0  # it goes on from where it was itself
    assert not await other.wait_for(event.account_id, event.position + 1, timeout_s=0.05)


async def test_nobody_looks_when_nobody_waits() -> None:
    ledger, store = Ledger(), MemoryEventStore()
    one = follower(ledger, store, shared=True)
    assert not await one.wait_for("account-1", 1, timeout_s=0.05)
    assert one._looker is not None
    async with asyncio.timeout(READY_S):
        await one._looker
    tries = ledger.tries
    assert tries > 0
    event = await one_event(store)
    alone = follower(ledger, store, shared=False)
    assert not await alone.wait_for(event.account_id, event.position, timeout_s=0.05)
    assert ledger.tries == tries
