"""What happens by itself as the days go by: an order is submitted, shipped, delivered; leases begin, end, and cost."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.chassis.tokens import Issuer
from tests.plans.portal import done, problem

from .given import NOON
from .portal import TEN_PHONES, Customer, devices_service, noon_clock

issuer = Issuer()


@pytest.fixture
async def customer(tmp_path: Path) -> AsyncIterator[Customer]:
    async with devices_service(tmp_path, issuer, noon_clock()) as customer:
        yield customer


async def log(customer: Customer) -> list[dict[str, Any]]:
    """Every event of devices, as its feed has them."""
    auditor = issuer.token(sub="auditor", grants={"*": ["Audit:Read"]})
    answer = await customer.devices.get("/events?after=0", headers={"Authorization": f"Bearer {auditor}"})
    return [json.loads(line) for line in answer.text.splitlines()][:-1]


async def happened(customer: Customer) -> list[tuple[str, str]]:
    """Kind and day of every event."""
    return [(e["type"].removeprefix("devices."), e["metadata"]["effective_on"]) for e in await log(customer)]


async def test_ten_phones_are_six_delivered_and_four_in_transit_at_one_time(customer: Customer) -> None:
    await customer.placed()
    await customer.days_go_by(5.5)
    assert await happened(customer) == [
        ("DeviceOrderPlaced", "2026-06-01"),
        ("DeviceOrderSubmitted", "2026-06-02"),
        ("ShipmentDispatched", "2026-06-03"),
        ("ShipmentDispatched", "2026-06-04"),
        ("ShipmentDelivered", "2026-06-06"),
        *[("DeviceLeaseStarted", "2026-06-06")] * 6,
    ]
    await customer.days_go_by(1)
    assert (await happened(customer))[-5:] == [
        ("ShipmentDelivered", "2026-06-07"),
        *[("DeviceLeaseStarted", "2026-06-07")] * 4,
    ]


async def test_what_was_slept_through_is_dated_on_the_day_it_was_due(customer: Customer) -> None:
    await customer.placed()
    customer.clock.at += timedelta(days=30)
    await customer.settler.settle()
    late = await happened(customer)
    assert late[1] == ("DeviceOrderSubmitted", "2026-06-02")
    assert late[-1] == ("DeviceLeaseStarted", "2026-06-07")
    assert len(late) == 16


async def test_a_lost_parcel_goes_out_again(customer: Customer) -> None:
    await customer.placed({**TEN_PHONES, "ship_to": "office-1-lost"})
    await customer.days_go_by(12)
    kinds = [kind for kind, _ in await happened(customer)]
    assert kinds.count("ShipmentLost") == 1
    assert kinds.count("ShipmentDispatched") == 3
    assert kinds.count("ShipmentDelivered") == 2
    leases = [e["data"] for e in await log(customer) if e["type"] == "devices.DeviceLeaseStarted"]
    assert len({lease["lease_id"] for lease in leases}) == len({lease["serial"] for lease in leases}) == 10


async def test_a_device_that_never_comes_back_costs_its_fee_once(customer: Customer) -> None:
    order_id = await customer.placed({"lines": [{"sku": "haas_room_kit_large", "quantity": 1}], "ship_to": "office-1"})
    await customer.days_go_by(3 * 365 + 5 + 1 + 21)
    assert (await happened(customer))[-1] == ("DeviceLeaseStarted", "2026-06-06")
    await customer.days_go_by(400)
    (overdue,) = [e["data"] for e in await log(customer) if e["type"] == "devices.DeviceReturnOverdue"]
    assert (overdue["lease_id"], overdue["due_on"], overdue["fee_minor"]) == (f"{order_id}-1", "2029-06-27", 33500)
    assert overdue["money"]["net_minor"] == 33500
    assert problem(await customer.lease(f"{order_id}-1", "request-return", {})) == "lease_over"


async def test_a_replacement_goes_out_the_next_day(customer: Customer) -> None:
    order_id = await customer.placed({"lines": [{"sku": "haas_desk_phone", "quantity": 1}], "ship_to": "office-1"})
    await customer.days_go_by(6)
    serial = (await log(customer))[-1]["data"]["serial"]
    wish = {"serial": serial, "reason": "defect", "ship_to": "office-1"}
    done(await customer.lease(f"{order_id}-1", "request-replacement", wish))
    await customer.days_go_by(1)
    sent = (await log(customer))[-1]
    assert sent["type"] == "devices.DeviceReplacementSent"
    assert sent["data"]["replaces"] == serial != sent["data"]["serial"]
    assert problem(await customer.lease(f"{order_id}-1", "request-replacement", wish)) == "serial_unknown"


async def test_an_order_that_is_cancelled_does_not_move(customer: Customer) -> None:
    order_id = await customer.placed()
    done(await customer.change(order_id, "cancel", {}))
    await customer.days_go_by(30)
    assert [kind for kind, _ in await happened(customer)] == ["DeviceOrderPlaced", "DeviceOrderCancelled"]
    assert await customer.settler.settle() == (2, None)


async def test_a_service_that_is_stopped_anywhere_or_sleeps_ends_up_the_same(tmp_path: Path) -> None:
    """Restarted every day, with its index thrown away every other time; or asleep for all of it."""
    key = {"Idempotency_Key": "order-1"}
    folders = whole, asleep, halting = [tmp_path / name for name in ("whole", "asleep", "halting")]
    for folder in folders:
        folder.mkdir()
    async with devices_service(whole, issuer, noon_clock()) as customer:
        await customer.placed(**key)
        await customer.days_go_by(9)
        expected = await log(customer)
    async with devices_service(asleep, issuer, noon_clock()) as customer:
        await customer.placed(**key)
        customer.clock.at += timedelta(days=9)
        await customer.settler.settle()
        assert [told(event) for event in await log(customer)] == [told(event) for event in expected]
    clock = noon_clock()
    for number in range(10):
        async with devices_service(halting, issuer, clock) as customer:
            await customer.placed(**key)
            if number:
                await customer.days_go_by(1)
            found = await log(customer)
        if number % 2:
            (halting / "devices" / "due.sqlite3").unlink()
    assert [told(event) for event in found] == [told(event) for event in expected]
    assert clock.at == NOON + timedelta(days=9)


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["stream"], event["revision"], event["event_id"], event["data"], event["metadata"]["effective_on"]


async def test_many_asking_at_once_do_everything_once(customer: Customer) -> None:
    await customer.placed()
    customer.clock.at += timedelta(days=30)
    await asyncio.gather(*(customer.settler.settle() for _ in range(8)))
    kinds = [kind for kind, _ in await happened(customer)]
    assert (kinds.count("ShipmentDelivered"), kinds.count("DeviceLeaseStarted")) == (2, 10)


async def test_settling_is_for_who_may_move_the_clock(customer: Customer) -> None:
    mover = issuer.token(sub="mover", grants={"*": ["Clock:Edit"]})
    await customer.placed()
    answer = await customer.devices.post("/settle", headers={"Authorization": f"Bearer {mover}"})
    assert answer.json() == {"head": 1, "next_due_at": "2026-06-02T16:00:00.000000Z"}
    refused = await customer.devices.post("/settle", headers={"Authorization": f"Bearer {customer.token}"})
    assert problem(refused) in ("forbidden", "account_not_found")


async def test_what_is_due_by_mistake_keeps_nobody_busy_for_ever(customer: Customer, tmp_path: Path) -> None:
    """An index can only be wrong by a mistake of ours: then it is said, and everything else goes on."""
    await customer.placed()
    await customer.settler.settle()
    db = sqlite3.connect(tmp_path / "devices" / "due.sqlite3")
    with db:
        db.execute("UPDATE due SET at = '2026-01-01T00:00:00.000000Z'")
    db.close()
    async with asyncio.timeout(10):
        with capture_logs() as logs:
            await customer.settler.settle()
    assert "due_work_stuck" in {each["event"] for each in logs}
