"""One whole portal for all tests of this folder that ask for it, and a browser for those of a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.portal import Portal

from .browser import DESKTOP, Visitor, chromium


@pytest.fixture(scope="package")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with Portal(tmp_path_factory.mktemp("portal") / "data") as portal:
        yield portal


@pytest.fixture(scope="module")  # no longer: while it is there, its loop runs, and no test that is a coroutine can
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visits(portal: Portal, browser: Browser) -> Iterator[Any]:
    """Makes visitors; in the end, none of their pages may have failed or asked for anything beyond this machine."""
    here: list[Visitor] = []

    def visit(user: str, size: tuple[int, int] = DESKTOP, page: str = "/plan-management", **options: Any) -> Page:
        visitor = Visitor(browser, portal.url(), size, locale="en-US", reduced_motion="reduce", **options)
        here.append(visitor)
        visitor.sign_in(user, page)
        return visitor.page

    yield visit
    for visitor in here:
        visitor.close()
        assert not visitor.elsewhere
        # A browser counts an answer of 409 among its errors.
        assert not [error for error in visitor.errors if "409" not in error]
