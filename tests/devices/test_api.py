"""Device commands through HTTP: bad input, rights, keys and revisions, each with its status and code (DOMAIN 6)."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as every
from hypothesis import strategies as st

from contracts.plan_actions import Privilege
from services.devices.requests import LEASE_CHANGES, ORDER_CHANGES
from tests.chassis.tokens import Issuer
from tests.plans.portal import EDIT, Answer, done, problem

from .given import NOON
from .portal import TEN_PHONES, Customer, devices_service, noon_clock, order_of

KEY = {"Idempotency_Key": "key-1"}
NOBODYS = "0" * 20


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Customer]:
    folder = tmp_path_factory.mktemp("devices")
    async with devices_service(folder, Issuer(), noon_clock(), device_ratio=1000) as customer:
        yield customer


@pytest.fixture
def customer(service: Customer) -> Customer:
    service.clock.at = NOON
    return service


ONE_PHONE = {"lines": [{"sku": "haas_desk_phone", "quantity": 1}], "ship_to": "office-1"}


async def leased(customer: Customer) -> str:
    """The id of a lease that has begun."""
    order_id = await customer.placed(ONE_PHONE)
    await customer.days_go_by(6)
    return f"{order_id}-1"


async def test_the_answer_tells_what_was_recorded_and_where(customer: Customer) -> None:
    answer = await customer.place()
    members = done(answer)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"0"')
    assert answer.headers["billing-position"] == members["position"]
    assert members["position"].startswith("devices:")
    (event,) = members["events"]
    assert (event["type"], event["data"]["order_id"]) == ("devices.DeviceOrderPlaced", order_of(members))
    assert event["data"]["hold_until"] == "2026-06-02T16:00:00Z"


ORDERS: list[tuple[Any, str]] = [
    (b"", "malformed_json"),
    (b"[", "malformed_json"),
    ([], "invalid_request"),
    ({}, "invalid_request"),
    ({**TEN_PHONES, "lines": []}, "invalid_request"),
    ({**TEN_PHONES, "lines": [{"sku": f"sku-{number}", "quantity": 1} for number in range(21)]}, "invalid_request"),
    *(
        ({**TEN_PHONES, "lines": [{"sku": "haas_desk_phone", "quantity": wrong}]}, "invalid_request")
        for wrong in (0, -1, 2.0, "5", True, None, 1501, 10**40)
    ),
    (b'{"lines": [{"sku": "haas_desk_phone", "quantity": NaN}], "ship_to": "a"}', "invalid_request"),
    ({**TEN_PHONES, "lines": [{"sku": "a b", "quantity": 1}]}, "invalid_request"),
    ({**TEN_PHONES, "lines": [{"sku": "haas_desk_phone", "quantity": 1, "price": 1}]}, "invalid_request"),
    *(
        ({**TEN_PHONES, "ship_to": wrong}, "invalid_request")
        for wrong in ("", "12 Main Street", "ann@example.org", "a\n", "x" * 65, None, 7)
    ),
    ({**TEN_PHONES, "speed": "overnight"}, "invalid_request"),
    ({**TEN_PHONES, "colour": "blue"}, "invalid_request"),
    ({**TEN_PHONES, "lines": [{"sku": "no_such_thing", "quantity": 1}]}, "product_not_found"),
    ({**TEN_PHONES, "lines": [{"sku": "rooms", "quantity": 1}]}, "not_a_device"),
    ({**TEN_PHONES, "lines": [{"sku": "haas_room_kit_large", "quantity": 201}]}, "quantity_out_of_range"),
    ({**TEN_PHONES, "lines": [{"sku": "desk_phone_buy", "quantity": 1}] * 2}, "device_twice"),
]


@pytest.mark.parametrize(("body", "code"), ORDERS)
async def test_an_order_that_is_none_is_refused(customer: Customer, body: Any, code: str) -> None:
    assert problem(await customer.place(body)) == code


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ("amend", {}),
        ("amend", {"ship_to": None}),
        ("amend", {"lines": []}),
        ("amend", {"speed": 1}),
        ("submit", {"now": True}),
        ("cancel", {"reason": "other"}),
        ("report-loss", {}),
        *(("report-loss", {"tracking_number": wrong}) for wrong in ("", "DX473124828PB", "DX47312482", 7, "ünser")),
    ],
)
async def test_a_change_of_an_order_that_is_none_is_refused(customer: Customer, change: str, body: Any) -> None:
    order_id = await customer.placed()
    assert problem(await customer.change(order_id, change, body)) == "invalid_request"


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ("request-return", {"why": "other"}),
        ("return", {}),
        ("return", {"rma": "rma-1", "serial": "SN1"}),
        ("return", {"rma": "", "serial": "SN000000000000"}),
        ("request-replacement", {"serial": "SN000000000000", "reason": "bored", "ship_to": "office-1"}),
        ("request-replacement", {"serial": "sn000000000000", "reason": "defect", "ship_to": "office-1"}),
        ("request-replacement", {"serial": "SN000000000000", "reason": "defect", "ship_to": "1 Main Street"}),
    ],
)
async def test_a_change_of_a_lease_that_is_none_is_refused(customer: Customer, change: str, body: Any) -> None:
    assert problem(await customer.lease(NOBODYS, change, body)) == "invalid_request"


async def test_an_unknown_serial_and_a_return_without_its_number_are_refused(customer: Customer) -> None:
    lease_id = await leased(customer)
    back = {"rma": f"rma-{lease_id}", "serial": "SN000000000000"}
    assert problem(await customer.lease(lease_id, "return", back)) == "return_not_requested"
    wish = {"serial": "SN000000000000", "reason": "defect", "ship_to": "office-1"}
    assert problem(await customer.lease(lease_id, "request-replacement", wish)) == "serial_unknown"
    asked = done(await customer.lease(lease_id, "request-return", {}))["events"][0]["data"]
    assert asked["rma"] == back["rma"]
    assert problem(await customer.lease(lease_id, "return", back)) == "serial_unknown"
    assert problem(await customer.lease(lease_id, "return", {**back, "rma": "rma-1"})) == "rma_unknown"


async def test_a_device_comes_back_with_its_number(customer: Customer) -> None:
    lease_id = await leased(customer)
    done(await customer.lease(lease_id, "request-return", {}))
    orders = await customer.placed(ONE_PHONE)  # its serial is not this one's
    assert orders
    (serial,) = [event["data"]["serial"] for event in await events(customer, f"lease-{lease_id}", "DeviceLeaseStarted")]
    back = {"rma": f"rma-{lease_id}", "serial": serial}
    assert done(await customer.lease(lease_id, "return", back))["events"][0]["data"]["ended_on"] == "2026-06-07"
    assert problem(await customer.lease(lease_id, "return", back)) == "lease_over"


async def events(customer: Customer, stream: str, kind: str) -> list[dict[str, Any]]:
    auditor = customer.issuer.token(sub="auditor", grants={"*": ["Audit:Read"]})
    answer = await customer.devices.get("/events?after=0", headers={"Authorization": f"Bearer {auditor}"})
    lines = [json.loads(line) for line in answer.text.splitlines()][:-1]
    return [line for line in lines if line["stream"] == stream and line["type"] == f"devices.{kind}"]


async def test_an_order_is_amended_once_and_while_it_is_held(customer: Customer) -> None:
    order_id = await customer.placed()
    done(await customer.change(order_id, "amend", {"speed": "express"}))
    assert problem(await customer.change(order_id, "amend", {"ship_to": "office-2"})) == "order_amended_already"
    late = await customer.placed()
    customer.clock.at += timedelta(hours=24)
    for change, body in (("amend", {"speed": "express"}), ("submit", {}), ("cancel", {})):
        assert problem(await customer.change(late, change, body)) == "order_hold_over"


async def test_a_lost_parcel_is_reported_by_its_number(customer: Customer) -> None:
    order_id = await customer.placed(ONE_PHONE)
    await customer.days_go_by(3)
    (sent,) = [event["data"] for event in await events(customer, f"deviceorder-{order_id}", "ShipmentDispatched")]
    report = {"tracking_number": "DX473124829PB"}
    assert problem(await customer.change(order_id, "report-loss", report)) == "shipment_not_found"
    report = {"tracking_number": sent["tracking_number"]}
    assert done(await customer.change(order_id, "report-loss", report))["events"][0]["type"] == "devices.ShipmentLost"
    assert problem(await customer.change(order_id, "report-loss", report)) == "nothing_in_transit"


async def test_who_may_only_look_changes_nothing(customer: Customer) -> None:
    order_id = await customer.placed()
    viewer = customer.as_other(acme=[Privilege.SUBSCRIPTION_READ])
    assert problem(await viewer.place()) == "forbidden"
    assert problem(await viewer.change(order_id, "cancel", {})) == "forbidden"
    assert problem(await viewer.lease(f"{order_id}-1", "request-return", {})) == "forbidden"


async def test_nobody_without_a_token_learns_anything(customer: Customer) -> None:
    nobody = replace(customer, token="nobody")
    for answer in (
        await nobody.place(b"not JSON"),
        await nobody.change(NOBODYS, "cancel", {}),
        await nobody.lease(NOBODYS, "return", {}),
    ):
        assert problem(answer) == "unauthenticated"


def same(first: Answer, second: Answer) -> None:
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert [first.headers[name] for name in ("etag", "billing-position")] == [
        second.headers[name] for name in ("etag", "billing-position")
    ]


async def test_what_is_another_accounts_cannot_be_told_from_what_is_absent(customer: Customer) -> None:
    order_id, lease_id = await customer.placed(), await leased(customer)
    globex = customer.as_other("globex", globex=EDIT)
    headers = {"X_Correlation_Id": "the-same"}
    for change in ORDER_CHANGES:
        body = {"amend": {"ship_to": "a"}, "report-loss": {"tracking_number": "DX473124829PB"}}.get(change, {})
        theirs, absent = [await globex.change(each, change, body, '"0"', **headers) for each in (order_id, NOBODYS)]
        assert problem(theirs) == "order_not_found"
        assert (theirs.headers, theirs.content) == (absent.headers, absent.content)
    theirs, absent = [await globex.lease(each, "request-return", {}, '"0"', **headers) for each in (lease_id, NOBODYS)]
    assert problem(theirs) == "lease_not_found"
    assert (theirs.headers, theirs.content) == (absent.headers, absent.content)
    stranger = customer.as_other("acme", globex=EDIT)
    assert problem(await stranger.place()) == "account_not_found"


async def test_an_account_that_was_never_opened_orders_nothing(customer: Customer) -> None:
    hooli = customer.as_other("hooli", hooli=EDIT)
    assert problem(await hooli.place()) == "account_not_found"


@pytest.mark.parametrize("order_id", ["a%2Fb", "%00", "%20", "ünser", "%ff", "x" * 129, "..", ""])
async def test_an_odd_address_is_not_found(customer: Customer, order_id: str) -> None:
    assert problem(await customer.change(order_id, "cancel", {})) in ("not_found", "order_not_found")
    assert problem(await customer.lease(order_id, "request-return", {})) in ("not_found", "lease_not_found")


async def test_a_command_that_is_none_is_not_found(customer: Customer) -> None:
    order_id = await customer.placed()
    for change in ("place", "hold", "CANCEL", "dispatch"):
        assert problem(await customer.change(order_id, change, {})) == "not_found"


async def test_a_change_names_the_revision_it_was_decided_on(customer: Customer) -> None:
    order_id = await customer.placed()
    assert problem(await customer.change(order_id, "submit", {}, None)) == "revision_required"
    for tag in ('"1"', "0", 'W/"0"', "", '"x"'):
        assert problem(await customer.change(order_id, "submit", {}, tag)) == "revision_stale"
    assert done(await customer.change(order_id, "amend", {"speed": "express"}, '"0"'))["revision"] == 1
    stale = await customer.change(order_id, "submit", {}, '"0"')
    assert (problem(stale), stale.json()["revision"]) == ("revision_stale", 1)
    lease_id = await leased(customer)
    assert problem(await customer.lease(lease_id, "request-return", {}, None)) == "revision_required"
    assert done(await customer.lease(lease_id, "request-return", {}, '"0"'))["revision"] == 1


async def test_a_repeated_key_is_one_fact_whatever_happened_since(customer: Customer) -> None:
    first = await customer.place(**KEY)
    order_id = order_of(done(first))
    cancelled = await customer.change(order_id, "cancel", {}, '"0"', **KEY)
    await customer.days_go_by(2)
    same(first, await customer.place(**KEY))
    same(cancelled, await customer.change(order_id, "cancel", {}, '"0"', **KEY))
    assert problem(await customer.place(ONE_PHONE, **KEY)) == "idempotency_key_reused"
    assert problem(await customer.change(order_id, "submit", {}, **KEY)) == "idempotency_key_reused"
    assert order_of(done(await customer.place(Idempotency_Key="key-2"))) != order_id


@pytest.mark.parametrize("key", ["", "two words", "x" * 129])
async def test_a_key_is_visible_ascii(customer: Customer, key: str) -> None:
    assert problem(await customer.place(Idempotency_Key=key)) == "idempotency_key_invalid"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
members = st.sampled_from(["lines", "ship_to", "speed", "tracking_number", "rma", "serial", "reason", "x"])
nearly = st.sampled_from(
    [[{"sku": "haas_desk_phone", "quantity": 1}], "office-1", "express", "DX473124829PB", "SN000000000000", "defect"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@every(
    st.sampled_from(["", *ORDER_CHANGES, *LEASE_CHANGES]),
    anything | st.dictionaries(members, nearly | anything, max_size=4),
)
async def test_no_body_whatsoever_is_our_mistake(customer: Customer, change: str, body: Any) -> None:
    kind = "leases" if change in LEASE_CHANGES else "device-orders"
    path = f"/{kind}/{await _thrown_at(customer)}/{change}" if change else "/device-orders"
    answer = await customer.send(path, json.dumps(body).encode(), If_Match="*")
    assert answer.status_code in (200, 201) or (problem(answer) and answer.status_code < 500)


async def _thrown_at(customer: Customer) -> str:
    return order_of(done(await customer.place(Idempotency_Key="thrown-at")))
