"""When a term is over: it goes on at the prices of that day, or the plan ends (DOMAIN 3, B4, B10)."""

from datetime import date

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from contracts.plan_actions import PlanStatus
from contracts.plans import (
    AddOnCancelled,
    DiscardReason,
    EndReason,
    PlanCancelled,
    PlanEditDiscarded,
    PlanEdited,
    PlanEnded,
    PlanEvent,
    PlanLapsed,
    PlanTermAdvanced,
    RenewalRequoted,
)
from contracts.terms import Cycle, term
from services.plans import term_end
from tests.plans.given import (
    FOR_SALE,
    JULY_1,
    JUNE_11,
    JUNE_30,
    Given,
    assign,
    buy,
    cancel,
    catalogue_of,
    edit,
    fixed,
    folded,
    parts,
    priced,
    pro_monthly,
    published,
    renewed,
    start,
    with_large_meetings,
)

AUGUST_1 = date(2026, 8, 1)
NEW_PRICES = priced("workplace_pro", {"USD": {"monthly": fixed(1799), "annual": fixed(16990)}})


def advanced(given: Given, on: date = JULY_1, **to: object) -> list[PlanEvent]:
    return term_end.advance(given.plan, on, to.get("catalogue", given.catalogue))  # type: ignore[arg-type]


def test_a_new_term_is_charged_whole_and_tells_the_one_after_it() -> None:
    (event,) = advanced(with_large_meetings(2))
    assert isinstance(event, PlanTermAdvanced)
    assert (event.number, event.term_start, event.term_end) == (1, JULY_1, AUGUST_1)
    assert parts(event.money) == [("charge", 9 * 1699), ("charge", 2 * 5000)]
    assert {(line.days_served, line.days) for line in event.money.lines} == {(0, 31)}
    assert (event.next_renewal.due_on, event.next_renewal.amount_minor) == (AUGUST_1, 9 * 1699 + 10000)


def test_terms_count_from_the_anchor() -> None:
    """DOMAIN M9: Jan 31, Feb 28, Mar 31."""
    given = pro_monthly(on=date(2026, 1, 31))
    starts = []
    for number in range(1, 4):
        due_on = term(date(2026, 1, 31), Cycle.MONTHLY, number).start
        events = advanced(given, due_on)
        given = Given(plan=folded(given.plan, events, due_on))
        starts.append(given.known().term.start)
    assert starts == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_only_the_term_that_ends_that_day_is_advanced_and_only_once() -> None:
    given = pro_monthly()
    assert advanced(given, JUNE_30) == []
    after = folded(given.plan, advanced(given), JULY_1)
    assert term_end.advance(after, JULY_1, FOR_SALE) == []


def test_a_scheduled_reduction_takes_effect_and_the_new_term_costs_less() -> None:
    given = pro_monthly().after(edit(5))
    edited, event = advanced(given)
    assert isinstance(edited, PlanEdited)
    assert isinstance(event, PlanTermAdvanced)
    assert (edited.change_id, edited.after.quantity, edited.money.lines) == ("change-1", 5, ())
    assert parts(event.money) == [("charge", 5 * 1699)]
    # Nobody may take this renewal for one that is still to come.
    assert edited.next_renewal == event.next_renewal
    assert folded(given.plan, [edited, event], JULY_1).pending == {}  # type: ignore[union-attr]


def test_a_reduction_below_the_licences_assigned_by_then_is_discarded() -> None:
    given = pro_monthly().after(edit(2), *(assign(f"person-{number}") for number in range(3)))
    discarded, event = advanced(given)
    assert isinstance(discarded, PlanEditDiscarded)
    assert isinstance(event, PlanTermAdvanced)
    assert discarded.reason is DiscardReason.LICENCES_ASSIGNED
    assert parts(event.money) == [("charge", 9 * 1699)]


def test_a_cancelled_plan_ends_and_costs_nothing_more() -> None:
    given = with_large_meetings().after(cancel(cascade=True))
    (event,) = advanced(given)
    assert isinstance(event, PlanEnded)
    assert (event.ended_on, event.reason, event.next_renewal.lines) == (JULY_1, EndReason.CANCELLED, ())
    ended = folded(given.plan, [event], JULY_1)
    assert ended is not None
    assert ended.standing().status is PlanStatus.ENDED
    assert term_end.end(ended, JULY_1) == []


def test_an_ended_plan_is_not_changed_any_more() -> None:
    given = pro_monthly().after(cancel())
    ended = Given(plan=folded(given.plan, advanced(given), JULY_1))
    ended.when(edit(10, on=JULY_1)).then_refused("plan_ended")


def test_a_plan_ends_on_its_day_and_not_before() -> None:
    given = pro_monthly().after(cancel())
    assert term_end.end(given.plan, JUNE_30) == []
    (event,) = term_end.end(given.plan, JULY_1)
    assert isinstance(event, PlanEnded)
    assert term_end.end(pro_monthly().plan, JULY_1) == []


def test_a_one_month_plan_ends_after_its_month() -> None:
    bases = frozenset({"workplace_pro"})
    given = Given().after(start("webinar_one_month_500", 1, Cycle.ONE_MONTH, account_bases=bases))
    (event,) = term_end.end(given.plan, JULY_1)
    assert isinstance(event, PlanEnded)
    assert event.reason is EndReason.ONE_MONTH


