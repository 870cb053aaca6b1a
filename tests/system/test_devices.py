"""Devices through the whole portal: ordered at the gateway by plans a moment old, seen there, kept over a kill."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.portal import Portal

ACCOUNT = "/api/v1/accounts/acme"
TEN_PHONES = {"lines": [{"sku": "haas_desk_phone", "quantity": 10}], "ship_to": "office-1", "speed": "express"}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with Portal(Path(tmp_path_factory.mktemp("devices")) / "data") as portal:
        yield portal


def ask(portal: Portal, method: str, path: str, body: Any = None, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {portal.token('olive')}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return portal.http.request(method, f"{portal.url()}{ACCOUNT}{path}", json=body, headers=sent)


def test_an_order_is_placed_amended_and_submitted_and_outlives_a_kill(portal: Portal) -> None:
    placed = ask(portal, "POST", "/device-orders", TEN_PHONES, Idempotency_Key="order-1")
    assert placed.status_code == 201, placed.text
    order_id = placed.json()["stream"].removeprefix("deviceorder-")
    path = f"/device-orders/{order_id}"
    seen = ask(portal, "GET", f"{path}?min_position={placed.json()['position']}")
    assert (seen.json()["status"], seen.json()["monthly_minor"]) == ("hold", 5990)
    for part in ("devices", "broker"):
        portal.until_back(part, portal.kill(part))
    again = ask(portal, "POST", "/device-orders", TEN_PHONES, Idempotency_Key="order-1")
    assert (again.status_code, again.content) == (201, placed.content)
    wish = {"lines": [{"sku": "haas_desk_phone", "quantity": 9}]}
    amended = ask(portal, "POST", f"{path}/amend", wish, If_Match=seen.headers["etag"])
    assert amended.status_code == 200, amended.text
    submitted = ask(portal, "POST", f"{path}/submit", {}, If_Match=amended.headers["etag"])
    assert submitted.status_code == 200, submitted.text
    assert submitted.json()["events"][0]["data"]["money"]["net_minor"] == 2500

    def shipped() -> bool:  # express goes out the same day, by itself
        order = ask(portal, "GET", f"{path}?min_position={submitted.json()['position']}").json()
        return order.get("status") == "shipped" and order["units_in_transit"] == 9

    portal.until(shipped)
    leases = ask(portal, "GET", "/leases").json()["leases"]
    assert order_id not in {lease["order_id"] for lease in leases}, "nothing of it has arrived yet"
    stranger = portal.http.get(
        f"{portal.url()}{ACCOUNT}{path}", headers={"Authorization": f"Bearer {portal.token('nora')}"}
    )
    assert (stranger.status_code, stranger.json()["code"]) == (404, "account_not_found")


def test_rented_devices_are_as_many_as_the_licences_allow(portal: Portal) -> None:
    too_many = {**TEN_PHONES, "lines": [{"sku": "haas_room_kit_large", "quantity": 7}]}
    refused = ask(portal, "POST", "/device-orders", too_many)
    assert (refused.status_code, refused.json()["code"], refused.json()["licences"]) == (409, "device_ratio", 2)
