"""Device lease, one row for each rented unit: its device, its end, and how it comes back."""

from collections.abc import Callable
from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in, place

TABLE = "device_lease_v2"
CATEGORY = "lease"

Members = dict[str, Any]

_KEPT = (
    *("lease_id", "order_id", "sku", "name", "serial", "currency", "time_zone"),
    *("monthly_minor", "list_minor", "started_on", "ends_on"),
)


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: Members | None, envelope: Envelope) -> Members | None:
    check_next(row, envelope)
    if row is None:
        row, changed = {}, _started(envelope)
    else:
        fold = _FOLDS.get(envelope.type)  # an event of a kind we do not know still moves the revision
        changed = fold(row, envelope.data) if fold else {}
    return {**row, **changed, "revision": envelope.revision, "last_event_id": envelope.event_id}


def _started(envelope: Envelope) -> Members:
    """The first row of a lease. Raises KeyError for an event that starts none."""
    return {
        "account_id": envelope.account_id,
        **{name: envelope.data[name] for name in _KEPT},
        "status": "active",
        "replacement_requested": False,
        "replacements": [],
        "returning": None,
        "ended_on": None,
        "fee_minor": None,
        "from": place(envelope),
    }


def _replacement_requested(row: Members, body: Members) -> Members:
    return {"replacement_requested": True}


def _replacement_sent(row: Members, body: Members) -> Members:
    sent = {name: body[name] for name in ("serial", "carrier", "tracking_number", "sent_at")}
    replacements = [*row["replacements"], {"replaced_serial": body["replaces"], **sent}]
    return {"serial": body["serial"], "replacement_requested": False, "replacements": replacements}


def _return_requested(row: Members, body: Members) -> Members:
    return {"returning": {"rma": body["rma"], "due_on": body["due_on"]}}


def _returned(row: Members, body: Members) -> Members:
    return {"status": "returned", "ended_on": body["ended_on"]}


def _overdue(row: Members, body: Members) -> Members:
    return {"status": "overdue", "fee_minor": body["fee_minor"]}


_FOLDS: dict[str, Callable[[Members, Members], Members]] = {
    "devices.DeviceReplacementRequested": _replacement_requested,
    "devices.DeviceReplacementSent": _replacement_sent,
    "devices.DeviceReturnRequested": _return_requested,
    "devices.DeviceReturned": _returned,
    "devices.DeviceReturnOverdue": _overdue,
}
