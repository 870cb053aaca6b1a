"""What if over HTTP: asked of a process of its own, by who may see plans and invoices, a few at a time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from contracts.envelope import Record, feed_line
from contracts.topics import Owner
from services.gateway.what_if import forks
from tests.whatif.accounts import history, new_account

from .gateway import Gateway, Upstream, gateway
from .history import started

WHAT_IF = "/api/v1/accounts/acme/what-if"


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[tuple[Gateway, str]]:
    """Its owners serve the feeds of an account with one plan, whose bundle is told."""
    async with new_account() as customer:
        bundle = await customer.starts()
        past = await history(customer.fork)
    async with gateway(tmp_path) as running:
        await running.show(started())
        for owner, upstream in (
            (Owner.PLANS, running.plans),
            (Owner.RENEWALS, running.renewals),
            (Owner.DEVICES, running.devices),
        ):
            _serve(upstream, past[owner])
        yield running, bundle


def _serve(owner: Upstream, records: list[Record]) -> None:
    def answer(request: web.Request) -> web.Response:
        head = len(records)
        if request.path == "/events/head":
            return web.json_response({"position": head})
        assert request.headers["authorization"]
        after, account = int(request.query["after"]), request.query["account"]
        wanted = [
            each for each in records if each.position > after and f'"account_id":"{account}"'.encode() in each.metadata
        ]
        lines = b"".join(map(feed_line, wanted))
        return web.Response(body=lines + b'{"end":true,"position":%d}\n' % head)

    owner.answer = answer


def problem(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    code: str = answer.json()["code"]
    return code


def question(bundle: str, **different: Any) -> bytes:
    command = {"plan": bundle, "command": "edit", "body": {"quantity": 8}}
    return orjson.dumps({"until": "2026-09-02", "commands": [command], **different})


async def test_the_answer_compares_the_invoices_with_and_without(portal: tuple[Gateway, str]) -> None:
    running, bundle = portal
    answer = await running.post(WHAT_IF, question(bundle), user="owner")
    assert answer.status_code == 200, answer.text
    members = answer.json()
    assert [each["outcome"] for each in members["commands"]] == ["done"]
    assert members["totals"]["difference_minor"] == sum(each["difference_minor"] for each in members["invoices"]) > 0
    asked = [*running.plans.asked, *running.renewals.asked, *running.devices.asked]
    assert {request.method for request in asked} == {"GET"}


async def test_it_is_for_who_may_see_plans_and_invoices(portal: tuple[Gateway, str]) -> None:
    running, bundle = portal
    for user in ("editor", "auditor"):
        assert problem(await running.post(WHAT_IF, question(bundle), user=user)) == "forbidden"
    assert problem(await running.post(WHAT_IF, question(bundle), user="stranger")) == "account_not_found"
    assert not running.plans.asked


@pytest.mark.parametrize(
    ("different", "code"),
    [
        ({"until": "2029-01-01"}, "what_if_too_far"),
        ({"until": "2020-01-01"}, "date_out_of_range"),
        ({"until": "soon"}, "invalid_request"),
        ({"commands": [{"path": "/plans"}] * 51}, "invalid_request"),
        ({"commands": [{"body": {}}]}, "invalid_request"),
        ({"commands": [{"path": "/plans", "plan": "b1", "command": "edit"}]}, "invalid_request"),
    ],
)
async def test_what_cannot_be_looked_at_is_refused_before_anything_is_read(
    portal: tuple[Gateway, str], different: Any, code: str
) -> None:
    running, bundle = portal
    assert problem(await running.post(WHAT_IF, question(bundle, **different), user="owner")) == code
    assert not running.plans.asked


async def test_a_third_one_at_once_is_told_to_come_again(portal: tuple[Gateway, str]) -> None:
    running, bundle = portal
    held = asyncio.Event()
    feed = running.plans.answer

    async def waits(request: web.Request) -> web.Response:
        await held.wait()
        answer: web.Response = feed(request)
        return answer

    running.plans.answer = waits
    asked = [asyncio.create_task(running.post(WHAT_IF, question(bundle), user="owner")) for _ in range(2)]
    await running.plans.was_asked.wait()
    third = await running.post(WHAT_IF, question(bundle), user="owner")
    assert problem(third) == "overloaded"
    assert third.headers["retry-after"]
    held.set()
    assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200, 200]


async def test_one_that_takes_too_long_is_ended(portal: tuple[Gateway, str], monkeypatch: pytest.MonkeyPatch) -> None:
    running, bundle = portal
    monkeypatch.setattr(forks, "MOST_S", 0.01)
    assert problem(await running.post(WHAT_IF, question(bundle), user="owner")) == "what_if_unfinished"


async def test_an_owner_that_is_away_is_told(portal: tuple[Gateway, str]) -> None:
    running, bundle = portal
    await running.devices.stop()
    assert problem(await running.post(WHAT_IF, question(bundle), user="owner")) == "owner_unavailable"
