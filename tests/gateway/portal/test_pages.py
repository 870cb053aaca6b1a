"""The portal's pages over a real read store: what they show, to whom, and what they refuse to do."""

from collections.abc import AsyncIterator
from html import escape
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from contracts.plans import CancelReason, ProductKind
from services.gateway.portal import words
from services.gateway.portal.entrance import own_path
from services.gateway.portal.formats import formats
from services.plans.commands import AssignLicence, BuyCapacity, CancelLine, CancelPlan, EditPlan
from tests.gateway.gateway import Gateway, gateway
from tests.gateway.history import BOOK, History, asked, product, started

from .visitor import QUOTE, Visitor, cookies_of

SCRIPT = "<script>alert(1)</script>"
PLAN = "/a/acme/plans/b1"


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        await opened.show(started())
        yield opened


def answers(body: dict[str, object], status: int = 200) -> web.Response:
    return web.json_response(body, status=status)


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_comes_back(opened: Gateway) -> None:
    answer = await opened.client.get("/a/acme/payment-history?status=open")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=%2Fa%2Facme%2Fpayment-history%3Fstatus%3Dopen",
    )


async def test_a_session_that_somebody_else_has_sealed_is_none(opened: Gateway) -> None:
    visitor = Visitor(opened)
    visitor.cookie = visitor.cookie[:-4] + "AAAA"
    assert (await visitor.get("/a/acme/plan-management")).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize(("page", "label"), words.PAGES)
async def test_every_page_of_the_menu_opens_and_says_which_one_it_is(opened: Gateway, page: str, label: str) -> None:
    opened.plans.answer = lambda _: answers({"code": "store_unavailable"}, 503)
    answer = await Visitor(opened, "owner").get(f"/a/acme/{page}")
    assert answer.status_code == 200
    assert f"<h1>{label}</h1>" in answer.text
    assert answer.text.count('aria-current="page"') == 3  # in the menu, on the phone, and in the profile drop-down


async def test_a_page_loads_and_runs_nothing_but_our_own_files(opened: Gateway) -> None:
    answer = await Visitor(opened).get("/a/acme/plan-management")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in answer.text.replace("https://", "http://").partition("<body")[2].replace('action="http', "")
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_the_session_cookie_is_of_this_host_only_and_no_script_reads_it(opened: Gateway) -> None:
    (cookie,) = cookies_of(await Visitor(opened).get("/a/acme/plan-management"))
    assert cookie.startswith("__Host-session=")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()


async def test_what_a_page_asks_by_itself_does_not_keep_a_session_going(opened: Gateway) -> None:
    assert not cookies_of(await Visitor(opened).get("/a/acme/plan-management", x_live="1"))


async def test_a_stranger_sees_the_account_no_more_than_one_that_is_not_there(opened: Gateway) -> None:
    stranger = Visitor(opened, "stranger")
    found = [await stranger.get(f"/a/{account}/plan-management") for account in ("acme", "nobody")]
    assert [answer.status_code for answer in found] == [404, 404]
    assert found[0].text == found[1].text


async def test_a_viewer_sees_the_plan_and_grey_buttons_that_say_why(opened: Gateway) -> None:
    text = (await Visitor(opened, "viewer").get(PLAN)).text
    assert '<button class="button main" disabled>Edit Plan</button>' in text
    assert "You lack the privilege this needs" in text


async def test_a_pending_change_is_on_the_card_with_its_day(opened: Gateway) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, line_id=None, quantity=3, sku=None)))
    await opened.show(history)
    text = (await Visitor(opened).get("/a/acme/plan-management")).text
    assert "Change pending" in text
    assert "From Feb 28, 2026: 3 × Workplace Pro" in text


async def test_money_and_dates_are_written_as_the_reader_is_used_to(opened: Gateway) -> None:
    visitor = Visitor(opened)
    german = (await visitor.get("/a/acme/plan-management", accept_language="de-AT,de;q=0.9")).text
    assert "50,00" in german
    assert "28.02.2026" in german
    assert "$50.00" in (await visitor.get("/a/acme/plan-management", accept_language="xx-nonsense;q=abc")).text


