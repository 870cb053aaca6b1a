"""An unpaid invoice stops what an account buys and changes, not what it cancels (DOMAIN B5)."""

from dataclasses import replace

import pytest

from contracts.money import Currency
from contracts.plan_actions import Hold
from contracts.plans import AddOnCancelled, LicenceAssigned, PlanCancelled
from contracts.terms import Cycle
from services.plans.account import Account
from services.plans.commands import PlanCommand
from tests.plans.given import (
    US,
    Given,
    add,
    assign,
    buy,
    cancel,
    cancel_line,
    change_cycle,
    discard,
    edit,
    nothing,
    reinstate,
    reinstate_line,
    resize,
    start,
    with_large_meetings,
)

UNPAID: dict[tuple[Hold, str | None], int | None] = {(Hold.UNPAID, "invoice-1"): 1699, (Hold.UNPAID, "invoice-2"): 5000}
HELD = Account(US.currency, US.time_zone, holds=UNPAID)


def held(given: Given) -> Given:
    return replace(given, account=HELD)


REFUSED: dict[str, tuple[Given, PlanCommand]] = {
    "a purchase": (nothing(), start()),
    "a capacity": (with_large_meetings(), buy("storage_30")),
    "an add-on": (with_large_meetings(), add()),
    "an increase": (with_large_meetings(), edit(10, sku="workplace_business")),
    "a reduction": (with_large_meetings(), edit(6)),
    "a capacity of another size": (with_large_meetings(), resize(sku="large_meeting_1000")),
    "another cycle": (with_large_meetings(), change_cycle(Cycle.ANNUAL)),
    "a discard": (with_large_meetings().after(edit(6)), discard()),
    "a line that goes on": (with_large_meetings().after(cancel_line()), reinstate_line()),
    "a reinstatement": (with_large_meetings().after(cancel(cascade=True)), reinstate()),
}


@pytest.mark.parametrize(("given", "command"), REFUSED.values(), ids=REFUSED)
def test_an_unpaid_account_is_told_which_invoices_to_pay_and_what_they_come_to(
    given: Given, command: PlanCommand
) -> None:
    assert given.when(command).refused is None  # it is the hold, and nothing else
    unpaid = {"ids": ["invoice-1", "invoice-2"], "amount_minor": 6699, "currency": Currency.USD}
    held(given).when(command).then_refused("unpaid_invoices", **unpaid)


def test_an_unpaid_account_cancels_and_gives_its_licences_to_whom_it_likes() -> None:
    given = held(with_large_meetings())
    given.when(cancel(cascade=True)).then(AddOnCancelled, PlanCancelled)
    given.when(cancel_line()).then(AddOnCancelled)
    given.when(assign()).then(LicenceAssigned)
