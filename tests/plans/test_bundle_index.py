"""The index of bundles: thrown away when it cannot be read, and a machine's failure when it cannot be written."""

from datetime import date
from pathlib import Path

import pytest

from contracts.envelope import Actor, Metadata
from contracts.plans import PriceBookWithdrawn
from services.chassis.command_handler import new_events
from services.chassis.event_store import NO_STREAM, StoreUnavailable
from services.chassis.memory_store import MemoryEventStore
from services.plans.bundle_index import BundleIndex

from .given import nothing, published, start

TODAY = date(2026, 6, 1)


async def store_with_a_plan() -> MemoryEventStore:
    store = MemoryEventStore()
    metadata = Metadata(
        account_id="acme",
        actor=Actor(id="a", role="owner", via="api"),
        recorded_at="2026-06-01T00:00:00Z",
        effective_on="2026-06-01",
        causation_id="c",
        correlation_id="c",
        command_id="0d3f8d4e-2a53-4d0c-9a0e-6d1c3f7e5b21",
        request_digest="d",
    )
    await store.append("plan-1", new_events(nothing().when(start("workplace_pro", 1)).events, metadata), NO_STREAM)
    return store


async def test_an_index_that_a_crash_has_torn_is_built_again(tmp_path: Path) -> None:
    path = tmp_path / "bundles.sqlite3"
    path.write_bytes(b"no database" * 1000)
    async with BundleIndex.open(await store_with_a_plan(), path) as index:
        assert await index.bases("acme", TODAY) == {"workplace_pro"}


async def test_an_index_that_cannot_be_written_is_a_store_that_is_unavailable(tmp_path: Path) -> None:
    store = MemoryEventStore()
    async with BundleIndex.open(store, tmp_path / "bundles.sqlite3") as index:
        index._db.execute("PRAGMA query_only = ON")
        index._store = await store_with_a_plan()
        with pytest.raises(StoreUnavailable):
            await index.bases("acme", TODAY)


async def test_a_book_that_is_withdrawn_is_told_to_bundles_as_one_that_is_published(tmp_path: Path) -> None:
    store = await store_with_a_plan()
    metadata = Metadata.model_validate_json((await store.read_stream("plan-1"))[0].metadata)
    books = [published(2, date(2026, 7, 1)), PriceBookWithdrawn(book_id="standard", book_version=2)]
    await store.append("catalogue-standard", new_events(books, metadata), NO_STREAM)
    async with BundleIndex.open(store, tmp_path / "bundles.sqlite3") as index:
        told = await index.published()
        assert [(book_id, version) for book_id, version, _ in told] == [("standard", 2), ("standard", 2)]
        index.told(told[0][2])
        assert await index.published() == told[1:]
