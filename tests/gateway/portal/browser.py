"""Debian's Chromium, driven by Playwright, with nobody to talk to but this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The sandbox needs what a container may not have. Names are looked up nowhere.
        args = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        browser.close()


class Visitor:
    """A person with a browser of their own. elsewhere: addresses beyond this machine that a page asked for."""

    def __init__(self, browser: Browser, url: str, size: tuple[int, int] = DESKTOP, **options: object) -> None:
        self.url, self.elsewhere, self.errors = url, list[str](), list[str]()
        viewport = {"width": size[0], "height": size[1]}
        self.context: BrowserContext = browser.new_context(viewport=viewport, base_url=url, **options)  # type: ignore[arg-type]
        self.context.route("**/*", self._only_here)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _only_here(self, route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1:", "http://localhost:")):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def sign_in(self, user: str, page: str = "/plan-management") -> None:
        self.page.goto(page)
        self.page.locator(f"button[value={user}]").click()
        self.page.wait_for_url(f"{self.url}/**")

    def close(self) -> None:
        self.context.close()