def test_amounts_have_the_digits_of_their_currency_and_a_credit_is_in_parentheses() -> None:
    f = formats("en-US")
    assert [f.money(9000, "JPY"), f.money(5200, "KWD"), f.money(-123456, "USD")] == [
        "¥9,000",
        "KWD5.200",
        "($1,234.56)",
    ]


async def test_the_quote_is_on_the_page_and_the_order_is_placed_with_its_token(opened: Gateway) -> None:
    visitor = Visitor(opened)
    opened.plans.answer = lambda _: answers(QUOTE)
    page = await visitor.get(f"{PLAN}/edit?quantity=8")
    assert "$48.34" in page.text
    assert "Tax US-TX, standard, 8.25%" in page.text
    assert 'value="quote-1"' in page.text
    assert orjson.loads(opened.plans.bodies[-1]) == {"quantity": 8}
    opened.plans.answer = lambda _: answers({"stream": "plan-b1", "revision": 1, "position": "plans:1", "events": []})
    form = {"wish": '{"quantity":8}', "quote_token": "quote-1", "key": "key-1"}
    placed = await visitor.send(f"{PLAN}/edit", form)
    assert placed.headers["location"] == "/a/acme/plans/b1?done=edit_plan&at=plans%3A1"
    assert orjson.loads(opened.plans.bodies[-1]) == {"quantity": 8, "quote_token": "quote-1"}
    assert opened.plans.asked[-1].headers["idempotency-key"] == "key-1"


@pytest.mark.parametrize(("sku", "of"), [("workplace_pro", "acme"), ("storage", "b1")])
async def test_a_product_is_bought_for_itself_or_for_a_plan(opened: Gateway, sku: str, of: str) -> None:
    opened.plans.answer = lambda _: answers(QUOTE)
    page = (await Visitor(opened).get(f"/a/acme/buy/{sku}?quantity=5&cycle=monthly")).text
    assert "Place Order" in page
    assert f"/{of}/" in str(opened.plans.asked[-1].path)
    assert ('name="revision"' in page) == (of == "b1")


async def test_an_edit_of_a_later_day_says_what_is_charged_then(opened: Gateway) -> None:
    later = {"on": "2026-02-10", "money": {"currency": "USD", "net_minor": 2718, "lines": []}, "total_minor": 2942}
    opened.plans.answer = lambda _: answers({**QUOTE, "due_later": later, "events": ["PlanEditScheduled"]})
    page = (await Visitor(opened).get(f"{PLAN}/edit?quantity=8&on=2026-02-10")).text
    assert orjson.loads(opened.plans.bodies[-1]) == {"quantity": 8, "effective_on": "2026-02-10"}
    assert "On Feb 10, 2026 $29.42 is charged, tax included" in page
    assert 'name="on" type="date" max="2026-02-28" value="2026-02-10"' in page


async def test_a_change_of_cycle_offers_to_discard_what_is_pending_and_continue(opened: Gateway) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    await opened.show(history)
    refused = {"code": "pending_change", "status": 409, "title": "A change is pending", "detail": "A. Discard it."}
    opened.plans.answer = lambda _: answers(refused, 409)
    visitor = Visitor(opened)
    page = (await visitor.get(f"{PLAN}/cycle")).text
    assert orjson.loads(opened.plans.bodies[-1]) == {"cycle": "annual"}
    assert "Discard it and continue" in page
    assert 'name="quote_token"' not in page
    opened.plans.answer = lambda _: answers(QUOTE)
    page = (await visitor.get(f"{PLAN}/cycle?cycle=annual&discard=yes")).text
    assert orjson.loads(opened.plans.bodies[-1]) == {"cycle": "annual", "discard_pending": True}
    assert "A new term begins today" in page
    assert opened.plans.asked[-1].path.endswith("/quotes/change-cycle")


