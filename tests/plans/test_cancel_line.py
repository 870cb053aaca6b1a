"""Cancelling one line beside the base: served to the end of the term, then no more (DOMAIN B1)."""

from contracts.plans import AddOnCancelled, AddOnReinstated, PlanCancelled, PlanEditDiscarded
from services.plans.term_end import advance
from tests.plans.given import (
    JULY_1,
    VIEWER,
    buy,
    cancel,
    cancel_line,
    edit,
    pro_monthly,
    reinstate,
    reinstate_line,
    renewed,
    with_large_meetings,
)


def test_a_cancelled_line_runs_to_the_end_of_the_term_and_does_not_renew() -> None:
    given = with_large_meetings()
    cancelled = given.when(cancel_line()).then(AddOnCancelled)
    assert cancelled.ends_on == JULY_1
    assert renewed(cancelled.next_renewal) == {"workplace_pro": (9, 15291)}
    after = given.after(cancel_line())
    assert list(after.known().lines) == ["line-1", "line-2"]
    advanced = advance(after.plan, JULY_1, after.catalogue)[-1]
    assert [line.line_id for line in advanced.lines] == ["line-1"]  # type: ignore[union-attr]


def test_what_was_pending_for_the_line_is_discarded() -> None:
    given = with_large_meetings().after(edit(1, line_id="line-2"))
    given.when(cancel_line()).then(PlanEditDiscarded, AddOnCancelled)
    assert given.after(cancel_line()).known().pending == {}


def test_the_base_is_not_cancelled_alone_and_no_line_twice() -> None:
    pro_monthly().when(cancel_line("line-1")).then_refused("base_line")
    pro_monthly().when(cancel_line("line-9")).then_refused("line_not_found")
    with_large_meetings().after(cancel_line()).when(cancel_line()).then_refused("line_cancelled")
    with_large_meetings().after(cancel_line()).when(edit(3, line_id="line-2")).then_refused("line_cancelled")
    with_large_meetings().when(cancel_line(privileges=VIEWER)).then_refused("forbidden")
    with_large_meetings().after(cancel(cascade=True)).when(cancel_line()).then_refused("already_cancelled")


def test_once_its_lines_are_cancelled_the_base_needs_no_cascade() -> None:
    with_large_meetings().after(cancel_line()).when(cancel()).then(PlanCancelled)


def test_a_plan_comes_back_with_the_lines_cancelled_with_it_only() -> None:
    given = with_large_meetings().after(buy("storage_30"), cancel_line("line-2"))
    back = given.after(cancel(cascade=True), reinstate())
    assert set(renewed(back.known().next_renewal())) == {"workplace_pro", "storage_30"}


def test_a_refund_ends_a_line_that_was_cancelled_before_as_early_as_the_plan() -> None:
    given = with_large_meetings().after(cancel_line())
    again, plan = given.when(cancel(refund=True)).events
    assert (again.line_id, again.ends_on) == ("line-2", plan.ends_on)


def test_a_line_that_was_cancelled_goes_on_after_all() -> None:
    given = with_large_meetings().after(cancel_line())
    back = given.when(reinstate_line()).then(AddOnReinstated)
    assert renewed(back.next_renewal) == {"workplace_pro": (9, 15291), "large_meeting_500": (2, 10000)}
    assert given.after(reinstate_line()).known().ending == frozenset()
    given.after(reinstate_line()).when(cancel()).then_refused("active_addons", lines=["line-2"])


def test_only_a_line_that_was_cancelled_by_itself_comes_back_by_itself() -> None:
    with_large_meetings().when(reinstate_line()).then_refused("line_not_cancelled")
    with_large_meetings().when(reinstate_line("line-1")).then_refused("line_not_cancelled")
    with_large_meetings().when(reinstate_line("line-9")).then_refused("line_not_found")
    given = with_large_meetings().after(cancel_line(), cancel())
    given.when(reinstate_line()).then_refused("plan_cancelled")
    given.after(reinstate()).when(reinstate_line()).then(AddOnReinstated)


def test_a_line_that_the_base_allows_no_more_does_not_come_back() -> None:
    given = with_large_meetings().after(cancel_line(), edit(sku="workplace_basic"))
    given.when(reinstate_line()).then_refused("requirement_unmet")
