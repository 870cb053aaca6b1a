"""What every page must be: readable for everybody, as far as axe can tell, and no wider than the window."""

from pathlib import Path

from playwright.sync_api import Page

from .browser import DESKTOP, PHONE

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
GRAVE = ("serious", "critical")
# Menus lie over the page, so they stay shut.
OPENED = "document.querySelectorAll('main details:not(.menu)').forEach((each) => { each.open = true; })"


def fits(page: Page) -> None:
    page.wait_for_function("document.documentElement")  # a page that has just come may have nothing yet
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} is too wide"


def axed(page: Page) -> None:
    """Nothing that axe finds grave, and nothing wider than the window."""
    fits(page)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    grave = [(each["id"], each["nodes"][0]["html"]) for each in found["violations"] if each["impact"] in GRAVE]
    assert not grave, f"{page.url}: {grave}"


def opened(page: Page) -> None:
    """Everything that can be expanded is."""
    page.evaluate(OPENED)


def in_the_dark_on_a_phone(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    axed(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
