"""Device order, one row each: what is in it, and where its parcels are."""

from collections.abc import Callable
from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in

TABLE = "device_order_v1"
CATEGORY = "deviceorder"

Members = dict[str, Any]


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: Members | None, envelope: Envelope) -> Members | None:
    check_next(row, envelope)
    if row is None:
        row, changed = {}, _placed(envelope)
    else:
        fold = _FOLDS.get(envelope.type)  # an event of a kind we do not know still moves the revision
        changed = fold(row, envelope.data) if fold else {}
    return {**row, **changed, "revision": envelope.revision, "last_event_id": envelope.event_id}


def _placed(envelope: Envelope) -> Members:
    """The first row of an order. Raises KeyError for an event that places none."""
    body = envelope.data
    kept = {name: body[name] for name in ("order_id", "currency", "time_zone", "contents", "placed_at", "hold_until")}
    rest: Members = {"amended": False, "submitted_at": None, "cancelled": False, "shipments": {}}
    return {"account_id": envelope.account_id, **kept, **rest}


def _amended(row: Members, body: Members) -> Members:
    return {"contents": body["after"], "amended": True}


def _submitted(row: Members, body: Members) -> Members:
    return {"submitted_at": body["submitted_at"]}


def _cancelled(row: Members, body: Members) -> Members:
    return {"cancelled": True}


def _dispatched(row: Members, body: Members) -> Members:
    sent = {name: body[name] for name in body if name != "order_id"}
    return _with(row, {**sent, "whereabouts": "in_transit", "moved_at": body["dispatched_at"]})


def _delivered(row: Members, body: Members) -> Members:
    shipment = row["shipments"][body["shipment_id"]]
    return _with(row, {**shipment, "whereabouts": "delivered", "moved_at": body["delivered_at"]})


def _lost(row: Members, body: Members) -> Members:
    shipment = row["shipments"][body["shipment_id"]]
    return _with(row, {**shipment, "whereabouts": "lost", "moved_at": body["lost_at"]})


def _with(row: Members, shipment: Members) -> Members:
    return {"shipments": {**row["shipments"], shipment["shipment_id"]: shipment}}


_FOLDS: dict[str, Callable[[Members, Members], Members]] = {
    "devices.DeviceOrderAmended": _amended,
    "devices.DeviceOrderSubmitted": _submitted,
    "devices.DeviceOrderCancelled": _cancelled,
    "devices.ShipmentDispatched": _dispatched,
    "devices.ShipmentDelivered": _delivered,
    "devices.ShipmentLost": _lost,
}
