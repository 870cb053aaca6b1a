"""What a parcel and a device are known by: numbers whose check digit tells a slip of the pen before anybody looks."""

import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator, Field

_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)  # UPU S10, the form postal services give their parcels
_TRACKING = re.compile(r"[A-Z]{2}([0-9]{8})([0-9])[A-Z]{2}")


def check_digit(digits: str) -> int:
    """Of eight digits, as UPU S10 has it."""
    rest = 11 - sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True)) % 11
    return {10: 0, 11: 5}.get(rest, rest)


def tracking_number(digits: str) -> str:
    """The number of the embedded carrier's parcel with these eight digits."""
    return f"DX{digits}{check_digit(digits)}PB"


def digits_from(text: str) -> str:
    """Eight digits that are always the same for one text."""
    return f"{int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], 'big') % 10**8:08d}"


def checked(number: str) -> str:
    """`number` itself. Raises ValueError for one that no carrier can have given."""
    found = _TRACKING.fullmatch(number)
    if found is None or int(found[2]) != check_digit(found[1]):
        raise ValueError("not a tracking number: two letters, eight digits, their check digit and two letters")
    return number


TrackingNumber = Annotated[str, AfterValidator(checked), Field(examples=["DX473124829PB"])]
Serial = Annotated[str, Field(pattern=r"^SN[0-9A-F]{12}$", examples=["SN0F2D4C6B8A9E"])]
