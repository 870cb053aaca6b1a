"""The clock over HTTP: who may read and who may move it, every bad input, and owners asked to settle over the wire."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from services.chassis.clock import SetClock, Setting
from services.gateway import settling
from services.gateway.forwarding import connections
from services.gateway.mover import Mover, Settled, Settling, moving
from services.gateway.settling import SettlingOwner, Unsettled
from tests.engines import free_port, until

from .gateway import Gateway, Upstream, gateway, upstream

CLOCK = "/api/v1/clock"
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Restless:
    """An owner that is never done while `done` is unset."""

    name = "plans"

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.done.set()
        self.was_asked = asyncio.Event()

    async def settle(self) -> Settled:
        self.was_asked.set()
        await self.done.wait()
        return Settled(0, BEGIN + timedelta(days=400))


@pytest.fixture
def clock(tmp_path: Path) -> SetClock:
    clock = SetClock(tmp_path / "clock.json")
    clock.set(Setting(BEGIN, since=None))
    return clock


@pytest.fixture
def owner() -> Restless:
    return Restless()


@pytest.fixture
async def portal(tmp_path: Path, clock: SetClock, owner: Settling) -> AsyncIterator[Gateway]:
    async def catch_up() -> None:
        pass

    mover = Mover(clock, [owner], catch_up)
    async with moving(mover), gateway(tmp_path, mover) as opened:
        yield opened


async def moved(portal: Gateway, **body: Any) -> dict[str, Any]:
    """The answer to a move that is begun."""
    answer = await portal.post(CLOCK, orjson.dumps(body), "operator")
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def shown(portal: Gateway) -> dict[str, Any]:
    view: dict[str, Any] = (await portal.get(CLOCK)).json()
    return view


async def test_everybody_with_a_token_may_read_it(portal: Gateway) -> None:
    for user in ("viewer", "stranger", "operator"):
        answer = await portal.get(CLOCK, user)
        assert answer.json() == {
            "now": "2026-01-01T12:00:00Z",
            "standing_still": True,
            "moving_to": None,
            "due_next_at": None,
            "steps": 0,
            "reason": None,
        }
        assert answer.headers["cache-control"] == "no-store"
    assert (await portal.client.get(CLOCK)).json()["code"] == "unauthenticated"


async def test_only_who_may_edit_clocks_moves_it(portal: Gateway, clock: SetClock) -> None:
    answer = await portal.post(CLOCK, b'{"forward": "1d"}', "editor")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await portal.client.post(CLOCK, content=b"{}")).json()["code"] == "unauthenticated"
    assert clock.now() == BEGIN


async def test_where_the_time_is_the_systems_there_is_no_such_address(tmp_path: Path) -> None:
    async with gateway(tmp_path) as opened:
        for answer in (await opened.get(CLOCK), await opened.post(CLOCK, b'{"run": false}', "operator")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        ({"forward": "45d"}, "2026-02-15T12:00:00Z"),
        ({"forward": "36h"}, "2026-01-03T00:00:00Z"),
        ({"forward": "90m"}, "2026-01-01T13:30:00Z"),
        ({"to": "2026-02-01"}, "2026-02-01T12:00:00Z"),
        ({"to": "2026-02-01T00:00:00+01:00"}, "2026-01-31T23:00:00Z"),
        ({"to": "2026-01-01T12:00:00Z"}, "2026-01-01T12:00:00Z"),
    ],
    ids=str,
)
async def test_it_arrives_where_it_was_asked_to(
    portal: Gateway, clock: SetClock, body: dict[str, str], arrives: str
) -> None:
    going = await moved(portal, **body, stand_still=True)
    assert (going["moving_to"], going["standing_still"]) == (arrives, True)
    await until(lambda: clock.setting() == Setting(datetime.fromisoformat(arrives), None, stand_still=True))
    view = await shown(portal)
    assert (view["now"], view["moving_to"]) == (arrives, None)
    assert (view["standing_still"], view["reason"]) == (True, None)
    assert view["due_next_at"] == "2027-02-05T12:00:00Z"
    clock.set(Setting(BEGIN + timedelta(days=400), since=None))
    assert (await shown(portal))["due_next_at"] is None, "that was then"


async def test_it_stands_still_or_runs_as_asked(portal: Gateway) -> None:
    assert not (await moved(portal, run=True))["standing_still"]
    assert datetime.fromisoformat((await shown(portal))["now"]) > BEGIN
    standing = await moved(portal, run=False)
    assert standing["standing_still"]
    assert await shown(portal) == standing


async def test_a_move_on_its_way_is_told_and_no_other_begins_but_it_can_be_ended(
    portal: Gateway, clock: SetClock, owner: Restless
) -> None:
    owner.done.clear()
    await moved(portal, forward="1d")
    await owner.was_asked.wait()
    for body in (b'{"forward": "1d"}', b'{"run": true}'):
        answer = await portal.post(CLOCK, body, "operator")
        assert (answer.status_code, answer.json()["code"]) == (409, "clock_moving")
        assert answer.json()["moving_to"] == "2026-01-02T12:00:00.000000Z"
    ended = await moved(portal, run=False)
    assert (ended["now"], ended["moving_to"]) == ("2026-01-01T12:00:00Z", None)
    owner.done.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert clock.setting() == Setting(BEGIN, since=None), "an owner that was being asked moves nothing any more"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "malformed_json"),
        ("{}", 422, "invalid_request"),
        ("[]", 422, "invalid_request"),
        ('{"to": "2026-02-01", "forward": "1d"}', 422, "invalid_request"),
        ('{"run": true, "stand_still": true}', 422, "invalid_request"),
        ('{"run": "yes"}', 422, "invalid_request"),
        ('{"forward": "0d"}', 422, "invalid_request"),
        ('{"forward": "-1d"}', 422, "invalid_request"),
        ('{"forward": "1w"}', 422, "invalid_request"),
        ('{"forward": 45}', 422, "invalid_request"),
        ('{"to": "2026-02-01T12:00:00"}', 422, "invalid_request"),
        ('{"to": "2026-02-30"}', 422, "invalid_request"),
        ('{"to": "tomorrow"}', 422, "invalid_request"),
        ('{"to": 1800000000}', 422, "invalid_request"),
        ('{"to": null}', 422, "invalid_request"),
        ('{"backward": "1d"}', 422, "invalid_request"),
        ('{"to": "2025-12-31"}', 409, "clock_backwards"),
        ('{"to": "2026-01-01T11:59:59.999999Z"}', 409, "clock_backwards"),
        ('{"to": "0001-01-01T00:00:00+14:00"}', 409, "clock_backwards"),
        ('{"to": "2046-01-02"}', 422, "clock_too_far"),
        ('{"to": "9999-12-31T23:59:59-12:00"}', 422, "clock_too_far"),
        ('{"forward": "7306d"}', 422, "clock_too_far"),
        ('{"forward": "99999999d"}', 422, "clock_too_far"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_and_moves_nothing(
    portal: Gateway, clock: SetClock, body: str, status: int, code: str
) -> None:
    answer = await portal.post(CLOCK, body.encode(), "operator")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert clock.setting() == Setting(BEGIN, since=None)


async def asked(owner: Upstream) -> Settled:
    async with connections() as session:
        return await SettlingOwner("plans", owner.url, session, lambda: "a-token").settle()


async def test_an_owner_is_asked_to_settle_with_the_gateways_own_token() -> None:
    async with upstream() as plans:
        plans.answer = lambda _: web.json_response({"head": 7, "next_due_at": "2026-02-01T00:00:00.000001Z"})
        assert await asked(plans) == Settled(7, datetime(2026, 2, 1, microsecond=1, tzinfo=UTC))
        plans.answer = lambda _: web.json_response({"head": 8, "next_due_at": None})
        assert await asked(plans) == Settled(8, None)
        assert {(each.method, each.path, each.headers["Authorization"]) for each in plans.asked} == {
            ("POST", "/settle", "Bearer a-token")
        }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.json_response, "something else than where it is"),
        (lambda _: web.Response(text="<html>"), "something else than where it is"),
        (lambda _: web.json_response({"code": "forbidden"}, status=403), "plans could not settle: 403 forbidden."),
        (
            lambda _: web.json_response({"code": "owner_unavailable", "owner": "renewals"}, status=503),
            "plans waits for renewals, which is away.",
        ),
        (lambda _: web.json_response([]), "something else than where it is"),
        (lambda _: web.Response(status=502, text="bad gateway"), "answered 502"),
        (lambda _: web.json_response({"head": None, "next_due_at": None}), "something else than where it is"),
    ],
)
async def test_an_owner_that_answers_anything_else_has_not_settled(answer: Any, reason: str) -> None:
    async with upstream() as plans:
        plans.answer = answer
        with pytest.raises(Unsettled, match=reason):
            await asked(plans)


async def test_an_owner_that_does_not_answer_has_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsettled, match="plans is away"):
        await asked(Upstream(url=f"http://127.0.0.1:{free_port()}"))
    monkeypatch.setattr(settling, "TIMEOUT", settling.aiohttp.ClientTimeout(total=0.05))
    never = asyncio.Event()
    async with upstream() as plans:
        plans.answer = lambda _: never.wait()
        with pytest.raises(Unsettled, match="plans has not settled within"):
            await asked(plans)
