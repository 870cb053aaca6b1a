"""DOMAIN 4: every worked example by the shared arithmetic, and what must hold for any amount and any cuts."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.codec import EVENTS
from contracts.money import EXPONENTS, MAX_MINOR, AmountTooLarge, Currency, format_minor, within_range
from contracts.pricing import Price
from contracts.proration import Period, earned, rest

FEBRUARY = Period(date(2026, 1, 31), date(2026, 2, 28))
JUNE = Period(date(2026, 6, 1), date(2026, 7, 1))
YEAR = Period(date(2026, 1, 1), date(2027, 1, 1))
amounts = st.integers(-MAX_MINOR, MAX_MINOR)


def test_three_more_monthly_licences_are_charged_for_the_days_that_are_left() -> None:
    assert rest(3 * 1699, FEBRUARY, date(2026, 2, 10)) == 3277


def test_five_more_annual_licences_are_charged_for_the_days_that_are_left() -> None:
    assert rest(5 * 21990, Period(date(2026, 3, 8), date(2027, 3, 8)), date(2026, 7, 1)) == 75308


def test_a_cycle_change_to_annual_credits_the_old_rest_and_charges_a_whole_year() -> None:
    old_rest = rest(5 * 1699, JUNE, date(2026, 6, 15))
    assert old_rest == 4531
    assert 5 * 15990 - old_rest == 75419


def test_a_cycle_change_to_monthly_leaves_a_balance_to_the_customer() -> None:
    old_rest = rest(5 * 15990, YEAR, date(2026, 4, 11))
    assert (old_rest, 5 * 1699, old_rest - 5 * 1699) == (58046, 8495, 49551)


def test_a_bigger_product_in_mid_term_costs_the_new_rest_less_the_old_rest() -> None:
    old_rest, new_rest = (rest(total, JUNE, date(2026, 6, 11)) for total in (9 * 1699, 10 * 2199))
    assert (old_rest, new_rest, new_rest - old_rest) == (10194, 14660, 4466)


def test_a_currency_without_minor_units_is_prorated_in_whole_units() -> None:
    assert rest(7 * 2400, Period(date(2026, 2, 1), date(2026, 3, 1)), date(2026, 2, 14)) == 9000


def test_rounding_is_per_line_total_and_not_per_licence() -> None:
    on = date(2026, 2, 10)
    assert rest(100 * 1699, FEBRUARY, on) == 109221
    assert 100 * rest(1699, FEBRUARY, on) == 109200


def test_half_a_minor_unit_is_earned_upwards_in_both_signs() -> None:
    assert (earned(1, 1, 2), earned(-1, 1, 2)) == (1, -1)
    assert (earned(1, 1, 3), earned(-1, 1, 3)) == (0, 0)


@given(amounts, st.integers(1, 400), st.data())
def test_what_is_earned_and_what_is_left_are_the_whole(amount: int, days: int, data: st.DataObject) -> None:
    start = date(2026, 1, 1)
    period = Period(start, date.fromordinal(start.toordinal() + days))
    served = data.draw(st.integers(0, days))
    assert earned(amount, served, days) + rest(amount, period, date.fromordinal(start.toordinal() + served)) == amount


@given(amounts, st.integers(1, 400), st.data())
def test_any_number_of_cuts_telescopes_to_the_whole(amount: int, days: int, data: st.DataObject) -> None:
    cuts = sorted({0, days, *data.draw(st.lists(st.integers(0, days)))})
    parts = [earned(amount, after, days) - earned(amount, before, days) for before, after in pairwise(cuts)]
    assert sum(parts) == amount
    assert all(part * amount >= 0 for part in parts)  # no cut takes back what another one gave


@given(amounts, st.integers(1, 400), st.data())
def test_what_is_earned_is_the_nearest_minor_unit_and_turns_with_the_sign(
    amount: int, days: int, data: st.DataObject
) -> None:
    served = data.draw(st.integers(0, days))
    assert 2 * abs(earned(amount, served, days) * days - amount * served) <= days
    assert earned(-amount, served, days) == -earned(amount, served, days)


@pytest.mark.parametrize(("served", "days"), [(-1, 30), (31, 30), (0, 0), (1, -1)])
def test_days_that_cannot_be_served_are_an_error(served: int, days: int) -> None:
    with pytest.raises(ValueError, match="cannot be served"):
        earned(100, served, days)


def test_a_period_is_half_open() -> None:
    assert JUNE.days == 30
    assert JUNE.start in JUNE
    assert JUNE.end not in JUNE
    assert (JUNE.days_before(JUNE.start), JUNE.days_before(JUNE.end)) == (0, 30)
    assert (rest(999, JUNE, JUNE.start), rest(999, JUNE, JUNE.end)) == (999, 0)


@pytest.mark.parametrize("on", [date(2026, 5, 31), date(2026, 7, 2)])
def test_a_day_outside_a_period_has_no_rest(on: date) -> None:
    with pytest.raises(ValueError, match="outside"):
        rest(100, JUNE, on)


def test_a_period_of_no_days_is_none() -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        Period(JUNE.start, JUNE.start)


def test_each_currency_has_the_exponent_of_iso_4217() -> None:
    assert {currency: EXPONENTS[currency] for currency in Currency} == {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456, Currency.USD, "1,234.56 USD"),
        (5, Currency.EUR, "0.05 EUR"),
        (2400, Currency.JPY, "2,400 JPY"),
        (5200, Currency.KWD, "5.200 KWD"),
        (-4531, Currency.USD, "(45.31 USD)"),
        (0, Currency.USD, "0.00 USD"),
    ],
)
def test_an_amount_is_shown_with_its_own_digits_and_a_credit_in_parentheses(
    minor: int, currency: Currency, text: str
) -> None:
    assert format_minor(minor, currency) == text


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_no_event_has_a_number_that_may_be_a_fraction(event: type[BaseModel]) -> None:
    assert "'type': 'number'" not in str(event.model_json_schema())


@pytest.mark.parametrize("amount", [MAX_MINOR, -MAX_MINOR, 0])
def test_amounts_up_to_the_limit_are_kept(amount: int) -> None:
    assert within_range(amount) == amount


@pytest.mark.parametrize("amount", [MAX_MINOR + 1, -MAX_MINOR - 1])
def test_an_amount_beyond_the_limit_is_too_large(amount: int) -> None:
    with pytest.raises(AmountTooLarge):
        within_range(amount)


def test_a_line_total_beyond_the_limit_is_too_large() -> None:
    assert Price.fixed(MAX_MINOR).total_minor(1) == MAX_MINOR
    with pytest.raises(AmountTooLarge):
        Price.fixed(MAX_MINOR).total_minor(2)