async def test_a_capacity_becomes_another_tier_and_is_cancelled_and_kept_by_itself(opened: Gateway) -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=1)))
    await opened.show(history)
    visitor = Visitor(opened)
    opened.plans.answer = lambda _: answers(QUOTE)
    page = (await visitor.get(f"{PLAN}/edit?line=line-2&sku=big_storage")).text
    assert orjson.loads(opened.plans.bodies[-1]) == {"quantity": 1, "sku": "big_storage", "line_id": "line-2"}
    assert opened.plans.asked[-1].path.endswith("/quotes/resize-capacity")
    assert "Big Storage" in page
    assert "Workplace Business" not in page
    plan = (await visitor.get(PLAN)).text
    assert f'href="{PLAN}/cancel-line?line=line-2"' in plan
    assert "It is served to the end of the term" in (await visitor.get(f"{PLAN}/cancel-line?line=line-2")).text
    history.do("acme", CancelLine(**asked("b1", history, line_id="line-2")))
    await opened.show(history)
    plan = (await visitor.get(PLAN)).text
    assert f'href="{PLAN}/keep-line?line=line-2"' in plan
    assert "until Feb 28, 2026" in plan
    await visitor.get(f"{PLAN}/keep-line?line=line-2")
    assert opened.plans.asked[-1].path.endswith("/quotes/reinstate-line")


async def test_a_reduction_that_will_fail_says_so_on_the_card(opened: Gateway) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=1)))
    for person in ("ann", "bob"):
        history.do("acme", AssignLicence(**asked("b1", history, assignee=person)))
    await opened.show(history)
    for page in (PLAN, "/a/acme/plan-management"):
        assert "This will fail on Feb 28, 2026: 2 licences are assigned" in (await Visitor(opened).get(page)).text


async def test_a_stale_quote_shows_the_new_one_and_what_the_other_editor_did(opened: Gateway) -> None:
    fresh = {**QUOTE, "token": "quote-2", "taxes": [], "total_minor": 9900}
    stale = {"code": "quote_stale", "status": 409, "title": "Something moved", "detail": "x. y", "quote": fresh}
    opened.plans.answer = lambda _: answers(stale, 409)
    form = {"wish": '{"quantity":8}', "seen": '{"Workplace Pro":"4"}', "quote_token": "quote-1", "key": "key-1"}
    answer = await Visitor(opened).send(f"{PLAN}/edit", form)
    assert answer.status_code == 409
    assert "$99.00" in answer.text
    assert 'value="quote-2"' in answer.text
    assert "<strong>Workplace Pro</strong>: 4 → 5" in answer.text


@pytest.mark.parametrize(("user", "may_know"), [("editor", False), ("overseer", True)])
async def test_who_changed_the_plan_meanwhile_is_told_to_who_may_know(
    opened: Gateway, user: str, may_know: bool
) -> None:
    history = started()
    await opened.show(history)
    history.do("acme", AssignLicence(**asked("b1", history), assignee="person-1"))
    history.do("acme", EditPlan(**asked("b1", history, quantity=6)))
    await opened.show(history)
    opened.plans.answer = lambda _: answers({"code": "quote_stale", "status": 409, "title": "x", "detail": "y"}, 409)
    form = {"wish": '{"quantity":8}', "seen": "{}", "quote_token": "quote-1", "key": "key-1", "revision": "1"}
    text = (await Visitor(opened, user).send(f"{PLAN}/edit", form)).text
    told = text.partition("Somebody else has changed this plan meanwhile")[2]
    assert ("Plan edited: Workplace Pro from 5 to 6" in told) == may_know
    assert ("user-1" in told) == may_know
    assert "Licence assigned" not in told  # that is what the visitor saw


async def test_a_refused_order_says_what_to_do_and_offers_no_button(opened: Gateway) -> None:
    problem = {
        "code": "licences_assigned",
        "status": 409,
        "title": "Too few",
        "detail": "Too few. Unassign.",
        "assigned": 4,
    }
    opened.plans.answer = lambda _: answers(problem, 409)
    text = (await Visitor(opened).get(f"{PLAN}/edit?quantity=1")).text
    assert "Unassign." in text
    assert "4 licences are assigned." in text
    assert 'name="quote_token"' not in text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", None])
