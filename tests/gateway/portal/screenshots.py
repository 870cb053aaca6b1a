"""`python -m tests.gateway.portal.screenshots URL FOLDER`: the README's pictures of a running portal, as olive sees it;
with `--all`, every page whole, light and dark, on a desk and on a phone."""

import sys
from pathlib import Path

from .browser import DESKTOP, PHONE, Visitor, chromium

PAGES = (
    *("plan-management", "renewals/annual", "plan", "plan/edit?quantity=15", "plan/cancel", "buy/workplace_pro"),
    *("device-management", "order-devices", "payment-history", "invoice", "billing-management", "history"),
    *("what-if?months=3", "compare?first=2026-02-15&second=2026-05-19", "why", "events", "events/plans.PlanStarted"),
    *("plan-management?as_of=2026-04-15", "history?as_of=2026-04-15"),
)

README = ("plan-management", "plan/edit?quantity=15")


def take(url: str, folder: Path, everything: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for scheme in ("light", "dark"):
            for size, width in ((DESKTOP, "desktop"), (PHONE, "phone")):
                if not everything and (scheme, width) not in (("light", "desktop"), ("dark", "phone")):
                    continue
                visitor = Visitor(browser, url, size, color_scheme=scheme, locale="en-US")
                visitor.sign_in("olive")
                first = visitor.page.locator("article.card a.button.main").first.get_attribute("href") or ""
                visitor.page.goto("/a/acme/payment-history")
                bill = visitor.page.locator("tbody th a").first.get_attribute("href") or ""
                for page in PAGES if everything else README:
                    name = ("then-" if "as_of" in page else "") + page.partition("?")[0].replace("/", "-")
                    visitor.page.goto(_address(page, first, bill))
                    if page == "why":
                        visitor.page.locator("details.why > summary").first.click()
                    visitor.page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=everything)
                visitor.close()


def _address(page: str, plan: str, bill: str) -> str:
    match page.split("/")[0]:
        case "plan":
            return page.replace("plan", plan, 1)
        case "events":
            return f"/{page}"
        case "invoice":
            return bill
        case "why":
            return "/a/acme/plan-management"
    return f"/a/acme/{page}"


if __name__ == "__main__":
    take(sys.argv[1], Path(sys.argv[2]), "--all" in sys.argv)
