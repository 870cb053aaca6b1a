"""Examples of the answers of Device Management, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from .answers import DeviceLease, DeviceLeases, DeviceOrder, DeviceOrders, Shipments

Example = dict[str, Any]

ORDER = "2f2fc21e16585f08a104"
_OPEN = {"allowed": True, "reason": None, "message": None}


def _closed(reason: str, message: str) -> Example:
    return {"allowed": False, "reason": reason, "message": message}


def _line(sku: str, name: str, kind: str, quantity: int, unit_minor: int, list_minor: int) -> Example:
    return {
        "line_id": "shipping" if kind == "shipping" else "line-1",
        "sku": sku,
        "name": name,
        "kind": kind,
        "family": "shipping" if kind == "shipping" else "phone",
        "quantity": quantity,
        "unit_minor": unit_minor,
        "list_minor": list_minor,
        "book_version": 1,
    }


_PARCELS: list[Example] = [
    {
        "shipment_id": "shipment-1",
        "carrier": "embedded",
        "tracking_number": "DX473124829PB",
        "units": [
            {"number": 1, "line_id": "line-1", "serial": "SN0F2D4C6B8A9E"},
            {"number": 2, "line_id": "line-1", "serial": "SN1F2D4C6B8A9E"},
        ],
        "dispatched_at": "2026-06-02T16:00:00Z",
        "whereabouts": "in_transit",
        "moved_at": "2026-06-02T16:00:00Z",
        "replaces": None,
    }
]
_ORDER = {
    "order_id": ORDER,
    "status": "shipped",
    "currency": "USD",
    "time_zone": "America/New_York",
    "lines": [_line("haas_desk_phone", "Desk Phone, rented", "device_rental", 2, 599, 8900)],
    "shipping": _line("shipping_express", "Express Shipping", "shipping", 1, 2500, 2500),
    "ship_to": "office-1",
    "speed": "express",
    "due_on_submission_minor": 2500,
    "monthly_minor": 1198,
    "placed_at": "2026-06-01T16:00:00Z",
    "hold_until": "2026-06-02T16:00:00Z",
    "amended": False,
    "submitted_at": "2026-06-02T16:00:00Z",
    "units": 2,
    "units_delivered": 0,
    "units_in_transit": 2,
    "shipments": _PARCELS,
    "allowed_actions": {
        "amend": _closed("order_hold_over", "The order has left its hold"),
        "submit": _closed("order_hold_over", "The order has left its hold"),
        "cancel": _closed("order_hold_over", "The order has left its hold"),
        "report_loss": _OPEN,
    },
    "last_event_id": "5b0f8f0a-53f4-5f7e-8b43-6a0f6b3d2c11",
    "revision": 2,
}
_LEASE = {
    "lease_id": f"{ORDER}-1",
    "order_id": ORDER,
    "status": "active",
    "sku": "haas_desk_phone",
    "name": "Desk Phone, rented",
    "serial": "SN0F2D4C6B8A9E",
    "currency": "USD",
    "time_zone": "America/New_York",
    "monthly_minor": 599,
    "list_minor": 8900,
    "started_on": "2026-06-03",
    "ends_on": "2029-06-03",
    "ended_on": None,
    "replacement_requested": False,
    "replacements": [],
    "returning": {"rma": f"rma-{ORDER}-1", "due_on": "2029-06-24"},
    "fee_minor": None,
    "allowed_actions": {
        "request_replacement": _closed("return_requested", "The device is being returned"),
        "request_return": _closed("return_requested", "The device is being returned"),
        "return": _OPEN,
    },
    "last_event_id": "0d6a2f6e-7a51-5d0e-9d0c-8a6f0f5f5e01",
    "revision": 1,
}

_SHIPMENTS = [{**parcel, "order_id": ORDER, "ship_to": "office-1"} for parcel in _PARCELS]

DEVICE_ANSWERS: dict[type[BaseModel], Example] = {
    DeviceOrder: _ORDER,
    DeviceOrders: {"account_id": "acme", "orders": [_ORDER]},
    Shipments: {"account_id": "acme", "shipments": _SHIPMENTS},
    DeviceLease: _LEASE,
    DeviceLeases: {"account_id": "acme", "leases": [_LEASE]},
}
