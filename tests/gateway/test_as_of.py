"""`as_of`: what may be asked, what is refused, and how an answer of the past is told from one of now."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fastapi.exceptions import RequestValidationError

from contracts.problems import Refused
from contracts.terms import Cycle
from contracts.topics import Owner
from services.gateway import past
from services.gateway.as_of import AsOf, parsed
from services.plans.commands import EditPlan

from .gateway import Gateway, gateway
from .history import TODAY, ZONE, History, asked, started
from .test_reads import problem

CARD = "/api/v1/accounts/acme/product-cards/b1"
NOW = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)  # half past midnight in Vienna, where it is 2 June
MEANT = {
    "now": AsOf(at=NOW),
    "2026-06-02": AsOf(at=NOW),
    "2026-06-01": AsOf(at=datetime(2026, 6, 1, 21, 59, 59, 999999, UTC)),
    "2026-03-28": AsOf(at=datetime(2026, 3, 28, 22, 59, 59, 999999, UTC)),
    "2026-05-01T12:00": AsOf(at=datetime(2026, 5, 1, 12, tzinfo=UTC)),
    "2026-05-01T12:00Z": AsOf(at=datetime(2026, 5, 1, 12, tzinfo=UTC)),
    "2026-05-01T12:00+02:00": AsOf(at=datetime(2026, 5, 1, 10, tzinfo=UTC)),
    "2026-05-01T12:00 02:00": AsOf(at=datetime(2026, 5, 1, 10, tzinfo=UTC)),
    "plans:42": AsOf(positions=((Owner.PLANS, 42),)),
    "renewals:9,plans:42": AsOf(positions=((Owner.PLANS, 42), (Owner.RENEWALS, 9))),
}
MALFORMED = [
    *("", "soon", "2026-02-30", "2026-05-01T25:00", "plans:", "plans:-1", "plans:01", "plans:4,", "gateway:4"),
    *(
        "plans:4,plans:5",
        "plans:1,devices:1,renewals:1,plans:1",
        "plans:" + "9" * 19,
        "0001-01-01T00:00+14:00",
        "9" * 999,
    ),
]


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Gateway]:
    """What has grown, in June."""
    async with gateway(tmp_path) as opened:
        await opened.show(grown())
        opened.clock.at = NOW
        yield opened


def grown() -> History:
    """5 licences in January, 8 in March."""
    history = started(cycle=Cycle.ANNUAL)
    history.today = TODAY.replace(month=3)
    history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
    return history


async def then(shown: Gateway, as_of: str, path: str = CARD, user: str = "editor") -> Any:
    answer = await shown.get(f"{path}?as_of={as_of}", user)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("text", MEANT)
def test_a_day_an_instant_and_positions_can_be_asked_for(text: str) -> None:
    assert parsed(text, ZONE, NOW) == MEANT[text]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_time_is_malformed(text: str) -> None:
    with pytest.raises(RequestValidationError):
        parsed(text, ZONE, NOW)


@pytest.mark.parametrize("text", ["2026-06-03", "2026-06-01T22:31Z", "2026-06-02T00:31+02:00", "9999-12-30"])
def test_what_is_still_to_come_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="as_of_in_the_future"):
        parsed(text, ZONE, NOW)


async def test_a_card_is_shown_as_it_was(shown: Gateway) -> None:
    assert (await shown.get(CARD)).json()["licences"]["total"] == 8
    assert (await then(shown, "2026-03-30"))["licences"]["total"] == 5
    assert (await then(shown, "2026-03-31"))["licences"]["total"] == 8
    assert (await then(shown, "2026-03-31T09:59:59.999999Z"))["licences"]["total"] == 5
    assert (await then(shown, "2026-03-31T10:00Z"))["licences"]["total"] == 8
    assert (await then(shown, "plans:7"))["licences"]["total"] == 5


async def test_an_answer_of_the_past_says_so_and_can_be_kept(shown: Gateway) -> None:
    answer = await shown.get(f"{CARD}?as_of=2026-03-30")
    assert answer.headers["billing-as-of"] == "2026-03-30T21:59:59.999999Z"
    assert answer.headers["billing-positions"] == "devices:0,plans:7,renewals:7"
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert (await then(shown, answer.headers["billing-positions"])) == answer.json() | {"status": "active"}
    known = await shown.get(f"{CARD}?as_of=2026-03-30", If_None_Match=answer.headers["etag"])
    assert (known.status_code, known.headers["cache-control"]) == (304, "private, max-age=3600")


async def test_what_may_still_get_another_event_is_not_kept(shown: Gateway) -> None:
    for as_of in ("now", "2026-06-02"):
        answer = await shown.get(f"{CARD}?as_of={as_of}")
        assert answer.headers["cache-control"] == "private, no-cache"
    history = grown()
    history.today = NOW.date()
    await shown.following.take_in(Owner.PLANS, list(history.do("acme", EditPlan(**asked("b1", history, quantity=9)))))
    assert (await then(shown, "now"))["licences"]["total"] == 9


async def test_nothing_may_be_done_in_the_past_and_its_tag_is_no_revision(shown: Gateway) -> None:
    assert (await shown.get(CARD)).json()["allowed_actions"]["edit_plan"]["allowed"]
    answer = await shown.get(f"{CARD}?as_of=2026-03-30")
    actions = [*answer.json()["allowed_actions"].values(), *answer.json()["lines"][0]["allowed_actions"].values()]
    assert {(each["allowed"], each["reason"]) for each in actions} == {(False, "of_the_past")}
    assert answer.headers["etag"] != '"0"'
    sold = (await then(shown, "2026-03-30", "/api/v1/accounts/acme/catalogue"))["products"]
    assert {each["buy"]["reason"] for each in sold} == {"of_the_past"}


async def test_a_time_that_cannot_be_looked_at_is_refused(shown: Gateway) -> None:
    refusals = {
        "soon": "invalid_request",
        "2026-06-03": "as_of_in_the_future",
        "plans:999": "as_of_in_the_future",
        "2026-01-30": "as_of_before_account",
        "0001-01-01": "as_of_before_account",
        "plans:0": "as_of_before_account",
        "plans:1": "as_of_before_account",  # a price book was published
        "devices:0": "as_of_before_account",
    }
    found = {as_of: problem(await shown.get(f"{CARD}?as_of={as_of}")) for as_of in refusals}
    assert found == {as_of: (422, code) for as_of, code in refusals.items()}


async def test_the_past_is_for_those_who_may_see_the_present(shown: Gateway) -> None:
    asked_for = "/api/v1/accounts/acme/{}?as_of=2026-03-30"
    assert problem(await shown.get(asked_for.format("invoices"), "viewer")) == (403, "forbidden")
    assert problem(await shown.get(asked_for.format("history"), "owner")) == (403, "forbidden")
    assert problem(await shown.get(asked_for.format("billing"), "viewer")) == (403, "forbidden")
    assert problem(await shown.get(asked_for.format("product-cards"), "stranger")) == (404, "account_not_found")
    assert problem(await shown.client.get(asked_for.format("product-cards"))) == (401, "unauthenticated")


async def test_what_the_read_models_have_not_taken_in_is_part_of_the_past(shown: Gateway) -> None:
    history = grown()
    history.do("acme", EditPlan(**asked("b1", history, quantity=9)))
    shown.logs[Owner.PLANS].events = history.logs[Owner.PLANS]
    assert (await shown.get(CARD)).json()["licences"]["total"] == 8
    assert (await then(shown, "2026-03-31"))["licences"]["total"] == 9


async def test_an_owner_that_does_not_answer_is_waited_for_so_long(
    shown: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "ASK_S", 0.05)
    shown.logs[Owner.DEVICES].stalls = True
    assert problem(await shown.get(f"{CARD}?as_of=2026-03-30")) == (503, "log_unavailable")


async def test_with_an_owner_away_nobody_can_say_that_nothing_is_missing(shown: Gateway) -> None:
    shown.logs[Owner.DEVICES].away = True
    answer = await shown.get(f"{CARD}?as_of=2026-03-30")
    assert (problem(answer), answer.headers["retry-after"]) == ((503, "log_unavailable"), "1")
    shown.logs[Owner.DEVICES].away = False
    assert (await then(shown, "2026-03-30"))["licences"]["total"] == 5
    shown.logs[Owner.DEVICES].away = True
    assert (await then(shown, "2026-03-30"))["licences"]["total"] == 5, "what was folded is kept for a moment"


async def test_an_account_with_too_long_a_history_is_told_so(shown: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MOST_EVENTS", 2)
    assert problem(await shown.get(f"{CARD}?as_of=2026-03-30")) == (422, "history_too_long")


async def test_of_very_many_who_ask_for_the_past_at_once_the_last_are_told_to_come_again(
    shown: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MOST_WAITING", 3)
    asking = [shown.get(f"{CARD}?as_of=2026-03-{day}") for day in range(10, 30)]
    codes = Counter(answer.status_code for answer in await asyncio.gather(*asking))
    assert codes == {200: 3, 503: 17}
    assert (await then(shown, "2026-03-29"))["licences"]["total"] == 5


async def test_a_gateway_far_behind_says_so(shown: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MOST_BEHIND", 1)
    behind = History()
    for name in ("a", "b", "c", "d", "e", "f"):
        behind.open(name)
    shown.logs[Owner.PLANS].events = behind.logs[Owner.PLANS]
    assert problem(await shown.get(f"{CARD}?as_of=2026-03-30")) == (503, "read_model_behind")


async def test_billing_management_is_asked_of_its_owner_as_it_was(shown: Gateway) -> None:
    permissions = {"change_contact": {"allowed": True, "reason": None, "message": None}}
    shown.plans.answer = lambda _: web.json_response(
        {"roles": [], "allowed_actions": permissions}, headers={"ETag": '"4"'}
    )
    answer = await shown.get("/api/v1/accounts/acme/billing?as_of=2026-03-30", "owner")
    assert shown.plans.asked[-1].raw_path == "/api/v1/accounts/acme/billing?position=7&on=2026-03-30"
    assert answer.json()["allowed_actions"]["change_contact"]["reason"] == "of_the_past"
    assert (answer.headers["cache-control"], answer.headers["billing-as-of"][:10]) == (
        "private, no-store",
        "2026-03-30",
    )


async def test_events_recorded_out_of_order_leave_no_stream_half(shown: Gateway, tmp_path: Path) -> None:
    """Of two replicas one may be a moment behind: the later event then says the earlier instant."""
    history = started("globex", "b9")
    history.do("globex", EditPlan(**asked("b9", history, quantity=6)))
    history.do("globex", EditPlan(**asked("b9", history, quantity=7)))
    *_, first, second = history.logs[Owner.PLANS]
    first.metadata["recorded_at"], second.metadata["recorded_at"] = [
        f"{TODAY + timedelta(days=1)}T10:00:00.00000{digit}Z" for digit in (5, 1)
    ]
    (tmp_path / "other").mkdir()
    async with gateway(tmp_path / "other") as other:
        await other.show(history)
        other.clock.at = NOW
        card = "/api/v1/accounts/globex/product-cards/b9"
        at = f"{TODAY + timedelta(days=1)}T10:00:00.00000"
        assert (await then(other, f"{at}1Z", card, "stranger"))["licences"]["total"] == 7
        assert (await then(other, f"{at}0Z", card, "stranger"))["licences"]["total"] == 5
