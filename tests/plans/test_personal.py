"""Personal records on both engines: kept by account, erased at once, and swept when no event ever named them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from services.plans.personal import PersonalRecords, open_records

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PersonalRecords]:
    database = SecretStr(request.getfixturevalue("postgres_database")) if request.param == "postgres" else None
    settings: Any = SimpleNamespace(database=database, data_dir=tmp_path)
    async with open_records(settings) as first, open_records(settings) as opened:
        assert type(first) is type(opened)  # made once, found again
        yield opened


@pytest.fixture
def account_id() -> str:
    return uuid4().hex


async def test_a_record_is_kept_with_its_account(records: PersonalRecords, account_id: str) -> None:
    await records.put(f"{account_id}-1", account_id, "Ada", NOON)
    await records.put(f"{account_id}-1", account_id, "Ada Ö. '", NOON)
    await records.put(f"{account_id}-2", account_id, "Bob", NOON)
    assert await records.of(account_id) == {f"{account_id}-1": "Ada Ö. '", f"{account_id}-2": "Bob"}
    assert await records.of("another") == {}


async def test_only_its_account_erases_a_record(records: PersonalRecords, account_id: str) -> None:
    await records.put(f"{account_id}-1", account_id, "Ada", NOON)
    await records.erase("another", f"{account_id}-1")
    assert await records.of(account_id) == {f"{account_id}-1": "Ada"}
    await records.erase(account_id, f"{account_id}-1")
    await records.erase(account_id, f"{account_id}-1")
    assert await records.of(account_id) == {}


async def test_what_nobody_named_for_an_hour_is_swept(records: PersonalRecords, account_id: str) -> None:
    for name, age_h in (("kept", 2), ("orphan", 2), ("under-way", 0)):
        await records.put(f"{account_id}-{name}", account_id, name, NOON - timedelta(hours=age_h))
    await records.sweep(account_id, {f"{account_id}-kept"}, NOON)
    assert sorted((await records.of(account_id)).values()) == ["kept", "under-way"]
    await records.sweep(account_id, (), NOON)
    assert list((await records.of(account_id)).values()) == ["under-way"]


async def test_a_comment_is_said_once_and_does_not_come_back(records: PersonalRecords, account_id: str) -> None:
    await records.say(f"{account_id}-c", account_id, "Ada says bye")
    await records.say(f"{account_id}-c", account_id, "and again")
    assert await records.said(account_id, f"{account_id}-c") == "Ada says bye"
    assert await records.said("another", f"{account_id}-c") is None
    assert await records.said(account_id, "another") is None
    await records.erase_all(account_id)
    await records.say(f"{account_id}-c", account_id, "Ada says bye")
    assert await records.said(account_id, f"{account_id}-c") is None


async def test_all_of_an_account_is_erased_and_nothing_of_another(records: PersonalRecords, account_id: str) -> None:
    other = uuid4().hex
    for each in (account_id, other):
        assert not await records.holds_any(each)
        await records.say(f"{each}-c", each, "Bye")
        assert await records.holds_any(each)
        await records.put(f"{each}-1", each, "Ada", NOON)
    await records.erase_all(account_id)
    assert not await records.holds_any(account_id)
    assert await records.of(account_id) == {}
    assert await records.of(other) == {f"{other}-1": "Ada"}
    assert await records.said(other, f"{other}-c") == "Bye"
