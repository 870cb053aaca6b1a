"""A lease: one rented unit, its 36 months, its replacement and its return. Pure (DOMAIN B14)."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from contracts.device_actions import LeaseStanding, LeaseStatus
from contracts.devices import (
    DeviceLeaseStarted,
    DeviceReplacementRequested,
    DeviceReplacementSent,
    DeviceReturned,
    DeviceReturnOverdue,
    DeviceReturnRequested,
    LeaseEvent,
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A device that has been asked for in the place of the present one. number: counts them from 1."""

    number: int
    ship_to: str
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """serial: of the device the customer has. replacement: one that was not sent yet. replacements: asked for so far.
    rma: of the return, once it was requested."""

    started: DeviceLeaseStarted
    serial: str
    replacement: Replacement | None = None
    replacements: int = 0
    rma: str | None = None
    status: LeaseStatus = LeaseStatus.ACTIVE

    @property
    def lease_id(self) -> str:
        return self.started.lease_id

    def day(self, at: datetime) -> date:
        """The date it is at an instant in the account's zone."""
        return at.astimezone(ZoneInfo(self.started.time_zone)).date()

    def standing(self) -> LeaseStanding:
        return LeaseStanding(
            status=self.status,
            ends_on=self.started.ends_on,
            replacement_requested=self.replacement is not None,
            return_requested=self.rma is not None,
        )


def evolve(lease: Lease | None, event: LeaseEvent, _effective_on: date) -> Lease:
    if isinstance(event, DeviceLeaseStarted):
        return Lease(event, event.serial)
    assert lease is not None
    match event:
        case DeviceReplacementRequested():
            asked_for = Replacement(lease.replacements + 1, event.ship_to, event.requested_at)
            return replace(lease, replacement=asked_for, replacements=asked_for.number)
        case DeviceReplacementSent():
            return replace(lease, serial=event.serial, replacement=None)
        case DeviceReturnRequested():
            return replace(lease, rma=event.rma)
        case DeviceReturned():
            return replace(lease, status=LeaseStatus.RETURNED)
        case DeviceReturnOverdue():
            return replace(lease, status=LeaseStatus.OVERDUE, replacement=None)
        case _:
            assert_never(event)
