"""The rules of a lease: a command and what is known become events, or a refusal. Pure (DOMAIN B14, 6)."""

from datetime import timedelta
from typing import assert_never

from contracts.device_actions import LeaseAction, LeaseStatus, why_no_lease_action
from contracts.devices import (
    DeviceLeaseStarted,
    DeviceReplacementRequested,
    DeviceReplacementSent,
    DeviceReturned,
    DeviceReturnOverdue,
    DeviceReturnRequested,
    LeaseEvent,
)
from contracts.leases import ends_on, fee_minor, months_begun, return_due_on
from contracts.problems import Refused

from .charges import fee, money
from .commands import (
    LeaseCommand,
    LeaseRequest,
    MissReturn,
    RequestReplacement,
    RequestReturn,
    ReturnDevice,
    SendReplacement,
    StartLease,
)
from .lease import Lease

ACTIONS: dict[type, LeaseAction] = {
    RequestReplacement: LeaseAction.REQUEST_REPLACEMENT,
    RequestReturn: LeaseAction.REQUEST_RETURN,
    ReturnDevice: LeaseAction.RETURN,
}


def decide(command: LeaseCommand, lease: Lease | None) -> list[LeaseEvent]:
    """What a command records. Raises Refused where a rule says no. Empty: it is so already; only what the time brings
    can be, since it may come twice."""
    if isinstance(command, StartLease):
        return [] if lease else [_started(command)]
    if lease is None:
        raise Refused("lease_not_found")
    match command:
        case SendReplacement():
            return [_sent(command, lease)] if lease.replacement else []
        case MissReturn():
            return [_overdue(lease)] if lease.status is LeaseStatus.ACTIVE else []
        case _:
            return [_requested(command, lease)]


def _requested(command: LeaseRequest, lease: Lease) -> LeaseEvent:
    if reason := why_no_lease_action(ACTIONS[type(command)], lease.standing(), command.on, command.privileges):
        raise Refused(reason)
    match command:
        case RequestReplacement():
            _check_serial(command.serial, lease)
            return DeviceReplacementRequested(
                lease_id=lease.lease_id,
                serial=command.serial,
                reason=command.reason,
                ship_to=command.ship_to,
                requested_at=command.at,
            )
        case RequestReturn():
            due_on = return_due_on(lease.started.ends_on)
            return DeviceReturnRequested(lease_id=lease.lease_id, rma=f"rma-{lease.lease_id}", due_on=due_on)
        case ReturnDevice():
            return _returned(command, lease)
        case _:
            assert_never(command)


def _started(command: StartLease) -> LeaseEvent:
    return DeviceLeaseStarted(
        lease_id=command.lease_id,
        order_id=command.order_id,
        shipment_id=command.shipment_id,
        line_id=command.line.line_id,
        sku=command.line.sku,
        name=command.line.name,
        family=command.line.family,
        serial=command.serial,
        currency=command.currency,
        time_zone=command.time_zone,
        monthly_minor=command.line.unit_minor,
        list_minor=command.line.list_minor,
        book_version=command.line.book_version,
        started_on=command.started_on,
        ends_on=ends_on(command.started_on),
        tax_code=command.line.tax_code,
    )


def _sent(command: SendReplacement, lease: Lease) -> LeaseEvent:
    return DeviceReplacementSent(
        lease_id=lease.lease_id,
        replaces=lease.serial,
        serial=command.serial,
        carrier=command.carrier,
        tracking_number=command.tracking_number,
        sent_at=command.at,
    )


def _returned(command: ReturnDevice, lease: Lease) -> LeaseEvent:
    """Before its end the lease ends with the return: what comes back is not paid for any longer."""
    if command.rma != lease.rma:
        raise Refused("rma_unknown")
    _check_serial(command.serial, lease)
    return DeviceReturned(
        lease_id=lease.lease_id,
        rma=command.rma,
        serial=command.serial,
        ended_on=min(command.on, lease.started.ends_on),
    )


def _overdue(lease: Lease) -> LeaseEvent:
    """The fee is due on the day after the last one the device might have come back on (DOMAIN B14)."""
    started = lease.started
    due_on = return_due_on(started.ends_on)
    months = months_begun(started.started_on, due_on)
    amount_minor = fee_minor(started.list_minor, started.monthly_minor, months)
    charged = [fee(started.sku, started.name, amount_minor, started.tax_code, due_on + timedelta(days=1))]
    return DeviceReturnOverdue(
        lease_id=lease.lease_id,
        due_on=due_on,
        rentals_minor=started.monthly_minor * months,
        fee_minor=amount_minor,
        money=money(started.currency, charged),
    )


def _check_serial(serial: str, lease: Lease) -> None:
    if serial != lease.serial:
        raise Refused("serial_unknown")
