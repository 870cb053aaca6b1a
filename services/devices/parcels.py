"""How the units of an order are packed: numbered from 1 over its lines, six to a parcel when there are ten or more."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.devices import DeviceLine, Unit

PARCEL_UNITS = 6
WHOLE_BELOW_UNITS = 10  # an order of fewer units goes out in one parcel


@dataclass(frozen=True, slots=True)
class Packed:
    """shipment_id: of a parcel's first try. numbers: of its units. days_after_first: the rest follows a day later."""

    shipment_id: str
    numbers: tuple[int, ...]
    days_after_first: int


def packed(lines: Sequence[DeviceLine]) -> tuple[Packed, ...]:
    """Every unit once: full parcels on the first day, and what is left over in one more a day later."""
    count = sum(line.quantity for line in lines)
    size = count if count < WHOLE_BELOW_UNITS else PARCEL_UNITS
    numbers = tuple(range(1, count + 1))
    parcels = [numbers[start : start + size] for start in range(0, count, size)]
    return tuple(Packed(f"shipment-{n}", parcel, 1 if len(parcel) < size else 0) for n, parcel in enumerate(parcels, 1))


def units(order_id: str, lines: Sequence[DeviceLine], numbers: Sequence[int], attempt: int) -> tuple[Unit, ...]:
    """The devices that go into a parcel. attempt: 0, and one more each time their parcel was lost."""
    return tuple(
        Unit(number=number, line_id=_line_of(lines, number), serial=serial_of(f"{order_id}/{number}/{attempt}"))
        for number in numbers
    )


def serial_of(what: str) -> str:
    """The serial of a device, always the same for one name of it."""
    return f"SN{hashlib.sha256(what.encode()).hexdigest()[:12].upper()}"


def _line_of(lines: Sequence[DeviceLine], number: int) -> str:
    for line in lines:
        if number <= line.quantity:
            return line.line_id
        number -= line.quantity
    raise ValueError("no such unit in this order")
