"""Each read model: given events, the next one gives this row. Events come from the deciders, through the codec."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from contracts.plans import CancelReason, PlanEdited
from contracts.terms import Cycle
from contracts.topics import Owner
from services.gateway.projections import PROJECTIONS, Projection, account, catalogue, plan_summary, product_card
from services.gateway.projections.streams import place
from services.plans.commands import (
    AssignLicence,
    BuyCapacity,
    CancelPlan,
    DiscardPendingChange,
    EditPlan,
    ReinstatePlan,
    StartPlan,
    UnassignLicence,
)

from .history import BOOK, History, asked, started

Row = dict[str, Any]


def folded(projection: Projection, history: History) -> dict[str, Row | None]:
    rows: dict[str, Row | None] = {}
    for log in history.logs.values():
        for envelope in log:
            if (key := projection.key(envelope)) is not None:
                rows[key] = projection.apply(rows.get(key), envelope)
    return rows


def card(history: History, bundle_id: str = "b1") -> Row:
    row = folded(product_card, history)[bundle_id]
    assert row is not None
    return row


def test_a_started_plan_has_a_card() -> None:
    history = started(quantity=5)
    row = card(history)
    event = history.events[-1]
    assert row["lines"][row["base"]]["sku"] == "workplace_pro"
    assert (row["account_id"], row["family"], row["cycle"], row["currency"]) == ("acme", "workplace", "monthly", "USD")
    assert (row["term_start"], row["term_end"], row["time_zone"]) == ("2026-01-31", "2026-02-28", "Europe/Vienna")
    assert row["next_renewal"] == {"due_on": "2026-02-28", "amount_minor": 5000}
    assert (row["assigned"], row["changes"], row["cancellation"]) == (0, {}, None)
    assert (row["revision"], row["started_event_id"], row["last_event_id"]) == (0, event.event_id, event.event_id)


def test_an_increase_shows_at_once() -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=8)))
    row = card(history)
    assert row["lines"]["line-1"]["quantity"] == 8
    assert row["next_renewal"]["amount_minor"] == 8000
    assert row["revision"] == 1


def test_a_reduction_is_pending_until_it_is_discarded() -> None:
    history = started()
    before = card(history)
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    pending = card(history)
    assert pending["lines"] == before["lines"]
    change = pending["changes"]["line-1"]
    assert (change["before"]["quantity"], change["after"]["quantity"]) == (5, 3)
    assert (change["effective_on"], change["direction"]) == ("2026-02-28", "down")
    assert pending["next_renewal"]["amount_minor"] == 3000
    history.do("acme", DiscardPendingChange(**asked("b1", history)))
    after = card(history)
    same = {"revision", "last_event_id", "renewal_from"}
    assert {k: v for k, v in after.items() if k not in same} == {k: v for k, v in before.items() if k not in same}


def test_a_second_reduction_takes_the_place_of_the_first() -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    history.do("acme", EditPlan(**asked("b1", history, quantity=2)))
    changes = card(history)["changes"]
    assert [change["after"]["quantity"] for change in changes.values()] == [2]


def test_an_increase_ends_the_pending_reduction() -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    history.do("acme", EditPlan(**asked("b1", history, quantity=9)))
    row = card(history)
    assert (row["changes"], row["lines"]["line-1"]["quantity"]) == ({}, 9)


def test_a_scheduled_edit_that_takes_effect_is_no_longer_pending() -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    scheduled = history.events[-1]
    # The clock that applies scheduled edits comes later; its event is part of the contract already.
    body = {**scheduled.data, "money": {"currency": "USD", "net_minor": 0, "lines": []}}
    event = PlanEdited.model_validate_json(orjson.dumps(body))
    history.write(Owner.PLANS, "plan-b1", "acme", [event])
    row = card(history)
    assert (row["changes"], row["lines"]["line-1"]["quantity"]) == ({}, 3)


def test_a_capacity_stands_under_the_base() -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=2)))
    row = card(history)
    assert [line["sku"] for line in row["lines"].values()] == ["workplace_pro", "storage"]
    assert row["next_renewal"]["amount_minor"] == 7000


def test_a_cancelled_plan_ends_with_its_lines_and_does_not_renew() -> None:
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=2)))
    before = card(history)
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.TOO_EXPENSIVE, cascade=True)))
    row = card(history)
    assert row["cancellation"] == {
        "reason": "too_expensive",
        "ends_on": "2026-02-28",
        "refund_requested": False,
        "cancelled_on": "2026-01-31",
    }
    assert row["ends"] == {"line-1": "2026-02-28", "line-2": "2026-02-28"}
    assert row["next_renewal"] is None
    history.do("acme", ReinstatePlan(**asked("b1", history)))
    after = card(history)
    assert {name for name in after if after[name] != before[name]} == {"revision", "last_event_id", "renewal_from"}


def test_licences_are_counted_as_they_are_assigned() -> None:
    history = started()
    for person in ("a", "b", "c"):
        history.do("acme", AssignLicence(**asked("b1", history, assignee=person)))
    history.do("acme", UnassignLicence(**asked("b1", history, assignee="b")))
    assert card(history)["assigned"] == 2


def test_a_row_is_never_changed_but_replaced() -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    history.do("acme", AssignLicence(**asked("b1", history, assignee="a")))
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.OTHER)))
    for projection in PROJECTIONS:
        rows: dict[str, Row | None] = {}
        for log in history.logs.values():
            for envelope in log:
                if (key := projection.key(envelope)) is not None:
                    row = rows.get(key)
                    seen = orjson.dumps((row, envelope))
                    rows[key] = projection.apply(row, envelope)
                    assert orjson.dumps((row, envelope)) == seen


def test_an_event_of_a_kind_we_do_not_know_moves_the_revision_and_nothing_else() -> None:
    """The revision is what a command must send as If-Match, whatever happened."""
    history = started()
    before = card(history)
    last = history.events[-1]
    unknown = replace(last, type="plans.PlanFramed", revision=1, position=last.position + 3, event_id="e", data={})
    after = product_card.apply(before, unknown)
    assert after == {**before, "revision": 1, "last_event_id": "e"}


@pytest.mark.parametrize("missing", [0, 1])
def test_a_gap_in_a_stream_cannot_be_applied(missing: int) -> None:
    history = started()
    history.do("acme", EditPlan(**asked("b1", history, quantity=6)))
    history.do("acme", EditPlan(**asked("b1", history, quantity=7)))
    history.events.remove(next(each for each in history.events if (each.stream, each.revision) == ("plan-b1", missing)))
    with pytest.raises(ValueError, match="comes next"):
        folded(product_card, history)


def test_no_two_read_models_take_the_same_stream() -> None:
    """But for the history, which takes all that have an account."""
    of_one_kind = [projection for projection in PROJECTIONS if projection.CATEGORY]
    for log in started().logs.values():
        for envelope in log:
            assert sum(projection.key(envelope) is not None for projection in of_one_kind) == 1


def test_an_account_has_a_currency_and_a_zone() -> None:
    row = folded(account, started())["acme"]
    assert row == {
        "account_id": "acme",
        "currency": "USD",
        "time_zone": "Europe/Vienna",
        "payment_token": None,
        "holds": [],
        "opened_at": "2026-01-31T10:00:00.000000Z",
        "revision": 0,
    }


def test_a_catalogue_keeps_every_version_of_its_book() -> None:
    history = History()
    history.publish(BOOK)
    history.publish(BOOK.model_copy(update={"book_version": 2, "effective_from": date(2026, 4, 1)}))
    row = folded(catalogue, history)["standard"]
    assert row is not None
    assert [version["book_version"] for version in row["versions"]] == [1, 2]


def test_the_summary_holds_every_coming_renewal_with_its_bundles() -> None:
    history = started()
    history.do("acme", StartPlan(**asked("b2", history, sku="phone", quantity=2, cycle=Cycle.ANNUAL)))
    history.today += timedelta(days=3)
    history.do("acme", StartPlan(**asked("b3", history, sku="workplace_pro", quantity=1, cycle=Cycle.MONTHLY)))
    row = folded(plan_summary, history)["acme"]
    assert row is not None
    monthly, annual = row["upcoming"]["monthly"], row["upcoming"]["annual"]
    assert {day: renewal["amount_minor"] for day, renewal in monthly.items()} == {
        "2026-02-28": 5000,
        "2026-03-03": 1000,
    }
    assert [bundle["bundle_id"] for bundle in annual["2027-01-31"]["bundles"]] == ["b2"]


def test_a_day_on_which_nothing_is_due_any_more_is_forgotten() -> None:
    history = started()
    history.do("acme", CancelPlan(**asked("b1", history, reason=CancelReason.OTHER)))
    row = folded(plan_summary, history)["acme"]
    assert row is not None
    assert row["upcoming"] == {"monthly": {}}


def test_a_row_keeps_where_the_event_of_each_number_lies() -> None:
    """An edit of one line leaves the others where they came from."""
    history = started()
    history.do("acme", BuyCapacity(**asked("b1", history, sku="storage", quantity=2)))
    bought = place(history.events[-1])
    history.do("acme", EditPlan(**asked("b1", history, quantity=6)))
    edited = place(history.events[-1])
    row = card(history)
    assert (row["lines_from"], row["renewal_from"]) == ({"line-1": edited, "line-2": bought}, edited)
    history.do("acme", EditPlan(**asked("b1", history, quantity=3)))
    assert card(history)["changes"]["line-1"]["from"] == place(history.events[-1])
    history.do("acme", AssignLicence(**asked("b1", history, assignee="a")))
    assert card(history)["lines_from"] == row["lines_from"]