async def test_a_form_of_another_site_does_nothing(opened: Gateway, site: str | None) -> None:
    answer = await Visitor(opened).send(f"{PLAN}/edit", {"wish": '{"quantity":8}'}, site)
    assert answer.status_code == 403
    assert not opened.plans.asked


async def test_what_looks_like_a_script_is_shown_as_text(tmp_path: Path) -> None:
    async with gateway(tmp_path) as opened:
        history = History()
        named = product("workplace_pro", ProductKind.BASE, name=SCRIPT, includes=(SCRIPT,))
        history.publish(BOOK.model_copy(update={"products": (named,)}))
        history.open("acme")
        await opened.show(history)
        text = (await Visitor(opened).get("/a/acme/plan-management")).text
        assert SCRIPT not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        problem = {"code": "x", "status": 422, "title": SCRIPT, "detail": f"x. {SCRIPT}"}
        opened.plans.answer = lambda _: answers(problem, 422)
        for path in (f"buy/workplace_pro?quantity={SCRIPT}&cycle={SCRIPT}", f"payment-history?q={SCRIPT}"):
            assert SCRIPT not in (await Visitor(opened, "owner").get(f"/a/acme/{path}")).text


@pytest.mark.parametrize("old", words.OLD)
async def test_an_old_address_leads_to_the_new_page_which_says_so(opened: Gateway, old: str) -> None:
    visitor = Visitor(opened, "owner")
    answer = await visitor.get(f"/{old}")
    while answer.is_redirect:
        answer = await visitor.get(answer.headers["location"])
    assert answer.status_code == 200
    assert words.MOVED[old] in answer.text


async def test_signing_out_takes_the_session_away_and_only_from_here(opened: Gateway) -> None:
    visitor = Visitor(opened)
    assert not cookies_of(await visitor.send("/sign-out", {}, "cross-site"))
    assert 'session=""' in cookies_of(await visitor.send("/sign-out", {}))[0]


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
def test_signing_in_leads_back_to_this_portal_only(address: str) -> None:
    assert own_path(address) == "/"


async def test_a_person_at_the_front_door_is_led_to_plan_management(opened: Gateway) -> None:
    answer = await opened.client.get("/", headers={"Accept": "text/html,*/*"})
    assert answer.headers["location"] == "/plan-management"


async def test_an_open_page_is_told_when_its_account_changes(opened: Gateway) -> None:
    changes = opened.app.state.changes
    marks = changes.of(opened.store, "acme")
    first = await anext(marks)
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, line_id=None, quantity=9, sku=None)))
    await opened.show(history)
    assert await anext(marks) not in ("", first)
    await marks.aclose()
    assert not changes._looking


@pytest.mark.parametrize(("kept", "shown"), [(SCRIPT, f">{escape(SCRIPT)}</dd>"), (None, ">Erased</dd>")])
async def test_history_shows_what_was_said_as_long_as_it_is_kept(opened: Gateway, kept: str | None, shown: str) -> None:
    history = started()
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.OTHER, comment="c0ffee")))
    await opened.show(history)
    gone = {"code": "comment_not_found", "status": 404, "title": "x", "detail": "y"}
    opened.plans.answer = lambda _: answers({"comment": "c", "text": kept}) if kept else answers(gone, 404)
    assert shown in (await Visitor(opened, "overseer").get("/a/acme/history")).text


async def test_personal_data_is_erased_from_billing_management(opened: Gateway) -> None:
    answer = {"position": "plans:1", "stream": "s", "revision": 1, "events": []}
    opened.plans.answer = lambda _: answers(answer)
    await Visitor(opened).send("/a/acme/personal-data", {"key": "k"})
    assert opened.plans.asked[-1].path == "/api/v1/accounts/acme/erase-personal-data"
