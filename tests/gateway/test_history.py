"""An account's history: every event once, the newest first, as a sentence and as it is."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts import codec
from contracts.money import Currency
from contracts.topics import Owner
from services.gateway import history as sentences
from services.gateway.projections import history as projection
from tests.contracts.test_codec import SAMPLES, named

from .gateway import Gateway, gateway
from .history import History, started
from .test_reads import problem

HISTORY = "/api/v1/accounts/acme/history"


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        history = started("acme")
        history.open("globex")
        await opened.show(history)
        yield opened


async def everything(shown: Gateway, limit: int) -> list[dict[str, Any]]:
    entries, before = [], ""
    while True:
        page = (await shown.get(f"{HISTORY}?limit={limit}{before}", "auditor")).json()
        assert len(page["entries"]) <= limit
        entries += page["entries"]
        if page["next"] is None:
            return entries
        before = f"&before={page['next']}"


async def test_every_event_of_the_account_is_there_once_however_it_is_paged(shown: Gateway) -> None:
    one_by_one = await everything(shown, 1)
    assert one_by_one == await everything(shown, 200)
    said = [entry["said"] for entry in reversed(one_by_one)]
    assert said[0] == "Account opened, in USD and Europe/Vienna"
    assert any(each.startswith("Plan started: ") for each in said)
    assert len({entry["event_id"] for entry in one_by_one}) == len(one_by_one)
    assert {entry["owner"] for entry in one_by_one} == {"plans", "renewals"}
    stamps = [(entry["recorded_at"], entry["owner"], entry["position"]) for entry in one_by_one]
    assert stamps == sorted(stamps, reverse=True)


async def test_one_thing_has_its_own_history_however_it_is_paged(shown: Gateway) -> None:
    everybody = await everything(shown, 200)
    own = [entry for entry in everybody if entry["stream"].endswith("-acme")]
    assert 1 < len(own) < len(everybody)
    assert (await shown.get(f"{HISTORY}?about=acme", "auditor")).json()["entries"] == own
    first = (await shown.get(f"{HISTORY}?about=acme&limit=1", "auditor")).json()
    rest = (await shown.get(f"{HISTORY}?about=acme&before={first['next']}", "auditor")).json()
    assert (first["entries"] + rest["entries"], rest["next"]) == (own, None)
    (of_plan,) = (await shown.get(f"{HISTORY}?about=b1", "auditor")).json()["entries"]
    assert of_plan["stream"] == "plan-b1"
    assert (await shown.get(f"{HISTORY}?about=nothing", "auditor")).json()["entries"] == []


async def test_it_is_for_auditors_only_and_of_one_account_only(shown: Gateway) -> None:
    assert problem(await shown.get(HISTORY, "owner")) == (403, "forbidden")
    assert problem(await shown.get(HISTORY, "stranger")) == (404, "account_not_found")
    answer = (await shown.get(HISTORY, "auditor")).json()
    assert "globex" not in str(answer)
    # A cursor is below the account, whatever it says.
    everything_before = (await shown.get(f"{HISTORY}?before=~~~&limit=200", "auditor")).json()["entries"]
    assert {entry["event_id"] for entry in everything_before} == {each["event_id"] for each in answer["entries"]}
    assert (await shown.get(f"{HISTORY}?before=../globex", "auditor")).json()["entries"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1.0", "before=%00", "before=%C3%A4"])
async def test_a_page_that_cannot_be_is_refused(shown: Gateway, query: str) -> None:
    assert problem(await shown.get(f"{HISTORY}?{query}", "auditor")) == (422, "invalid_request")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_kind_of_event_has_its_sentence(sample: Path) -> None:
    kind, version = named(sample)
    name = kind.partition(".")[2]
    if name in ("PriceBookPublished", "PriceBookWithdrawn", "ProductRetired"):
        return  # of no account
    data = codec.current(kind, version, json.loads(sample.read_bytes()))
    said = sentences.said({"type": kind, "data": data}, Currency.USD)
    assert said != name
    assert "{" not in said


async def test_price_books_are_in_nobodys_history(shown: Gateway) -> None:
    assert "PriceBookPublished" not in str(await everything(shown, 200))
    history = History()
    history.publish()
    assert all(projection.key(event).startswith("/") for event in history.logs[Owner.PLANS])
