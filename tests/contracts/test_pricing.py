"""DOMAIN M5, M11: what a quantity costs by fixed, volume and graduated tiers, and which tiers are none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.money import MAX_MINOR, AmountTooLarge
from contracts.pricing import Price, Tier

ONE_TO_TEN_AND_MORE = (Tier(up_to=10, unit_minor=1000), Tier(up_to=None, unit_minor=800))
GRADUATED = Price(model="graduated", tiers=ONE_TO_TEN_AND_MORE)
VOLUME = Price(model="volume", tiers=ONE_TO_TEN_AND_MORE)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    bounds = sorted(draw(st.sets(st.integers(1, 200), max_size=5)))
    return tuple(Tier(up_to=bound, unit_minor=draw(st.integers(0, 10_000))) for bound in [*bounds, None])


def test_fourteen_units_in_two_tiers() -> None:
    assert GRADUATED.total_minor(14) == 13200
    assert VOLUME.total_minor(14) == 11200


@pytest.mark.parametrize(
    ("quantity", "graduated", "volume"), [(1, 1000, 1000), (10, 10000, 10000), (11, 10800, 8800), (20, 18000, 16000)]
)
def test_a_tier_holds_up_to_and_including_its_bound(quantity: int, graduated: int, volume: int) -> None:
    assert (GRADUATED.total_minor(quantity), VOLUME.total_minor(quantity)) == (graduated, volume)


def test_units_have_one_price_unless_they_are_graduated() -> None:
    assert (Price.fixed(1699).unit_minor(3), VOLUME.unit_minor(10), VOLUME.unit_minor(11)) == (1699, 1000, 800)
    assert GRADUATED.unit_minor(3) is None
    assert Price(model="graduated", tiers=(Tier(up_to=None, unit_minor=7),)).unit_minor(3) == 7


@given(tiers(), st.integers(1, 300))
def test_graduated_units_cost_what_each_of_them_costs_in_its_own_tier(of: tuple[Tier, ...], quantity: int) -> None:
    one_by_one = sum(
        next(tier.unit_minor for tier in of if tier.up_to is None or unit <= tier.up_to)
        for unit in range(1, quantity + 1)
    )
    assert Price(model="graduated", tiers=of).total_minor(quantity) == one_by_one


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_fixed_price_is_the_quantity_times_the_unit(unit: int, quantity: int) -> None:
    assert Price.fixed(unit).total_minor(quantity) == unit * quantity


@pytest.mark.parametrize("model", ["volume", "graduated"])
def test_a_total_beyond_the_limit_is_too_large(model: str) -> None:
    price = Price.model_validate(
        {"model": model, "tiers": (Tier(up_to=1, unit_minor=1), Tier(up_to=None, unit_minor=MAX_MINOR))}
    )
    with pytest.raises(AmountTooLarge):
        price.total_minor(3)


WRONG: dict[str, dict[str, Any]] = {
    "no tier": {"model": "volume", "tiers": ()},
    "the last tier closed": {"model": "volume", "tiers": ({"up_to": 10, "unit_minor": 1},)},
    "an open tier in the middle": {
        "model": "volume",
        "tiers": ({"up_to": None, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}),
    },
    "tiers that fall": {
        "model": "graduated",
        "tiers": ({"up_to": 9, "unit_minor": 1}, {"up_to": 5, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}),
    },
    "tiers that overlap": {
        "model": "graduated",
        "tiers": ({"up_to": 9, "unit_minor": 1}, {"up_to": 9, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}),
    },
    "a tier up to nothing": {
        "model": "volume",
        "tiers": ({"up_to": 0, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}),
    },
    "two tiers at a fixed price": {
        "model": "fixed",
        "tiers": ({"up_to": 9, "unit_minor": 1}, {"up_to": None, "unit_minor": 1}),
    },
    "a negative price": {"model": "fixed", "tiers": ({"up_to": None, "unit_minor": -1},)},
    "a price beyond the limit": {"model": "fixed", "tiers": ({"up_to": None, "unit_minor": MAX_MINOR + 1},)},
    "a fraction": {"model": "fixed", "tiers": ({"up_to": None, "unit_minor": 1.0},)},
    "a model nobody has": {"model": "auction", "tiers": ({"up_to": None, "unit_minor": 1},)},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_tiers_that_contradict_themselves_are_no_price(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Price.model_validate(wrong)
