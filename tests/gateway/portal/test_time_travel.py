"""Pages of the past: they say so, show what was, offer nothing to do, and lead back to now."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from aiohttp import web

from contracts.plans import CancelReason
from contracts.terms import Cycle
from contracts.topics import Owner
from services.gateway.cards import card
from services.gateway.portal import words
from services.gateway.portal.comparing import plans
from services.gateway.projections import product_card
from services.plans.commands import AssignLicence, BuyCapacity, CancelPlan, EditPlan, StartPlan
from tests.devices.given import leased, placed
from tests.gateway.gateway import Gateway, gateway
from tests.gateway.history import History, asked, started
from tests.gateway.test_invoices import declined, invoice, write

from .visitor import QUOTE, Visitor

PAGES = [
    *(page for page, _ in words.PAGES),
    *("renewals/annual", "plans/b1", "device-orders/o1", "invoices/i2"),
]
THEN = "2026-06-20"


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Gateway]:
    """5 licences from January on, an order, a lease and an invoice in June, 8 licences in July. It is August."""
    async with gateway(tmp_path) as opened:
        history = started(cycle=Cycle.ANNUAL)
        history.today = date(2026, 6, 15)
        history.write(Owner.DEVICES, "deviceorder-o1", "acme", placed().told)
        history.write(Owner.DEVICES, "lease-o1-1", "acme", leased().told)
        write(history, "acme", declined(invoice(2)))
        history.today = date(2026, 7, 1)
        history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
        await opened.show(history)
        opened.clock.at = datetime(2026, 8, 1, 12, tzinfo=UTC)
        opened.plans.answer = lambda _: web.json_response({"code": "store_unavailable"}, status=503)
        yield opened


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_is_shown_as_it_was_says_so_and_leads_back(opened: Gateway, page: str) -> None:
    visitor = Visitor(opened, "overseer")
    now, then = await visitor.get(f"/a/acme/{page}"), await visitor.get(f"/a/acme/{page}?as_of={THEN}")
    assert (now.status_code, then.status_code) == (200, 200)
    assert "As of" not in now.text
    assert "As it was…" in now.text
    assert "<strong>As of Jun 20, 2026, 11:59" in then.text
    assert f'<a class="button main" href="/a/acme/{page}">Back to now</a>' in then.text
    assert 'value="2026-06-20" min="2026-01-31" max="2026-08-01"' in then.text


@pytest.mark.parametrize("page", PAGES)
async def test_nothing_can_be_done_on_a_page_of_the_past(opened: Gateway, page: str) -> None:
    text = (await Visitor(opened, "overseer").get(f"/a/acme/{page}?as_of={THEN}")).text
    main = text[text.index("<main") :]
    assert 'method="post"' not in main
    commands = ("/edit", "/cycle", "/cancel", "/buy/", "/reinstate", "/discard", "/order-devices")
    assert not [link for link in re.findall(r'href="([^"]+)"', main) if any(each in link for each in commands)]
    assert "data-changes" not in text
    elsewhere = [link for link in re.findall(r'href="(/a/acme/[^"]+)"', main) if "Back to now" not in link]
    assert all("as_of=2026-06-20" in link for link in elsewhere if link != f"/a/acme/{page}")


async def test_what_was_is_what_is_shown(opened: Gateway) -> None:
    visitor = Visitor(opened, "overseer")
    now, then = [(await visitor.get(f"/a/acme/plans/b1{asked}")).text for asked in ("", f"?as_of={THEN}")]
    assert ("$800.00" in now, "$500.00" in then, "$800.00" in then) == (True, True, False)


async def test_what_a_page_was_asked_for_is_asked_for_then_too(opened: Gateway) -> None:
    text = (await Visitor(opened, "overseer").get(f"/a/acme/payment-history?status=past_due&as_of={THEN}")).text
    assert '<input type="hidden" name="status" value="past_due">' in text
    assert 'href="/a/acme/payment-history?status=past_due">Back to now</a>' in text


async def test_a_day_that_cannot_be_shown_is_told_in_words_with_a_way_back(opened: Gateway) -> None:
    visitor = Visitor(opened, "overseer")
    for as_of, said in (
        ("2025-01-01", "The account was not there yet"),
        ("2030-01-01", "That is still to come"),
        ("<b>", "a day, an instant"),
    ):
        answer = await visitor.get(f"/a/acme/plan-management?as_of={as_of}")
        assert answer.status_code == 422
        assert said in answer.text
        assert 'href="/a/acme/plan-management">Back to now</a>' in answer.text
        assert "<b>" not in answer.text


async def test_a_page_that_does_something_is_of_now_whatever_is_asked(opened: Gateway) -> None:
    opened.plans.answer = lambda _: web.json_response(QUOTE)
    text = (await Visitor(opened).get(f"/a/acme/plans/b1/edit?as_of={THEN}")).text
    assert "As of" not in text
    assert re.search(r'name="quantity"[^>]* value="8"', text)


async def test_every_amount_says_why_and_leads_into_the_history(opened: Gateway) -> None:
    visitor = Visitor(opened, "overseer")
    for page, said in (
        ("plan-management", "8 × 100.00 USD, by price book version 1."),
        ("plans/b1", "8 × 100.00 USD, by price book version 1."),
        ("renewals/annual", "The sum of its lines."),
        ("invoices/i2", "16.99 USD for the whole period."),
    ):
        text = (await visitor.get(f"/a/acme/{page}")).text
        assert said in text, page
        (link, *_) = re.findall(r'href="(/a/acme/history\?before=[^"]+)"', text)
        event_id = link.partition("#entry-")[2]
        assert (
            f'<ol class="panel timeline" id="history" data-live><li class="done"><details id="entry-{event_id}">'
            in (await visitor.get(link.partition("#")[0])).text
        )
    plain = (await Visitor(opened, "viewer").get("/a/acme/plans/b1")).text
    assert "Plan edited: Workplace Pro from 5 to 8" in plain
    assert "/history?before" not in plain


async def test_two_days_are_compared(opened: Gateway) -> None:
    text = (await Visitor(opened, "overseer").get("/a/acme/compare?first=2026-06-01&second=2026-08-01")).text
    for said in ("5 × Workplace Pro", "8 × Workplace Pro", "+$300.00", "Invoice 2", "Jun 1, 2026", "Aug 1, 2026"):
        assert said in text, said
    assert 'href="/a/acme/plans/b1?as_of=2026-08-01"' in text
    turned = (await Visitor(opened, "overseer").get("/a/acme/compare?first=2026-08-01&second=2026-06-01")).text
    assert turned == text
    same = (await Visitor(opened).get("/a/acme/compare?first=2026-07-02&second=2026-07-03")).text
    assert "All plans are as they were." in same
    assert "Invoiced" not in same


def test_a_plan_is_compared_by_what_it_is_costs_and_will_be() -> None:
    def cards(history: History) -> list[dict[str, object]]:
        rows: dict[str, dict[str, object] | None] = {}
        for event in history.events:
            if key := product_card.key(event):
                rows[key] = product_card.apply(rows.get(key), event)
        return [
            card(row, history.today, frozenset()).model_dump(mode="json") for row in rows.values() if row is not None
        ]

    before, after = started(), started()
    after.do("acme", BuyCapacity(**asked("b1", after, sku="storage", quantity=2)))
    after.do("acme", AssignLicence(**asked("b1", after, assignee="a")))
    after.do("acme", StartPlan(**asked("b2", after, sku="phone", quantity=2, cycle=Cycle.MONTHLY)))
    changed, new = plans(cards(before), cards(after))
    assert (changed.bundle_id, changed.change, [(each.name, each.before) for each in changed.lines]) == (
        "b1",
        "changed",
        [("Storage", None)],
    )
    assert (new.bundle_id, new.change, new.before, len(new.lines)) == ("b2", "started", None, 1)
    gone = plans(cards(after), cards(before))
    assert [(each.bundle_id, each.change) for each in gone] == [("b1", "changed"), ("b2", "ended")]
    after.do("acme", CancelPlan(**asked("b2", after, reason=CancelReason.OTHER)))
    assert [each.bundle_id for each in plans(cards(before), cards(after))] == ["b1", "b2"]
    assert plans(cards(after), cards(after)) == []
