"""From monthly to annual and back: the old rest is given back, a whole new term begins today (DOMAIN M7, B2, B7)."""

from datetime import date

from contracts.plans import PlanCycleChanged, PlanEditDiscarded, PlanTermAdvanced
from contracts.terms import Cycle
from services.plans import term_end
from tests.plans.given import (
    JULY_1,
    JUNE_1,
    JUNE_15,
    VIEWER,
    Given,
    buy,
    cancel,
    cancel_line,
    change_cycle,
    edit,
    fixed,
    line,
    nothing,
    parts,
    priced,
    pro_monthly,
    published,
    renewed,
    start,
    with_large_meetings,
)

ANNUAL, MONTHLY = Cycle.ANNUAL, Cycle.MONTHLY
APRIL_11 = date(2026, 4, 11)


def pro_annual(licences: int = 5, on: date = date(2026, 1, 1)) -> Given:
    return nothing().after(start("workplace_pro", licences, ANNUAL, on))


def test_monthly_to_annual_charges_a_year_less_what_is_left_of_the_month() -> None:
    changed = pro_monthly(5).when(change_cycle(ANNUAL, JUNE_15)).then(PlanCycleChanged)
    assert parts(changed.money) == [("credit", -4531), ("charge", 79950)]
    assert changed.money.net_minor == 75419
    assert (changed.term_start, changed.term_end) == (JUNE_15, date(2027, 6, 15))
    assert (changed.next_renewal.cadence, changed.next_renewal.due_on) == (ANNUAL, date(2027, 6, 15))
    assert renewed(changed.next_renewal) == {"workplace_pro": (5, 79950)}


def test_annual_to_monthly_leaves_a_balance() -> None:
    changed = pro_annual(5).when(change_cycle(MONTHLY, APRIL_11)).then(PlanCycleChanged)
    assert parts(changed.money) == [("credit", -58046), ("charge", 8495)]
    assert changed.money.net_minor == -49551


def test_the_anchor_moves_to_the_day_of_the_change() -> None:
    given = pro_monthly(5).after(change_cycle(ANNUAL, JUNE_15))
    assert (given.known().anchor_on, given.known().term_number) == (JUNE_15, 0)
    (advanced,) = term_end.advance(given.plan, date(2027, 6, 15), given.catalogue)
    assert isinstance(advanced, PlanTermAdvanced)
    assert (advanced.number, advanced.cadence, advanced.term_end) == (1, ANNUAL, date(2028, 6, 15))


def test_every_line_changes_with_the_base() -> None:
    changed = with_large_meetings(2).when(change_cycle(ANNUAL, JUNE_15)).then(PlanCycleChanged)
    assert [(part.line_id, part.part, part.amount_minor) for part in changed.money.lines] == [
        ("line-1", "credit", -8155),  # 16 of 30 days of 15291
        ("line-2", "credit", -5333),  # and of 10000
        ("line-1", "charge", 143910),
        ("line-2", "charge", 120000),
    ]


def test_a_line_that_was_to_end_with_the_term_ends_with_it_today() -> None:
    given = with_large_meetings(2).after(cancel_line())
    changed = given.when(change_cycle(ANNUAL, JUNE_15)).then(PlanCycleChanged)
    assert [each.line_id for each in changed.lines] == ["line-1"]
    assert ("credit", -5333) in parts(changed.money)
    assert given.after(change_cycle(ANNUAL, JUNE_15)).known().ending == frozenset()


def test_what_was_given_back_is_not_given_back_again() -> None:
    """M8: a credit is at most what was charged for the new term, whatever the old one came to."""
    given = pro_monthly(5).after(change_cycle(ANNUAL, JUNE_15))
    assert given.known().charged_minor == {"line-1": 79950}
    back = given.when(change_cycle(MONTHLY, JUNE_15)).then(PlanCycleChanged)
    assert parts(back.money) == [("credit", -79950), ("charge", 8495)]


def test_a_pending_change_is_in_the_way_unless_it_is_discarded_with_it() -> None:
    given = pro_monthly(9).after(edit(6))
    given.when(change_cycle(ANNUAL)).then_refused("pending_change", changes=["change-1"])
    discarded, changed = given.when(change_cycle(ANNUAL, discard_pending=True)).events
    assert isinstance(discarded, PlanEditDiscarded)
    assert renewed(changed.next_renewal) == {"workplace_pro": (9, 143910)}
    assert given.after(change_cycle(ANNUAL, discard_pending=True)).known().pending == {}


def test_the_new_term_has_the_price_an_existing_customer_has_that_day() -> None:
    dearer = published(
        2,
        JUNE_1,
        applies_to_existing_from=JULY_1,
        products=priced("workplace_pro", {"USD": {"monthly": fixed(1799), "annual": fixed(16990)}}),
    )
    given = pro_monthly(5, on=date(2026, 5, 20)).with_books(published(), dearer)
    assert line(given.after(change_cycle(ANNUAL, JUNE_15))).price.unit_minor(5) == 15990
    july_2 = date(2026, 7, 2)
    later = pro_monthly(5, on=date(2026, 6, 20)).with_books(published(), dearer)
    assert line(later.after(change_cycle(ANNUAL, july_2))).price.unit_minor(5) == 16990


def test_a_product_without_that_cycle_stays_as_it_is() -> None:
    only_monthly = published(2, JUNE_1, products=priced("large_meeting_500", {"USD": {"monthly": fixed(5000)}}))
    given = with_large_meetings().with_books(published(), only_monthly)
    given.when(change_cycle(ANNUAL)).then_refused("cycle_unavailable", skus=["large_meeting_500"])


def test_what_cannot_change_its_cycle() -> None:
    pro_monthly().when(change_cycle(MONTHLY)).then_refused("no_change")
    pro_monthly().when(change_cycle(ANNUAL, privileges=VIEWER)).then_refused("forbidden")
    pro_monthly().after(cancel()).when(change_cycle(ANNUAL)).then_refused("plan_cancelled")
    pro_monthly().when(change_cycle(ANNUAL, JULY_1)).then_refused("renewal_due")
    one_month = nothing().after(
        start("webinar_one_month_500", 1, Cycle.ONE_MONTH, account_bases=frozenset({"workplace_pro"}))
    )
    one_month.when(change_cycle(ANNUAL)).then_refused("one_month_plan")


def test_lines_bought_after_it_share_the_new_term() -> None:
    given = pro_monthly(5).after(change_cycle(ANNUAL, JUNE_15))
    bought = given.when(buy("storage_30", on=date(2026, 12, 15))).then_is_charged()
    assert bought == round(12000 * 182 / 365)