def test_a_lapsed_plan_is_over() -> None:
    given = pro_monthly()
    (event,) = term_end.lapse(given.plan, "invoice-1", JUNE_30)
    assert isinstance(event, PlanLapsed)
    assert event.next_renewal.lines == ()
    lapsed = Given(plan=folded(given.plan, [event], JUNE_30))
    assert term_end.lapse(lapsed.plan, "invoice-1", JUNE_30) == []
    assert advanced(lapsed) == []
    lapsed.when(edit(10, on=JUNE_30)).then_refused("plan_ended")


def test_a_line_that_was_cancelled_alone_is_left_out_of_the_new_term() -> None:
    given = with_large_meetings()
    ending = folded(
        given.plan, [AddOnCancelled(bundle_id="b1", line_id="line-2", ends_on=JULY_1, next_renewal=None)], JUNE_11
    )
    (event,) = term_end.advance(ending, JULY_1, FOR_SALE)
    assert isinstance(event, PlanTermAdvanced)
    assert [line.line_id for line in event.lines] == ["line-1"]


def test_a_line_bought_after_another_ended_has_an_id_of_its_own() -> None:
    given = with_large_meetings()
    ending = folded(
        given.plan, [AddOnCancelled(bundle_id="b1", line_id="line-2", ends_on=JULY_1, next_renewal=None)], JUNE_11
    )
    begun = Given(plan=folded(ending, term_end.advance(ending, JULY_1, FOR_SALE), JULY_1))
    bought = begun.after(buy("storage_30", on=JULY_1))
    assert list(bought.known().lines) == ["line-1", "line-3"]


# Prices (DOMAIN B10)


def sold_anew(**different: object) -> Given:
    """Plans of June 1 at 1699; since June 15 the book says 1799."""
    book = published(2, effective_from=date(2026, 6, 15), products=NEW_PRICES, **different)
    return Given(plan=pro_monthly().plan, catalogue=catalogue_of(published(), book))


def test_a_running_term_keeps_its_price_and_the_next_one_has_that_of_its_first_day() -> None:
    given = sold_anew()
    assert given.known().base.total_minor == 9 * 1699
    (event,) = advanced(given)
    assert isinstance(event, PlanTermAdvanced)
    assert parts(event.money) == [("charge", 9 * 1799)]
    assert event.lines[0].book_version == 2


def test_a_book_may_spare_existing_customers_for_a_while() -> None:
    given = sold_anew(applies_to_existing_from=AUGUST_1)
    (event,) = advanced(given)
    assert isinstance(event, PlanTermAdvanced)
    assert parts(event.money) == [("charge", 9 * 1699)]
    assert renewed(event.next_renewal) == {"workplace_pro": (9, 9 * 1799)}


def test_who_bought_at_the_new_price_does_not_get_the_old_one() -> None:
    given = sold_anew(applies_to_existing_from=date(2027, 1, 1))
    bought = Given(catalogue=given.catalogue).after(start("workplace_pro", 2, on=date(2026, 6, 20)))
    (event,) = advanced(bought, date(2026, 7, 20))
    assert isinstance(event, PlanTermAdvanced)
    assert parts(event.money) == [("charge", 2 * 1799)]


@pytest.mark.parametrize("versions", [(2, 3), (3, 2)])
def test_of_two_books_with_one_date_the_higher_version_is_in_force(versions: tuple[int, int]) -> None:
    products = {2: NEW_PRICES, 3: priced("workplace_pro", {"USD": {"monthly": fixed(1899)}})}
    books = [published(version, date(2026, 6, 15), products=products[version]) for version in versions]
    (event,) = term_end.advance(pro_monthly().plan, JULY_1, catalogue_of(published(), *books))
    assert isinstance(event, PlanTermAdvanced)
    assert parts(event.money) == [("charge", 9 * 1899)]


def test_a_product_that_left_the_book_keeps_its_price() -> None:
    without = tuple(product for product in published().products if product.sku != "workplace_pro")
    books = catalogue_of(published(), published(2, date(2026, 6, 15), products=without))
    (event,) = term_end.advance(pro_monthly().plan, JULY_1, books)
    assert isinstance(event, PlanTermAdvanced)
    assert parts(event.money) == [("charge", 9 * 1699)]


def test_a_new_book_is_told_to_the_plans_whose_renewal_it_changes() -> None:
    given = sold_anew()
    (event,) = term_end.requote(given.plan, 2, given.catalogue)
    assert isinstance(event, RenewalRequoted)
    assert event.next_renewal.amount_minor == 9 * 1799
    told = folded(given.plan, [event], JUNE_11)
    assert term_end.requote(told, 2, given.catalogue) == []
    assert term_end.requote(pro_monthly().plan, 1, FOR_SALE) == []


@given_any(st.integers(1, 9), st.integers(0, 9), st.booleans())
def test_what_was_told_is_what_is_charged(licences: int, reduced_to: int, stop: bool) -> None:
    """The forecast on the card is the next term's invoice, as long as nothing happens in between."""
    given = pro_monthly(licences)
    if 0 < reduced_to < licences:
        given = given.after(edit(reduced_to))
    if stop:
        given = given.after(cancel())
    told = given.told[-1].next_renewal  # type: ignore[union-attr]
    charged = [event.money.net_minor for event in advanced(given) if isinstance(event, PlanTermAdvanced)]
    assert sum(charged) == told.amount_minor
    assert isinstance(given.told[-1], PlanCancelled) is stop
