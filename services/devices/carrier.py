"""Who takes parcels to the customer: a port, and the embedded carrier, which moves them by the clock.

A carrier says in advance what it will do with a parcel. One that only tells afterwards is connected by an adapter that
keeps what it was told, and by the commands of `order_decider`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from contracts.devices import Speed
from contracts.tracking import digits_from, tracking_number


@dataclass(frozen=True, slots=True)
class Parcel:
    """name: unique. ready_at: when it may be taken. days_after_first: for what does not go with the first parcels.
    again: it takes the place of a lost one. first: of its order."""

    name: str
    ship_to: str
    speed: Speed
    ready_at: datetime
    days_after_first: int = 0
    again: bool = False
    first: bool = True


@dataclass(frozen=True, slots=True)
class Journey:
    """What a carrier does with a parcel. ends_at: when it is delivered, or known to be lost."""

    tracking_number: str
    dispatched_at: datetime
    ends_at: datetime
    fate: Literal["delivered", "lost"]


class Carrier(Protocol):
    name: str

    def journey(self, parcel: Parcel) -> Journey:
        """The same for the same parcel, whenever and however often it is asked."""
        ...


class EmbeddedCarrier:
    """Takes a parcel a day after it is ready (at once if express) and is there three days later (one).

    A ship-to reference ending in `-lost` loses the first parcel of an order, once.
    """

    name = "embedded"

    def journey(self, parcel: Parcel) -> Journey:
        express = parcel.speed is Speed.EXPRESS
        waits = timedelta(days=(0 if express else 1) + parcel.days_after_first)
        dispatched_at = parcel.ready_at + waits
        lost = parcel.ship_to.endswith("-lost") and parcel.first and not parcel.again
        return Journey(
            tracking_number=tracking_number(digits_from(parcel.name)),
            dispatched_at=dispatched_at,
            ends_at=dispatched_at + timedelta(days=1 if express else 3),
            fate="lost" if lost else "delivered",
        )
