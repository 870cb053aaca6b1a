"""Every page that links lead to, as every role: nothing that axe finds grave, and nothing wider than the window."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page

from deploy.local.issuer import USERS

from .browser import CHROMIUM
from .sound import axed, in_the_dark_on_a_phone, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium on this machine")

LINKS = "[...document.querySelectorAll('a[href^=\"/\"]')].map((each) => each.getAttribute('href'))"
ONE_OF_MANY = re.compile(r"(?<=/)(plans|buy|device-orders|invoices|events|renewals)/[^/]+")
FILES = (".csv", ".jsonl", ".json")
LONG_MS = 90_000  # What if works for some seconds, and much longer on a machine with much to do
ALL_SEEN = "olive"  # who may see and do all there is; colours and widths do not depend on who looks
# What is reached by a form, and the past; a page of each kind is enough.
ASKED = ("what-if?months=1", "compare?first=2026-02-15&second=2026-05-19", "payment-history?q=nothing-like-this")
PAST = ("plan-management", "device-management", "billing-management", "payment-history", "history")


def kind(link: str) -> tuple[str, frozenset[str]]:
    """Pages that differ in what they show alone are of one kind; so are the parts of a long list."""
    address = urlsplit(link)
    path = re.sub(r"^/a/[^/]+", "", ONE_OF_MANY.sub(r"\1/*", address.path))
    return path, frozenset(name for name, _ in parse_qsl(address.query)) - {"before"}


def every_page(page: Page, start: list[str]) -> Iterator[str]:
    """Opens those to start with, and from there a page of each kind that links of the present lead to."""
    to_open, known = list(start), set(map(kind, start))
    while to_open:
        link = to_open.pop(0)
        answer = page.goto(link, timeout=LONG_MS)
        assert answer
        assert answer.status < 500, link
        yield link
        for each in page.evaluate(LINKS):
            leads = kind(each)
            if leads not in known and "as_of" not in leads[1] and not urlsplit(each).path.endswith(FILES):
                known.add(leads)
                to_open.append(each)


@pytest.mark.parametrize("user", USERS)
def test_every_page_is_sound_as_every_role(visits: Any, user: str) -> None:
    page = visits(user)
    account = next((each for each in USERS[user].grants if each != "*"), None)
    start = ["/plan-management"] if account else ["/plan-management", "/events"]
    if account:
        start += [f"/a/{account}/{each}" for each in ASKED]
        start += [f"/a/{account}/{each}?as_of=2026-05-19" for each in PAST]
    seen = set()
    for link in every_page(page, start):
        seen.add(kind(link)[0])
        opened(page)
        axed(page)
        if user == ALL_SEEN:
            in_the_dark_on_a_phone(page)
    assert len(seen) >= (12 if account else 3), seen
