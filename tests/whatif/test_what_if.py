"""What if: the invoices that would come out with hypothetical commands, beside those that come out without them."""

from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from contracts.problems import Refused
from contracts.topics import Owner
from services.gateway.what_if.wish import WhatIfAnswer, WhatIfBody
from services.whatif.comparison import what_if
from services.whatif.history import History
from tests.whatif.accounts import ACCOUNT, JUNE_1, WORLD, history, new_account

SEPTEMBER_2 = "2026-09-02"

Command = dict[str, Any]


async def wondered(past: History, *commands: Command, now: datetime = JUNE_1, until: str = SEPTEMBER_2) -> WhatIfAnswer:
    wish = WhatIfBody.model_validate_json(orjson.dumps({"until": until, "commands": commands}))
    return await what_if("acme", past, now, wish, WORLD)


async def account_with_a_plan() -> tuple[str, History]:
    """Its bundle: five licences of a monthly plan, at 15.99 and a tax of 8.875 %."""
    async with new_account() as customer:
        return await customer.starts(), await history(customer.fork)


async def test_without_commands_both_futures_are_the_same() -> None:
    _, past = await account_with_a_plan()
    answer = await wondered(past)
    assert [pair.without and pair.without.issued_on for pair in answer.invoices] == [
        date(2026, 7, 1),
        date(2026, 8, 1),
        date(2026, 9, 1),
    ]
    assert all(pair.without == pair.with_commands and pair.difference_minor == 0 for pair in answer.invoices)
    assert answer.totals.without_minor == answer.totals.with_minor > 0


async def test_more_licences_from_a_day_on_are_charged_for_the_rest_of_the_term_and_at_each_renewal() -> None:
    bundle, past = await account_with_a_plan()
    answer = await wondered(past, {"at": "2026-07-16", "plan": bundle, "command": "edit", "body": {"quantity": 8}})
    kinds = [(pair.without is None, pair.with_commands and pair.with_commands.kind) for pair in answer.invoices]
    assert kinds == [(False, "renewal"), (True, "change"), (False, "renewal"), (False, "renewal")]
    july, change, august, september = answer.invoices
    assert july.difference_minor == 0 < change.difference_minor < august.difference_minor == september.difference_minor
    assert august.without
    assert august.with_commands
    assert august.with_commands.net_minor * 5 == august.without.net_minor * 8
    assert answer.totals.difference_minor == sum(pair.difference_minor for pair in answer.invoices)
    (card,) = answer.cards
    assert card.licences.total == 8


async def test_a_cancelled_plan_brings_no_more_invoices() -> None:
    bundle, past = await account_with_a_plan()
    answer = await wondered(past, {"plan": bundle, "command": "cancel", "body": {"reason": "too_expensive"}})
    assert answer.commands[0].events == ["plans.PlanCancelled"]
    assert [pair.with_commands for pair in answer.invoices] == [None, None, None]
    assert answer.totals.with_minor == 0
    assert [card.status for card in answer.cards] == ["ended"]


async def test_a_refused_command_is_told_with_its_problem_and_the_others_are_carried_out() -> None:
    bundle, past = await account_with_a_plan()
    answer = await wondered(
        past,
        {"at": "2026-08-20", "plan": bundle, "command": "edit", "body": {"quantity": 10_000}},
        {"path": "/plans/nobody/edit", "body": {"quantity": 3}},
        {"path": "/no-such-thing"},
        {"path": f"{ACCOUNT}/plans", "body": {"sku": "rooms", "quantity": 1, "cycle": "monthly"}},
    )
    codes = [each.problem and each.problem["code"] for each in answer.commands]
    assert codes == ["quantity_out_of_range", "plan_not_found", "not_found", None]
    assert [each.number for each in answer.commands] == [1, 2, 3, 4]
    assert len(answer.cards) == 2


async def test_an_account_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="account_not_found"):
        await wondered({})


@pytest.mark.parametrize(
    ("until", "at", "code"),
    [
        ("2028-06-04", None, "what_if_too_far"),
        ("2026-05-31", None, "date_out_of_range"),
        ("2026-09-01", "2026-05-31", "date_out_of_range"),
        ("2026-09-01", "2026-09-02", "date_out_of_range"),
    ],
)
async def test_only_the_coming_24_months_are_looked_at(until: str, at: str | None, code: str) -> None:
    _, past = await account_with_a_plan()
    command = {"at": at, "path": "/plans", "body": {}}
    with pytest.raises(Refused, match=code):
        await wondered(past, command, until=until)


quantities = some.integers(1, 9)
changes = some.one_of(
    some.builds(lambda n: ("edit", {"quantity": n}), quantities),
    some.builds(lambda n: ("capacities", {"sku": "large_meeting_500", "quantity": n}), quantities),
    some.sampled_from([("cancel", {"reason": "not_needed_now"}), ("change-cycle", {"cycle": "annual"})]),
)


@given(change=changes, day=some.integers(0, 40))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_if_of_a_command_is_doing_it_and_then_what_if_of_nothing(change: Any, day: int) -> None:
    name, body = change
    async with new_account() as customer:
        bundle = await customer.starts()
        await customer.fork.roll(JUNE_1 + timedelta(days=day))
        now, past = customer.fork.now(), await history(customer.fork)
        wondering = await wondered(past, {"plan": bundle, "command": name, "body": body}, now=now)
        answer = await customer.fork.command(Owner.PLANS, "POST", f"{ACCOUNT}/plans/{bundle}/{name}", body, "what-if-1")
        assert (wondering.commands[0].outcome == "done") == (answer.status == 200)
        done = await wondered(await history(customer.fork), now=now)
    ids = {each.without.invoice_id for each in done.invoices if each.without}
    assert {each.invoice_id for pair in wondering.invoices if (each := pair.with_commands)} == ids
    assert [each for pair in wondering.invoices if (each := pair.with_commands)] == [p.without for p in done.invoices]
    assert wondering.cards == done.cards


async def test_effects_still_to_come_come_in_the_fork_as_well() -> None:
    """The fork is made right after a command, before anybody has heard of it."""
    async with new_account() as customer:
        body = {"sku": "workplace_pro", "quantity": 5, "cycle": "monthly"}
        await customer.fork.command(Owner.PLANS, "POST", f"{ACCOUNT}/plans", body, "unheard")
        answer = await wondered(await history(customer.fork))
    first = answer.invoices[0].without
    assert first
    assert (first.kind, first.issued_on) == ("change", date(2026, 6, 1))
