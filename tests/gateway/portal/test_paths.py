"""Paths a person walks through the portal in a browser, beyond the questions of the FAQ."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.portal import Portal

from .browser import CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium on this machine")

SCRIPT = "<script>alert(1)</script>"
SUBMITTED = """() => {
  document.querySelector("form.wondering").requestSubmit();
  const part = document.getElementById("what-if");
  return [part.getAttribute("aria-busy"), part.querySelector("progress").checkVisibility()];
}"""


def forward(portal: Portal, hours: int) -> None:
    """The clock of the whole portal is so much later."""
    clock, otto = f"{portal.url()}/api/v1/clock", {"Authorization": f"Bearer {portal.token('otto')}"}
    portal.http.post(clock, headers=otto, json={"forward": f"{hours}h"}).raise_for_status()
    portal.until(lambda: portal.http.get(clock, headers=otto).json()["moving_to"] is None)


def at_billing(page: Page) -> Page:
    page.goto("/a/acme/billing-management")
    return page


def test_a_contact_is_entered_and_what_looks_like_a_script_is_its_name(visits: Any) -> None:
    page = at_billing(visits("olive"))
    page.get_by_text("Change Sold to").click()
    form = page.locator("#contact-sold_to form")
    for label, text in (
        ("Name", SCRIPT),
        ("Mail", "a@b.example"),
        ("Street", "2 Side Street"),
        ("Postal code", "1010"),
    ):
        form.get_by_label(label, exact=True).fill(text)
    form.get_by_label("City").fill("Vienna")
    form.get_by_label("Country").fill("AT")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The contact is changed.")).to_be_visible()
    expect(page.locator("address", has_text="Vienna")).to_contain_text(SCRIPT)
    page.get_by_text("Change Sold to").click()
    for field in form.locator("input:not([type=hidden])").all():
        field.fill("")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The contact is removed")).to_be_visible()
    expect(page.locator("address", has_text="Vienna")).to_have_count(0)


def test_a_role_is_given_and_taken_away(visits: Any) -> None:
    page = at_billing(visits("olive"))
    roles = page.get_by_role("region", name="Roles")
    for role, said in (("viewer", "The role is given"), ("", "The role is taken away")):
        roles.get_by_label("Person").fill("user-wilma")
        roles.get_by_label("Role").select_option(role)
        roles.get_by_role("button", name="Set").click()
        expect(page.get_by_text(said)).to_be_visible()
        expect(roles.get_by_role("row", name="user-wilma")).to_have_count(1 if role else 0)


def test_history_is_narrowed_to_a_plan_opened_and_taken_home(visits: Any, tmp_path: Path) -> None:
    page = visits("aude")
    page.get_by_role("article", name="Workplace Business").get_by_text("Details").click()
    page.get_by_role("article", name="Workplace Business").get_by_role("link", name="History of this plan").click()
    entries = page.locator("#history > li")
    expect(entries.first).to_be_visible()
    expect(entries.last).to_contain_text("Plan started: 10 × Workplace Business")
    entries.last.locator("summary").click()
    expect(entries.last).to_contain_text("Takes effect on")
    entries.last.get_by_role("link", name="plans.PlanStarted").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("PlanStarted")
    page.go_back()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export (CSV)").click()
    download.value.save_as(tmp_path / "history.csv")
    assert "Plan started: 10 × Workplace Business" in (tmp_path / "history.csv").read_text()
    page.get_by_label("About").fill("nothing-like-this")
    page.get_by_role("button", name="Show", exact=True).last.click()
    expect(page.get_by_text("Nothing has happened to it.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(entries).to_have_count(50)


def test_what_if_shows_that_it_works_and_then_what_would_come(visits: Any) -> None:
    page = visits("olive")
    page.get_by_role("link", name="What if …").click()
    page.get_by_label("What if I change").select_option(label="New plan: Workplace Pro, monthly")
    page.get_by_label("Quantity").fill("2")
    page.get_by_label("Look ahead").select_option("1")
    # Asked in one go, for the page is another one as soon as the answer is there.
    assert page.evaluate(SUBMITTED) == ["true", True]
    expect(page.get_by_role("row", name="In sum, taxes included")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_what_one_does_is_shown_in_another_tab_that_keeps_what_is_typed(visits: Any) -> None:
    page = visits("olive")
    page.get_by_role("link", name="Manage Phone US Unlimited").click()
    typing = page.context.new_page()
    typing.goto(page.url)
    typing.get_by_label("Person").fill("person-still-being-typed")
    person = page.get_by_label("Person")
    used = page.locator("#plan .facts")
    expect(used).to_contain_text("0 of ")
    person.fill("person-1")
    page.get_by_role("button", name="Assign a licence").click()
    expect(page.get_by_text("The licence is assigned.")).to_be_visible()
    expect(typing.get_by_role("status")).to_contain_text("something has just changed")
    expect(typing.locator("#plan .facts")).to_contain_text("1 of ")
    expect(typing.get_by_label("Person")).to_have_value("person-still-being-typed")
    expect(typing.get_by_label("Person")).to_be_focused()


def test_a_rented_device_is_replaced_and_another_one_returned(visits: Any) -> None:
    page = visits("olive", page="/device-management")
    leases = page.locator("#leases tbody tr")
    expect(leases.first).to_be_visible()
    serials = [text.strip() for text in page.locator("#leases tbody td:nth-child(2)").all_inner_texts()]
    broken, unwanted = (page.get_by_role("row", name=serial) for serial in serials[:2])
    broken.get_by_text("Replace").click()
    broken.get_by_label("Why?").select_option(label="It does not work")
    expect(broken.get_by_label("Ship to")).to_have_value("office-1")
    broken.get_by_role("button", name="Ask for another one").click()
    expect(page.get_by_text("A replacement is on its way to you soon.")).to_be_visible()
    expect(broken.get_by_role("button", name="Return")).to_have_count(0)
    unwanted.get_by_role("button", name="Return").click()
    expect(page.get_by_text("The return is registered.")).to_be_visible()
    expect(unwanted).to_contain_text(re.compile(r"Under .+ by "))


def test_an_order_on_hold_is_counted_down_by_the_clock_of_the_portal_and_changed_once(
    visits: Any, portal: Portal
) -> None:
    page = visits("olive", page="/a/acme/order-devices")
    page.get_by_label("Room Kit, small, rented").fill("1")
    page.get_by_label("Ship to").fill("office-2")
    page.get_by_role("button", name="Place Order").click()
    order = page.locator("#orders article", has_text="On hold").first
    expect(order).to_contain_text("About 24 hours left.")
    forward(portal, 5)
    page.reload()
    expect(order).to_contain_text("About 19 hours left.")
    order.get_by_role("link", name="Open").click()
    change = page.get_by_role("region", name="Change the order")
    change.get_by_label("Shipping").select_option("express")
    change.get_by_role("button", name="Change the order").click()
    expect(page.get_by_text("The order is changed.")).to_be_visible()
    expect(page.get_by_role("row", name="Express Shipping")).to_be_visible()
    expect(change.get_by_role("button")).to_have_count(0)
    forward(portal, 20)
    page.reload()
    expect(page.locator("#order")).to_contain_text("Shipped")
