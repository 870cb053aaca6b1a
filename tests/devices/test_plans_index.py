"""Each event of plans that devices keep something of: given events, an account's shop is this one."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Envelope
from contracts.plan_actions import Hold
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis.consumer import CannotApply
from services.devices.plans_index import PlansIndex

from .given import book

JUNE_1, JULY_1 = date(2026, 6, 1), date(2026, 7, 1)
LINE = {"line_id": "line-1", "sku": "rooms", "kind": "base", "quantity": 5}
OPENED = ("AccountOpened", {"currency": "USD", "time_zone": "Europe/Vienna"})
STARTED = ("PlanStarted", {"bundle_id": "b1", "line": LINE, "cycle": "monthly", "term_end": "2026-07-01"})
HELD = ("AccountHoldPlaced", {"hold": "unpaid", "invoice_id": "i1", "amount_minor": 700})

Told = tuple[str, dict[str, Any]]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PlansIndex]:
    with PlansIndex.open(tmp_path, 3) as opened:
        yield opened


async def tell(index: PlansIndex, *told: Told, after: int = 0) -> None:
    metadata = {"account_id": "acme"}
    events: Sequence[Envelope] = [
        Envelope(number, "plan-b1", number, f"event-{number}", f"plans.{name}", 1, metadata, data)
        for number, (name, data) in enumerate(told, after + 1)
    ]
    await index.apply(Owner.PLANS, events, {0: events[-1].position}, ())


async def licences(index: PlansIndex, *told: Told, on: date = JULY_1) -> dict[str, int]:
    await tell(index, OPENED, *told)
    return dict(index.shop("acme", on, {}).licences)


def edited(**different: Any) -> Told:
    return "PlanEdited", {"bundle_id": "b1", "after": {**LINE, **different}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([STARTED], {"rooms": 5}),
        ([("PlanStarted", {**STARTED[1], "cycle": "one_month"})], {}),
        ([STARTED, edited(quantity=7)], {"rooms": 7}),
        ([STARTED, edited(sku="storage", kind="capacity", quantity=7)], {"rooms": 5}),
        ([STARTED, ("PlanCancelled", {"bundle_id": "b1", "ends_on": "2026-07-01"})], {}),
        ([STARTED, ("PlanCancelled", {"bundle_id": "b1", "ends_on": "2026-07-02"})], {"rooms": 5}),
        (
            [
                STARTED,
                ("PlanCancelled", {"bundle_id": "b1", "ends_on": "2026-07-01"}),
                ("PlanReinstated", {"bundle_id": "b1"}),
            ],
            {"rooms": 5},
        ),
        ([STARTED, ("PlanTermAdvanced", {"bundle_id": "b1", "lines": [{**LINE, "quantity": 3}]})], {"rooms": 3}),
        ([STARTED, ("PlanEnded", {"bundle_id": "b1", "ended_on": "2026-07-01"})], {}),
        ([STARTED, ("PlanLapsed", {"bundle_id": "b1", "lapsed_on": "2026-06-22"})], {}),
    ],
)
async def test_an_account_has_the_licences_of_its_active_bases(
    index: PlansIndex, told: list[Told], expected: dict[str, int]
) -> None:
    assert await licences(index, *told) == expected


async def test_an_account_is_held_until_what_it_is_held_for_is_lifted(index: PlansIndex) -> None:
    contract = ("AccountHoldPlaced", {"hold": "contract", "invoice_id": None, "amount_minor": None})
    await tell(index, OPENED, HELD, contract)
    account = index.account("acme")
    assert account is not None
    assert account.holds == {(Hold.UNPAID, "i1"): 700, (Hold.CONTRACT, ""): 0}
    lifted = ("AccountHoldLifted", {"hold": "unpaid", "invoice_id": "i1"})
    await tell(index, lifted, ("AccountHoldLifted", {"hold": "contract", "invoice_id": None}), after=3)
    account = index.account("acme")
    assert account is not None
    assert account.holds == {}


async def test_events_that_come_again_change_nothing(index: PlansIndex) -> None:
    told = [OPENED, STARTED, edited(quantity=7), HELD]
    await tell(index, *told)
    before = index.shop("acme", JUNE_1, {})
    await tell(index, *told)
    assert index.shop("acme", JUNE_1, {}) == before


async def test_an_event_that_is_none_is_named_and_nothing_of_its_batch_is_kept(index: PlansIndex) -> None:
    with pytest.raises(CannotApply, match="PlanEdited"):
        await tell(index, OPENED, ("PlanEdited", {"bundle_id": "b1"}))
    assert index.account("acme") is None
    assert await index.checkpoints(Owner.PLANS) == {}


async def test_another_price_book_is_none_of_ours(index: PlansIndex) -> None:
    await tell(index, ("PriceBookPublished", {"book_id": "wholesale", "book_version": 1}))
    assert index.shop("acme", JUNE_1, {}).book is None


async def test_a_book_that_is_withdrawn_is_never_sold_from_and_a_retired_device_no_longer(index: PlansIndex) -> None:
    first = book().model_dump(mode="json")
    second = {**first, "book_version": 2, "effective_from": "2026-06-30"}
    await tell(index, OPENED, ("PriceBookPublished", first), ("PriceBookPublished", second))
    assert index.shop("acme", JULY_1, {}).book == book(2, effective_from=date(2026, 6, 30))
    retired = {"book_id": "standard", "sku": "haas_desk_phone", "retired_on": "2026-07-01"}
    await tell(
        index,
        ("PriceBookWithdrawn", {"book_id": "standard", "book_version": 2}),
        ("ProductRetired", retired),
        after=3,
    )
    assert index.shop("acme", JULY_1, {}).book == book()
    assert index.shop("acme", date(2026, 6, 30), {}).retired == frozenset()
    for days_later, code in ((0, "product_retired"), (-1, "requirement_unmet")):
        with pytest.raises(Refused) as refused:
            index.shop("acme", JULY_1 + timedelta(days=days_later), {}).lines((("haas_desk_phone", 1),))
        assert refused.value.code == code
