"""Travelling in time with a whole portal: every service lives in the new day, and a move outlives what is killed."""

import re
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2 as httpx
import pytest

from contracts.topics import Owner
from services.chassis.clock import instant
from tests.portal import Portal
from tests.system import logs
from tests.system.customer import ZONE, Customer

WISH = {"sku": "workplace_pro", "quantity": 2, "cycle": "annual"}


def billing(portal: Portal, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *arguments, "--data-dir", str(portal.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def clock(portal: Portal) -> dict[str, Any]:
    answer = portal.http.get(f"{portal.url()}/api/v1/clock", headers=otto(portal))
    view: dict[str, Any] = answer.raise_for_status().json()
    return view


def moved(portal: Portal, **body: Any) -> dict[str, Any]:
    answer = portal.http.post(f"{portal.url()}/api/v1/clock", json=body, headers=otto(portal))
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


def otto(portal: Portal) -> dict[str, str]:
    return {"Authorization": f"Bearer {portal.token('otto')}"}


def now(portal: Portal) -> datetime:
    return datetime.fromisoformat(clock(portal)["now"])


def arrived(portal: Portal) -> bool:
    return clock(portal)["moving_to"] is None


def answers(portal: Portal) -> bool:
    try:
        return bool(clock(portal))
    except httpx.HTTPError:
        return False


@pytest.fixture
def customer(portal: Portal) -> Customer:
    return Customer.with_account(portal)


def test_after_45_days_every_service_lives_in_the_new_day(portal: Portal, customer: Customer) -> None:
    assert "the clock stands still" in billing(portal, "clock", "stop").stdout
    begin = now(portal)
    went = billing(portal, "clock", "forward", "45d", "--stand-still")
    assert (went.returncode, now(portal)) == (0, begin + timedelta(days=45)), went.stderr
    assert f"It is {now(portal):%Y-%m-%d %H:%M:%S} UTC, and the clock stands still." in went.stdout

    today = now(portal).astimezone(ZoneInfo(ZONE)).date().isoformat()
    assert customer.answered(customer.post("/quotes/start", WISH, None))["effective_on"] == today
    position = customer.answered(customer.start(**WISH))["position"]
    (card,) = customer.read("/product-cards", position)["cards"]
    assert card["started_on"] == today
    assert customer.read("/plan-summary", position)["annual"]["next"]["due_on"] == card["term"]["end"]
    for owner in (Owner.PLANS, Owner.RENEWALS):
        events = [e["metadata"] for e in logs.feed(portal, owner) if e["metadata"]["account_id"] == customer.account_id]
        assert events[-1]["recorded_at"] == instant(now(portal))


def test_a_quote_expires_by_the_clock_that_was_moved(portal: Portal, customer: Customer) -> None:
    token = customer.answered(customer.post("/quotes/start", WISH, None))["token"]
    assert billing(portal, "clock", "forward", "16m").returncode == 0
    answer = customer.post("/plans", {**WISH, "quote_token": token}, None, "confirmed")
    assert (answer.status_code, answer.json()["code"]) == (410, "quote_expired")


def test_a_wish_to_go_back_is_refused_in_one_sentence(portal: Portal) -> None:
    before = now(portal)
    went = billing(portal, "clock", "set", "2001-01-01")
    assert (went.returncode, went.stderr.strip()) == (1, "POST /api/v1/clock was refused: 409 clock_backwards")
    assert now(portal) >= before


def test_a_move_goes_on_after_kill_9_of_the_gateway_and_skips_no_owner_that_is_away(portal: Portal) -> None:
    portal.pause("plans")
    try:
        begin = now(portal)
        target = moved(portal, forward="10d", stand_still=True)["moving_to"]
        pid = portal.kill("gateway")
        portal.until(lambda: portal.parts()["gateway"]["pid"] != pid and answers(portal))
        view = clock(portal)
        assert view["moving_to"] == target
        assert datetime.fromisoformat(view["now"]) < begin + timedelta(hours=1), "plans has not settled yet"
    finally:
        portal.resume("plans")
    portal.until(lambda: arrived(portal))
    view = clock(portal)
    assert (view["now"], view["standing_still"], view["reason"]) == (target, True, None)


def test_a_move_waits_for_an_owner_that_was_killed_and_says_so(portal: Portal) -> None:
    pid = portal.kill("renewals")
    target = moved(portal, forward="1d", stand_still=True)["moving_to"]
    said = re.compile("renewals is away|waits for renewals, which is away")  # whoever is asked first
    portal.until(lambda: bool(said.search(str(clock(portal)["reason"]))))
    portal.until_back("renewals", pid)
    portal.until(lambda: arrived(portal))
    assert (clock(portal)["now"], clock(portal)["reason"]) == (target, None)


def test_the_clock_goes_on_where_it_was_when_the_portal_is_started_again(portal: Portal) -> None:
    moved(portal, run=False)
    before = clock(portal)["now"]
    portal.stop()
    portal.__enter__()
    assert clock(portal)["now"] == before
