"""Time passes for the whole portal at once: what is due in between happens in order, and everything it leads to."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.portal import Portal

ACME = "/api/v1/accounts/acme"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    with Portal(tmp_path / "data", "--no-demo") as running:
        yield running


class Customer:
    """acme's owner, under a clock that this test moves. The token of a part of acme is olive's."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        book = (Path(__file__).parents[2] / "deploy/local/price_book_v1.json").read_bytes()
        self.ask("PUT", "/api/v1/catalogue/standard/versions/1", content=book, user="seller")
        self.ask("PUT", ACME, json={"currency": "USD", "time_zone": "America/New_York"})

    def ask(self, method: str, path: str, user: str = "olive", **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.portal.token(user)}", "If-Match": "*"}
        answer = self.portal.http.request(method, f"{self.portal.url()}{path}", headers=headers, **body)
        answer.raise_for_status()
        return answer.json()

    def start(self, sku: str, quantity: int, cycle: str = "monthly") -> str:
        answer = self.ask("POST", f"{ACME}/plans", json={"sku": sku, "quantity": quantity, "cycle": cycle})
        return str(answer["stream"]).removeprefix("plan-")

    def forward(self, to: str, meanwhile: Callable[[], object] | None = None) -> int:
        """At how many instants something was due on the way. meanwhile: done once, after the first of them."""
        headers = {"Authorization": f"Bearer {self.portal.token('otto')}"}
        clock = f"{self.portal.url()}/api/v1/clock"
        wish = {"forward" if to[-1] in "dhm" else "to": to}
        view = self.portal.http.post(clock, json=wish, headers=headers).raise_for_status().json()
        while view["moving_to"]:
            if meanwhile and view["steps"]:
                meanwhile()
                meanwhile = None
            view = self.portal.http.get(clock, headers=headers).raise_for_status().json()
        assert view["reason"] is None
        steps: int = view["steps"]
        return steps

    def read(self, what: str) -> Any:
        """Once everything that is recorded is shown."""
        self.ask("GET", f"{ACME}/product-cards?min_position=plans:{self._head('plans')}")
        mark = "&" if "?" in what else "?"
        return self.ask("GET", f"{ACME}/{what}{mark}min_position=renewals:{self._head('renewals')}")

    def read_devices(self, what: str) -> Any:
        self.ask("GET", f"{ACME}/product-cards?min_position=plans:{self._head('plans')}")
        return self.ask("GET", f"{ACME}/{what}?min_position=devices:{self._head('devices')}")

    def _head(self, owner: str) -> int:
        feed = {"Authorization": f"Bearer {self.portal.auditor()}"}
        position: int = self.portal.http.get(f"{self.portal.url(owner)}/events/head", headers=feed).json()["position"]
        return position

    def billing(self, *words: str) -> str:
        """What the operator's command prints. Raises CalledProcessError when it ends with a failure."""
        command = [sys.executable, "-m", "services.cli", *words, "--data-dir", str(self.portal.data_dir)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def invoices(self) -> list[dict[str, Any]]:
        """The oldest first."""
        found: list[dict[str, Any]] = self.read("invoices")["invoices"]
        return found[::-1]


@pytest.fixture
def customer(portal: Portal) -> Customer:
    customer = Customer(portal)
    customer.forward("2030-01-31T12:00Z")
    return customer


def test_a_quarter_of_renewals_is_invoiced_and_paid_on_the_day(customer: Customer) -> None:
    plan = customer.start("workplace_pro", 5)
    customer.ask("POST", f"{ACME}/plans/{plan}/edit", json={"quantity": 3})
    assert customer.forward("2030-04-30T12:00Z") == 4  # a week before the reduction it is looked at too
    shown = [(each["issued_on"], each["total_minor"], each["status"]) for each in customer.invoices()]
    assert shown == [
        ("2030-01-31", 5 * 1699, "collected"),
        ("2030-02-28", 3 * 1699, "collected"),  # the reduction took effect
        ("2030-03-31", 3 * 1699, "collected"),
        ("2030-04-30", 3 * 1699, "collected"),
    ]
    assert [each["number"] for each in customer.invoices()] == [1, 2, 3, 4]
    (card,) = customer.read("product-cards")["cards"]
    assert (card["term"], card["licences"]["total"]) == ({"start": "2030-04-30", "end": "2030-05-31"}, 3)
    assert customer.read("plan-summary")["monthly"]["next"]["due_on"] == "2030-05-31"


def test_an_edit_of_a_later_day_and_another_cycle_are_invoiced_on_their_days(customer: Customer) -> None:
    plan = customer.start("workplace_pro", 5)
    change = f"{ACME}/plans/{plan}"
    customer.ask("POST", f"{change}/edit", json={"quantity": 8, "effective_on": "2030-02-10"})
    (coming, *_) = customer.read("upcoming-charges")["charges"]
    assert (coming["kind"], coming["due_on"], coming["amount_minor"]) == ("edit", "2030-02-10", 3277)
    quote = customer.ask("POST", f"{change}/quotes/change-cycle", json={"cycle": "annual", "discard_pending": True})
    assert quote["events"] == ["PlanEditDiscarded", "PlanCycleChanged"]
    customer.forward("2030-02-14T12:00Z")
    (card,) = customer.read("product-cards")["cards"]
    assert (card["licences"]["total"], card["pending_changes"]) == (8, [])
    customer.ask("POST", f"{change}/change-cycle", json={"cycle": "annual"})
    customer.forward("2031-02-14T12:00Z")
    shown = [(each["issued_on"], each["total_minor"], each["kind"]) for each in customer.invoices()]
    rest_of_february = -6796  # 14 of 28 days of 8 × 1699, given back
    assert shown == [
        ("2030-01-31", 5 * 1699, "change"),
        ("2030-02-10", 3277, "change"),  # the first worked example, a few days early
        ("2030-02-14", 8 * 15990 + rest_of_february, "change"),
        ("2031-02-14", 8 * 15990, "renewal"),
    ]
    assert customer.read("plan-summary")["annual"]["next"]["due_on"] == "2032-02-14"
    assert customer.billing("reconcile")


def test_a_reduction_that_will_fail_is_warned_of_and_fails(customer: Customer) -> None:
    plan = customer.start("workplace_pro", 2)
    customer.ask("POST", f"{ACME}/plans/{plan}/edit", json={"quantity": 1})
    for person in ("ann", "bob"):
        customer.ask("POST", f"{ACME}/plans/{plan}/assign-licence", json={"assignee": person})
    (card,) = customer.read("product-cards")["cards"]
    assert card["pending_changes"][0]["at_risk"]
    customer.forward("2030-03-01T12:00Z")
    said = [each["said"] for each in customer.ask("GET", f"{ACME}/history?limit=200")["entries"]]
    assert "The reduction to 1 on 2030-02-28 will fail: 2 licences are assigned" in said
    assert "Pending change discarded: licences assigned" in said
    assert customer.invoices()[-1]["total_minor"] == 2 * 1699


def test_two_plans_of_one_day_are_one_invoice_and_a_cancelled_one_ends(customer: Customer) -> None:
    pro, rooms = customer.start("workplace_pro", 2), customer.start("rooms", 1)
    webinar = customer.start("webinar_500", 1)
    customer.ask("POST", f"{ACME}/plans/{webinar}/cancel", json={"reason": "not_needed_now"})
    customer.forward("30d")
    renewal = customer.invoices()[-1]
    assert (renewal["kind"], renewal["total_minor"]) == ("renewal", 2 * 1699 + 4900)
    one = customer.read(f"invoices/{renewal['invoice_id']}")
    assert {line["bundle_id"] for line in one["lines"]} == {pro, rooms}
    cards = {card["bundle_id"]: card["status"] for card in customer.read("product-cards")["cards"]}
    assert cards == {pro: "active", rooms: "active", webinar: "ended"}


def test_who_never_pays_is_reminded_held_suspended_and_lapses(customer: Customer) -> None:
    """DOMAIN B16, B5: days 0, 2, 7, 14 and 21; then the plan lapses and only what was served is owed."""
    customer.ask("PUT", f"{ACME}/payment-method", json={"token": "card-declined"})
    plan = customer.start("workplace_pro", 5)
    customer.forward("1h")
    (card,) = customer.read("product-cards")["cards"]
    assert card["allowed_actions"]["edit_plan"]["allowed"], "it was tried once, and is tried again first"
    customer.forward("2d")
    (card,) = customer.read("product-cards")["cards"]
    assert card["allowed_actions"]["edit_plan"]["reason"] == "unpaid_invoices"
    assert card["allowed_actions"]["cancel_plan"]["allowed"]
    customer.forward("30d")
    (invoice,) = customer.invoices()
    assert invoice["status"] == "uncollectible"
    assert invoice["remains_minor"] == (5 * 1699 * 21 * 2 + 28) // 56  # 21 of 28 days, half up
    one = customer.read(f"invoices/{invoice['invoice_id']}")
    assert [each["on"] for each in one["payments"]] == [
        "2030-01-31",
        "2030-02-02",
        "2030-02-07",
        "2030-02-14",
        "2030-02-21",
    ]
    (card,) = customer.read("product-cards")["cards"]
    assert (card["bundle_id"], card["status"]) == (plan, "ended")
    # What is owed can still be paid, and then the account may buy again.
    customer.ask("PUT", f"{ACME}/payment-method", json={"token": "card-good"})
    customer.forward("1h")
    customer.ask("POST", f"{ACME}/invoices/{invoice['invoice_id']}/pay", json={})
    customer.forward("1h")
    assert customer.invoices()[0]["remains_minor"] == 0
    customer.start("workplace_pro", 1)


def test_a_payment_that_succeeds_at_the_third_try_lifts_the_hold(customer: Customer) -> None:
    customer.ask("PUT", f"{ACME}/payment-method", json={"token": "card-flaky"})
    customer.start("workplace_pro", 5)
    customer.forward("8d")
    (invoice,) = customer.invoices()
    assert invoice["status"] == "collected"
    one = customer.read(f"invoices/{invoice['invoice_id']}")
    assert [(each["on"], each["outcome"]) for each in one["payments"]] == [
        ("2030-01-31", "failed"),
        ("2030-02-02", "failed"),
        ("2030-02-07", "succeeded"),
    ]
    (card,) = customer.read("product-cards")["cards"]
    assert card["allowed_actions"]["edit_plan"]["allowed"]


def test_time_does_not_run_backwards(customer: Customer) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        customer.forward("2029-01-01")


@pytest.mark.parametrize("part", ["plans", "renewals"])
def test_a_part_that_is_killed_on_the_way_changes_nothing(customer: Customer, part: str) -> None:
    customer.start("workplace_pro", 5)
    customer.forward("100d", meanwhile=lambda: customer.portal.kill(part))
    shown = [(each["issued_on"], each["total_minor"], each["status"]) for each in customer.invoices()]
    assert shown == [
        ("2030-01-31", 8495, "collected"),
        ("2030-02-28", 8495, "collected"),
        ("2030-03-31", 8495, "collected"),
        ("2030-04-30", 8495, "collected"),
    ]


def test_ten_phones_are_ordered_shipped_in_two_parcels_leased_and_invoiced(customer: Customer) -> None:
    customer.start("phone_us_unlimited", 8)
    wish = {"lines": [{"sku": "haas_desk_phone", "quantity": 10}, {"sku": "desk_phone_buy", "quantity": 1}]}
    placed = customer.ask("POST", f"{ACME}/device-orders", json={**wish, "ship_to": "office-1"})
    path = f"device-orders/{placed['stream'].removeprefix('deviceorder-')}"
    customer.forward("132h")
    order = customer.read_devices(path)
    assert (order["status"], order["units_delivered"], order["units_in_transit"]) == ("shipped", 6, 5)
    assert len(customer.read_devices("leases")["leases"]) == 6
    customer.forward("1d")
    assert customer.read_devices(path)["status"] == "delivered"
    leases = customer.read_devices("leases")["leases"]
    assert len({lease["serial"] for lease in leases}) == 10
    totals = [invoice["total_minor"] for invoice in customer.invoices()]
    assert totals == [8 * 1500, 8900, 6 * 599, 4 * 599]
    customer.forward("31d", meanwhile=lambda: customer.portal.kill("renewals"))
    totals = [invoice["total_minor"] for invoice in customer.invoices()]
    assert totals[4:] == [8 * 1500, 6 * 599, 4 * 599], "the second month of every phone, on the day it begins"
    customer.forward("365d")
    report = json.loads(customer.billing("reconcile", "--json"))
    (account,) = report["accounts"]
    assert (account["account"], account["troubles"], report["first"]) == ("acme", [], None)
    assert account["charged"] == account["paid"] == sum(each["total_minor"] for each in customer.invoices())
    assert "All 1 accounts reconcile" in customer.billing("reconcile", "--account", "acme")
