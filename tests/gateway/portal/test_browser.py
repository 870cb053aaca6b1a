"""The questions of the FAQ, answered in a real browser on a whole portal: as three roles, on a desk and on a phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.portal import Portal

from .browser import CHROMIUM, DESKTOP, PHONE
from .sound import axed, fits

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium on this machine")


def charged(portal: Portal, user: str, account_id: str, name: str, quantity: int) -> str:
    """What the API says the plan of that name costs now with so many licences."""
    account, token = f"{portal.url()}/api/v1/accounts/{account_id}", {"Authorization": f"Bearer {portal.token(user)}"}
    cards = portal.http.get(f"{account}/product-cards", headers=token).raise_for_status().json()["cards"]
    (bundle_id,) = (card["bundle_id"] for card in cards if card["name"] == name)
    quoted = portal.http.post(f"{account}/plans/{bundle_id}/quotes/edit", headers=token, json={"quantity": quantity})
    return f"${quoted.raise_for_status().json()['total_minor'] / 100:,.2f}"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("user", ["olive", "victor", "aude"])
def test_every_question_of_the_faq(visits: Any, user: str, size: tuple[int, int]) -> None:
    page: Page = visits(user, size, "/pending-plans")
    may_edit = user == "olive"

    # Where can I find the billing portal?
    expect(page.get_by_text("Pending Plans is part of Plan Management now")).to_be_visible()
    fits(page)
    if size == PHONE:
        page.locator("details.only-phone > summary").click()
    menu = page.get_by_role("navigation")
    expect(menu.get_by_text("Admin", exact=True)).to_be_visible()
    expect(menu.get_by_role("link")).to_have_text(
        ["Plan Management", "Device Management", "Billing Management", "Payment History", "History"]
    )
    if size == PHONE:
        page.keyboard.press("Escape")
    page.locator("details.profile > summary").click()
    fits(page)
    page.locator("details.profile").get_by_role("link", name="Device Management").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Device Management")
    fits(page)

    # What new features can I find on my product cards?
    page.goto("/plan-management")
    card = page.get_by_role("article", name="Workplace Business")
    expect(card.get_by_text("Licences used")).to_be_visible()
    expect(card.get_by_text("Unit price")).to_be_hidden()
    card.get_by_text("Details").click()
    expect(card.get_by_text("Unit price")).to_be_visible()
    expect(card.get_by_role("rowheader", name="Large Meeting 500")).to_be_visible()
    fits(page)

    # How can I see my next renewal amount?
    page.get_by_role("link", name="View the Annual renewal").click()
    expect(page.get_by_role("row", name="Workplace Business")).to_be_visible()
    fits(page)

    # How can I buy additional products or capacities?
    page.goto("/plan-management")
    offer = page.locator(".offer", has=page.get_by_role("heading", name="Large Meeting 1000"))
    if may_edit:
        offer.get_by_role("link", name="Buy").click()
        expect(page.locator(".net dd")).to_have_text(re.compile(r"\$\d"))
        fits(page)
    else:
        expect(offer.get_by_role("button", name="Buy")).to_be_disabled()
        expect(offer.get_by_text("You lack the privilege this needs")).to_be_visible()

    # How can I edit a plan? How can I cancel it?
    for name in ("Edit Plan", "Cancel Plan"):
        page.goto("/plan-management")
        page.get_by_role("link", name="Manage Workplace Business").click()
        fits(page)
        if may_edit:
            page.get_by_role("link", name=name).click()
            expect(page.get_by_role("button", name="Place Order" if name == "Edit Plan" else name)).to_be_visible()
            fits(page)
        else:
            expect(page.get_by_role("button", name=name)).to_be_disabled()

    for path in ("payment-history", "billing-management", "history", "order-devices"):
        page.goto(f"/a/acme/{path}")
        fits(page)
    for path in ("/events", "/events/plans.PriceBookPublished"):
        page.goto(path)
        fits(page)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_page_is_seen_as_it_was_and_an_amount_says_why(visits: Any, size: tuple[int, int]) -> None:
    page = visits("olive", size)
    page.locator("details.when > summary").click()
    axed(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    page.wait_for_url("**as_of=*")
    banner = page.get_by_role("region", name="This is the past")
    expect(banner).to_contain_text("Nothing can be done here.")
    expect(page.get_by_role("link", name="Buy")).to_have_count(0)
    page.get_by_label("The end of").fill("2026-04-15")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**as_of=2026-04-15")
    axed(page)
    page.locator("details.why > summary").first.click()
    axed(page)
    page.locator("details.why[open] a").first.click()
    page.wait_for_url("**/history?as_of=2026-04-15&before=**")
    expect(page.locator("#history > li").first).to_contain_text("onthly renewal on")
    page.get_by_role("link", name="Back to now").click()
    page.goto("/a/acme/compare?first=2026-02-15&second=2026-05-19")
    axed(page)
    expect(page.get_by_text("Phone US Unlimited").first).to_be_visible()


def test_a_page_is_seen_as_it_was_without_javascript(visits: Any) -> None:
    page = visits("olive", java_script_enabled=False)
    page.goto("/a/acme/payment-history?status=collected")
    page.locator("details.when > summary").click()
    page.get_by_label("The end of").fill("2026-03-01")
    page.locator("details.when").get_by_role("button", name="Show").click()
    page.wait_for_url("**/payment-history?status=collected&as_of=2026-03-01")
    expect(page.get_by_text("This is how it was")).to_be_visible()
    page.get_by_role("link", name="Back to now").click()
    page.wait_for_url("**/payment-history?status=collected")


def test_an_order_is_quoted_while_one_types_and_placed(visits: Any, portal: Portal) -> None:
    page: Page = visits("olive")
    thirteen, fourteen = (charged(portal, "olive", "acme", "Workplace Business", quantity) for quantity in (13, 14))
    page.get_by_role("link", name="Manage Workplace Business").click()
    page.get_by_role("link", name="Edit Plan").click()
    expect(page.get_by_role("button", name="Place Order")).to_be_disabled()
    page.get_by_label("Quantity").fill("14")
    expect(page.locator(".net dd")).to_have_text(fourteen)
    page.get_by_label("Quantity").fill("9000")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Quantity").fill("13")
    expect(page.locator(".net dd")).to_have_text(thirteen)
    page.get_by_role("button", name="Place Order").click()
    expect(page.get_by_text("Your order is placed")).to_be_visible()
    expect(page.locator("#plan .facts")).to_contain_text("of 13")


def test_an_order_is_placed_without_javascript(visits: Any, portal: Portal) -> None:
    page: Page = visits("olive", PHONE, java_script_enabled=False)
    page.get_by_role("link", name="Manage Rooms").click()
    page.get_by_role("link", name="Edit Plan").click()
    page.get_by_label("Quantity").fill("3")
    page.get_by_role("button", name="Update the summary").click()
    expect(page.locator(".net dd")).to_have_text(charged(portal, "olive", "acme", "Rooms", 3))
    page.get_by_role("button", name="Place Order").click()
    expect(page.get_by_text("Your order is placed")).to_be_visible()
    expect(page.locator("#plan .facts")).to_contain_text("of 3")


def test_of_two_who_edit_one_plan_the_second_sees_what_the_first_did(visits: Any) -> None:
    mia: Page = visits("mia", page="/a/acme/plan-management")
    olive: Page = visits("olive")
    watching = mia.context.new_page()
    watching.goto("/a/acme/plan-management")
    card = watching.get_by_role("article", name="Webinar 500")
    card.get_by_text("Details").click()
    for page, button in ((mia, "Reinstate Plan"), (olive, "Reinstate Plan")):
        page.get_by_role("link", name="Manage Webinar 500").click()
        page.get_by_role("link", name=button).click()
    olive.get_by_role("button", name="Reinstate Plan").click()
    expect(olive.get_by_text("The plan is reinstated")).to_be_visible()
    # A page that stands open shows it by itself, and what was expanded stays so.
    expect(card.get_by_text("Active")).to_be_visible()
    expect(card.get_by_text("Unit price")).to_be_visible()
    mia.get_by_role("button", name="Reinstate Plan").click()
    expect(mia.get_by_role("alert")).to_contain_text("The plan is not cancelled")
    # Both ask for another quantity: the second quote is stale.
    plan = olive.url.partition("?")[0]
    mia.goto(f"{plan}/edit?quantity=3")
    olive.goto(f"{plan}/edit?quantity=2")
    olive.get_by_role("button", name="Place Order").click()
    expect(olive.get_by_text("Your order is placed")).to_be_visible()
    mia.get_by_role("button", name="Place Order").click()
    expect(mia.locator("#order-summary")).to_contain_text("Webinar 500: 1 → 2")
    mia.get_by_role("button", name="Place Order").click()
    expect(mia.locator("#plan .facts")).to_contain_text("of 3")


def test_an_order_is_placed_while_the_broker_stands_still(visits: Any, portal: Portal) -> None:
    page: Page = visits("nora")
    page.get_by_role("link", name="Manage Workplace Pro").click()
    page.get_by_role("link", name="Edit Plan").click()
    page.get_by_label("Quantity").fill("4")
    expect(page.locator(".net dd")).to_have_text(charged(portal, "nora", "globex", "Workplace Pro", 4))
    portal.pause("broker")
    try:
        page.get_by_role("button", name="Place Order").click()
        expect(page.locator("#plan .facts")).to_contain_text("of 4", timeout=20_000)
    finally:
        portal.resume("broker")


def test_an_account_is_chosen_by_who_has_several_and_signing_out_ends_it(visits: Any) -> None:
    page: Page = visits("mia")
    page.get_by_role("link", name="globex").click()
    expect(page.get_by_role("article", name="Workplace Pro")).to_be_visible()
    page.locator("details.profile > summary").click()
    page.get_by_role("link", name="acme").click()
    expect(page.get_by_role("article", name="Workplace Business")).to_be_visible()
    page.locator("details.profile > summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    page.goto("/a/acme/plan-management")
    expect(page.get_by_text("Who are you today?")).to_be_visible()
