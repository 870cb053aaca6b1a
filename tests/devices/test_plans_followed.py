"""What devices know of plans: accounts, licences and prices, as of what plans have acknowledged before."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.plan_actions import Privilege
from tests.chassis.tokens import Issuer
from tests.plans.given import BOOK_FILE
from tests.plans.portal import EDIT, Answer, done, problem

from .portal import API, Customer, devices_service, noon_clock

issuer = Issuer()


@pytest.fixture
async def customer(tmp_path: Path) -> AsyncIterator[Customer]:
    async with devices_service(tmp_path, issuer, noon_clock()) as customer:
        yield customer


def phones(quantity: int, sku: str = "haas_desk_phone") -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity}], "ship_to": "office-1"}


async def change_plan(customer: Customer, bundle_id: str, change: str, body: Any) -> None:
    done(await customer.send(f"/plans/{bundle_id}/{change}", body, customer.plans, If_Match="*"))


async def test_an_order_sees_what_its_customer_did_a_moment_ago(customer: Customer) -> None:
    """Nobody waits for devices to have heard of a plan: a refusal is believed of plans as they are now only."""
    globex = customer.as_other("globex", globex=EDIT)
    assert problem(await globex.place(phones(1))) == "requirement_unmet"
    bundle_id = await globex.subscribe("phone_us_metered", 1)
    done(await globex.place(phones(3)))
    assert problem(await globex.place(phones(1))) == "device_ratio"
    await change_plan(globex, bundle_id, "edit", {"quantity": 2})
    done(await globex.place(phones(3)))


async def test_a_plan_that_has_ended_allows_for_nothing(customer: Customer) -> None:
    globex = customer.as_other("globex", globex=EDIT)
    bundle_id = await globex.subscribe("phone_us_metered", 5)
    await change_plan(globex, bundle_id, "cancel", {"reason": "other"})
    done(await globex.place(phones(1)))  # it is active until its term ends
    customer.clock.at += timedelta(days=31)
    assert problem(await globex.place(phones(1))) == "requirement_unmet"


async def test_a_reinstated_plan_allows_for_devices_again(customer: Customer) -> None:
    globex = customer.as_other("globex", globex=EDIT)
    bundle_id = await globex.subscribe("phone_us_metered", 5)
    await change_plan(globex, bundle_id, "cancel", {"reason": "other"})
    await change_plan(globex, bundle_id, "reinstate", {})
    customer.clock.at += timedelta(days=31)
    done(await globex.place(phones(1)))


async def test_two_orders_at_once_do_not_both_take_the_last_licences(customer: Customer) -> None:
    answers = await asyncio.gather(*(customer.place(phones(10)) for _ in range(6)))
    refused = [answer for answer in answers if answer.status_code != 201]
    assert [problem(answer) for answer in refused] == ["device_ratio"] * 3


async def test_what_was_cancelled_or_given_back_may_be_rented_again(customer: Customer) -> None:
    order_id = await customer.placed(phones(30))
    assert problem(await customer.place(phones(1, "haas_conference"))) == "device_ratio"
    done(await customer.change(order_id, "cancel", {}))
    order_id = await customer.placed(phones(30))
    await customer.days_go_by(10)
    assert problem(await customer.place(phones(1))) == "device_ratio"
    started = await _serial(customer, f"lease-{order_id}-1")
    done(await customer.lease(f"{order_id}-1", "request-return", {}))
    assert problem(await customer.place(phones(1))) == "device_ratio"
    done(await customer.lease(f"{order_id}-1", "return", {"rma": f"rma-{order_id}-1", "serial": started}))
    done(await customer.place(phones(1)))
    assert problem(await customer.place(phones(1))) == "device_ratio"


async def _serial(customer: Customer, stream: str) -> str:
    auditor = issuer.token(sub="auditor", grants={"*": ["Audit:Read"]})
    answer = await customer.devices.get("/events?after=0", headers={"Authorization": f"Bearer {auditor}"})
    (event,) = [line for line in map(json.loads, answer.text.splitlines()[:-1]) if line["stream"] == stream]
    serial: str = event["data"]["serial"]
    return serial


async def publish(customer: Customer, version: int, **prices: int) -> Answer:
    """A later version of the book, from today on, with other monthly prices."""
    book = json.loads(BOOK_FILE.read_bytes())
    book["effective_from"] = customer.clock.at.date().isoformat()
    for product in book["products"]:
        if product["sku"] in prices:
            product["prices"]["USD"]["monthly"]["tiers"][0]["unit_minor"] = prices[product["sku"]]
    publisher = issuer.token(sub="publisher", grants={"*": [Privilege.CATALOGUE_EDIT]})
    path, headers = f"{API}/catalogue/standard/versions/{version}", {"Authorization": f"Bearer {publisher}"}
    return await customer.plans.put(path, headers=headers, json=book)


async def test_an_order_is_priced_by_the_book_in_force_today(customer: Customer) -> None:
    ordered = done(await customer.place(phones(2)))["events"][0]["data"]["contents"]
    assert (ordered["monthly_minor"], ordered["lines"][0]["book_version"]) == (1198, 1)
    done(await publish(customer, 2, haas_desk_phone=649))
    done(await publish(customer, 3, haas_desk_phone=659))  # of two books with one date the higher version
    await customer.settler.settle()  # devices take in what plans have recorded
    ordered = done(await customer.place(phones(2)))["events"][0]["data"]["contents"]
    assert (ordered["monthly_minor"], ordered["lines"][0]["book_version"]) == (1318, 3)
    assert ordered["lines"][0]["list_minor"] == 8900


async def test_an_order_is_decided_while_plans_are_away_by_what_is_known(tmp_path: Path) -> None:
    clock = noon_clock()
    async with devices_service(tmp_path, issuer, clock) as customer:
        done(await customer.place(phones(1)))
    nowhere = "http://127.0.0.1:9"
    async with devices_service(tmp_path, issuer, clock, plans_url=nowhere) as customer:
        done(await customer.place(phones(1)))
        away = await customer.place(phones(31))
        assert (problem(away), away.json()["owner"]) == ("owner_unavailable", "plans")
        mover = issuer.token(sub="mover", grants={"*": [Privilege.CLOCK_EDIT]})
        unsettled = await customer.devices.post("/settle", headers={"Authorization": f"Bearer {mover}"})
        assert (problem(unsettled), unsettled.json()["owner"]) == ("owner_unavailable", "plans")
        unready = (await customer.devices.get("/health/ready")).json()
        assert [check["name"] for check in unready["checks"] if not check["ok"]] == ["plans_followed"]


async def test_an_index_that_was_lost_is_followed_anew(tmp_path: Path) -> None:
    clock = noon_clock()
    async with devices_service(tmp_path, issuer, clock) as customer:
        done(await customer.place(phones(1)))
    (tmp_path / "devices" / "plans_index.sqlite3").unlink()  # and its checkpoints go with it
    async with devices_service(tmp_path, issuer, clock) as customer:
        done(await customer.place(phones(1)))


async def test_commands_succeed_while_nobody_listens_where_kafka_should_be(customer: Customer) -> None:
    done(await customer.place(phones(1)))
    await customer.settler.settle()
    assert (await replace(customer).devices.get("/health/live")).status_code == 200


async def test_indexes_that_a_crash_has_torn_are_followed_anew(tmp_path: Path) -> None:
    clock = noon_clock()
    async with devices_service(tmp_path, issuer, clock) as customer:
        done(await customer.place(phones(1)))
    for name in ("plans_index", "due"):
        path = tmp_path / "devices" / f"{name}.sqlite3"
        path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096))
    async with devices_service(tmp_path, issuer, clock) as customer:
        assert problem(await customer.place(phones(30))) == "device_ratio"  # 1 of 30 is out already
        done(await customer.place(phones(29)))
