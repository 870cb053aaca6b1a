"""Device orders and leases as the gateway shows them: rows are folds of the deciders' events, answers are rows."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel

from contracts.topics import Owner
from services.devices import commands as c
from services.gateway import devices
from services.gateway.answers import DeviceLease, DeviceLeases, DeviceOrder, DeviceOrders
from services.gateway.projections import device_lease, device_order
from tests.devices.given import (
    EDITOR,
    NOON,
    Given,
    GivenLease,
    asked,
    at,
    give_back,
    leased,
    placed,
    request_replacement,
    request_return,
)

from .gateway import Gateway, gateway
from .history import History, started
from .test_reads import problem

ORDERS, LEASES = "/api/v1/accounts/acme/device-orders", "/api/v1/accounts/acme/leases"


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        opened.clock.at = NOON
        yield opened


def row_of(given: Given | GivenLease) -> dict[str, Any]:
    history = History()
    name, projection = ("deviceorder-o1", device_order) if isinstance(given, Given) else ("lease-o1-1", device_lease)
    row: dict[str, Any] | None = None
    for envelope in history.write(Owner.DEVICES, name, "acme", given.told):
        row = projection.apply(row, envelope)
    assert row is not None
    return row


ORDERED: dict[str, Given] = {
    "held": placed(),
    "amended": placed().after(asked(c.AmendOrder, at(0.5), ship_to="office-2")),
    "cancelled": placed().after(asked(c.CancelOrder)),
    **{f"after {days} days": placed().days_later(days) for days in (1, 2, 3, 5, 6)},
    **{f"lost, after {days} days": placed(ship_to="a-lost").days_later(days) for days in (5, 6, 20)},
}


@pytest.mark.parametrize("given", ORDERED.values(), ids=ORDERED)
def test_an_order_shown_stands_where_its_decider_sees_it(given: Given) -> None:
    assert devices.order_standing(row_of(given)) == given.known().standing()


LEASED: dict[str, GivenLease] = {
    "active": leased(),
    "to be replaced": leased().after(request_replacement(leased().known(), at(40))),
    "replaced": leased().after(request_replacement(leased().known(), at(40))).until(date(2026, 9, 1)),
    "being returned": leased().after(request_return(date(2027, 1, 4))),
    "returned": leased().after(
        request_return(date(2027, 1, 4)), give_back(leased().known(), date(2027, 1, 9), rma="rma-o1-1")
    ),
    "overdue": leased().until(date(2030, 1, 1)),
}


@pytest.mark.parametrize("given", LEASED.values(), ids=LEASED)
def test_a_lease_shown_stands_where_its_decider_sees_it(given: GivenLease) -> None:
    row = row_of(given)
    assert devices.lease_standing(row) == given.known().standing()
    assert row["serial"] == given.known().serial


def test_an_order_shows_where_its_parcels_are() -> None:
    order = devices.order(row_of(placed().days_later(5.5)), at(5.5), EDITOR)
    assert (order.status, order.units, order.units_delivered, order.units_in_transit) == ("shipped", 10, 6, 4)
    assert [(parcel.whereabouts, len(parcel.units), parcel.moved_at) for parcel in order.shipments] == [
        ("delivered", 6, at(5)),
        ("in_transit", 4, at(3)),
    ]
    assert (order.monthly_minor, order.due_on_submission_minor) == (5990, 0)


def test_a_hold_that_has_run_out_is_shown_as_such_before_anybody_has_recorded_it() -> None:
    row = row_of(placed())
    held, over = [devices.order(row, now, EDITOR) for now in (at(1) - timedelta(seconds=1), at(1))]
    assert (held.status, held.allowed_actions["cancel"].allowed) == ("hold", True)  # type: ignore[index]
    assert (over.status, over.allowed_actions["cancel"].reason) == ("submitted", "order_hold_over")  # type: ignore[index]


def test_a_lease_shows_its_replacements_its_return_and_its_fee() -> None:
    replaced = devices.lease(row_of(LEASED["replaced"]), date(2026, 9, 1), EDITOR)
    (replacement,) = replaced.replacements
    assert (replacement.serial, replacement.sent_at) == (replaced.serial, at(41))
    returning = devices.lease(row_of(LEASED["being returned"]), date(2027, 1, 4), EDITOR)
    assert returning.returning is not None
    assert (returning.returning.rma, returning.returning.due_on) == ("rma-o1-1", date(2029, 6, 27))
    assert devices.lease(row_of(LEASED["returned"]), date(2027, 2, 1), EDITOR).ended_on == date(2027, 1, 9)
    kept = leased("haas_room_kit_large").until(date(2030, 1, 1))
    overdue = devices.lease(row_of(kept), date(2030, 1, 1), EDITOR)
    assert (overdue.status, overdue.fee_minor) == ("overdue", 33500)
    waiting = devices.lease(row_of(leased()), date(2029, 6, 6), EDITOR)
    assert (waiting.status, waiting.fee_minor) == ("return_due", None)


async def show(gateway: Gateway, stream: str, told: Sequence[BaseModel], account_id: str = "acme") -> History:
    history = started("acme")
    history.open("globex")
    history.write(Owner.DEVICES, stream, account_id, told)
    await gateway.show(history)
    return history


async def test_an_order_is_read_with_the_tag_its_commands_need(shown: Gateway) -> None:
    await show(shown, "deviceorder-o1", placed().days_later(3).told)
    answer = await shown.get(f"{ORDERS}/o1")
    order = DeviceOrder.model_validate_json(answer.content)
    assert (answer.headers["etag"], order.revision, order.status) == ('"3"', 3, "shipped")
    assert DeviceOrders.model_validate_json((await shown.get(ORDERS)).content).orders == [order]


async def test_a_lease_is_read_with_the_tag_its_commands_need(shown: Gateway) -> None:
    await show(shown, "lease-o1-1", LEASED["being returned"].told)
    answer = await shown.get(f"{LEASES}/o1-1")
    lease = DeviceLease.model_validate_json(answer.content)
    assert (answer.headers["etag"], lease.revision, lease.status) == ('"1"', 1, "active")
    assert DeviceLeases.model_validate_json((await shown.get(LEASES)).content).leases == [lease]


async def test_an_order_read_again_is_sent_whole_since_its_hold_may_be_over(shown: Gateway) -> None:
    await show(shown, "deviceorder-o1", placed().told)
    assert (await shown.get(f"{ORDERS}/o1")).json()["status"] == "hold"
    shown.clock.at = at(1)
    again = await shown.get(f"{ORDERS}/o1", If_None_Match='"0"')
    assert (again.status_code, again.json()["status"]) == (200, "submitted")
    listed = await shown.get(ORDERS)
    assert (await shown.get(ORDERS, If_None_Match=listed.headers["etag"])).status_code == 304


async def test_a_viewer_sees_why_every_button_is_grey(shown: Gateway) -> None:
    await show(shown, "deviceorder-o1", placed().told)
    order = (await shown.get(f"{ORDERS}/o1", "viewer")).json()
    assert {action["reason"] for action in order["allowed_actions"].values()} == {"forbidden"}
    assert problem(await shown.get(ORDERS, "auditor")) == (403, "forbidden")


def without_ids(answer: httpx2.Response) -> tuple[int, bytes]:
    return answer.status_code, answer.content


async def test_what_is_another_accounts_cannot_be_told_from_what_is_absent(shown: Gateway) -> None:
    await show(shown, "deviceorder-o1", placed().told, "globex")
    assert problem(await shown.get(f"{ORDERS}/o1")) == (404, "order_not_found")
    assert problem(await shown.get(f"{LEASES}/o1-1")) == (404, "lease_not_found")
    theirs, absent = [await shown.get(f"{ORDERS}/{each}") for each in ("o1", "o2")]
    assert without_ids(theirs) == without_ids(absent)
    assert (await shown.get(ORDERS)).json() == {"account_id": "acme", "orders": []}
    assert problem(await shown.get(ORDERS, "stranger")) == (404, "account_not_found")


async def test_a_read_waits_for_the_order_it_names(shown: Gateway) -> None:
    history = await show(shown, "deviceorder-o1", placed().told)
    position = history.logs[Owner.DEVICES][-1].position
    assert (await shown.get(f"{ORDERS}/o1?min_position=devices:{position}")).status_code == 200
    behind = await shown.get(f"{ORDERS}/o1?min_position=devices:{position + 1}")
    assert problem(behind) == (503, "read_model_behind")


async def test_an_account_that_was_not_heard_of_yet_is_not_denied_to_who_knows_better(shown: Gateway) -> None:
    """Devices were read up to the order, plans not up to the account: it is there, and we are behind."""
    history = started("acme")
    history.write(Owner.DEVICES, "deviceorder-o1", "acme", placed().told)
    await shown.following.take_in(Owner.DEVICES, history.logs[Owner.DEVICES])
    position = history.logs[Owner.DEVICES][-1].position
    assert problem(await shown.get(f"{ORDERS}/o1?min_position=devices:{position}")) == (503, "read_model_behind")
    assert problem(await shown.get(f"{ORDERS}/o1")) == (404, "account_not_found")


def test_times_are_told_in_utc() -> None:
    assert devices.order(row_of(placed()), NOON, EDITOR).hold_until == datetime(2026, 6, 2, 16, tzinfo=UTC)
