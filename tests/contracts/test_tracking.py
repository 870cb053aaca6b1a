"""A slip of the pen in a tracking number is told at once: its check digit is UPU S10's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.tracking import check_digit, checked, digits_from, tracking_number

digits = st.text("0123456789", min_size=8, max_size=8)


def test_the_check_digit_is_the_postal_unions() -> None:
    assert check_digit("47312482") == 9  # the example of UPU S10
    assert [check_digit(each) for each in ("00000000", "00000004", "00000008")] == [5, 5, 0]


@given(digits)
def test_what_the_embedded_carrier_gives_is_sound(number: str) -> None:
    assert checked(tracking_number(number)) == tracking_number(number)


@given(digits, st.integers(0, 7), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_found_wherever_it_is_but_for_what_eleven_cannot_tell(
    number: str, place: int, wrong: str
) -> None:
    slipped = number[:place] + wrong + number[place + 1 :]
    right, other = tracking_number(number), f"DX{slipped}{check_digit(number)}PB"
    if slipped != number and check_digit(slipped) != check_digit(number):
        with pytest.raises(ValueError, match="not a tracking number"):
            checked(other)
    assert checked(right)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "DX473124829P",
        "DX473124828PB",
        "dx473124829pb",
        "DX47312482٩PB",
        "DX473124829PB\n",
        " DX473124829PB",
        "x" * 99,
    ],
)
def test_what_no_carrier_can_have_given_is_none(number: str) -> None:
    with pytest.raises(ValueError, match="not a tracking number"):
        checked(number)


def test_the_same_text_has_always_the_same_digits() -> None:
    assert digits_from("o1/shipment-1") == digits_from("o1/shipment-1") == "71514226"
    assert digits_from("o1/shipment-2") != digits_from("o1/shipment-1")
