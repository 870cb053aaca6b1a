"""The commands forwarded to the devices service."""

from contracts.device_commands import (
    AmendDeviceOrderBody,
    CancelDeviceOrderBody,
    PlaceDeviceOrderBody,
    ReportLossBody,
    RequestReplacementBody,
    RequestReturnBody,
    ReturnDeviceBody,
    SubmitDeviceOrderBody,
)
from contracts.plan_commands import Request
from contracts.topics import Owner

from .forwarded import ACCOUNT, Example, Forwarded

ORDERS = f"{ACCOUNT}/device-orders"
LEASES = f"{ACCOUNT}/leases"

_SOLD = (
    *("product_not_found", "product_retired", "not_a_device", "sales_only", "quantity_out_of_range", "device_twice"),
    *("requirement_unmet", "device_ratio", "currency_unavailable", "amount_too_large", "unpaid_invoices"),
)
_SERIAL, _SHIP_TO = "SN0F2D4C6B8A9E", "office-1"

_HELD = ("contract_managed", "account_on_hold")

# Of an order or a lease: its name, the last part of the address, what it does, its body, an example, its refusals.
Change = tuple[str, str, str, type[Request], Example, tuple[str, ...]]
_ORDER_CHANGES: tuple[Change, ...] = (
    (
        "amend_device_order",
        "amend",
        "Change a device order, once, while it is held",
        AmendDeviceOrderBody,
        {"lines": [{"sku": "haas_desk_phone", "quantity": 8}]},
        (*_SOLD, *_HELD, "order_hold_over", "order_amended_already", "no_change"),
    ),
    (
        "submit_device_order",
        "submit",
        "Submit a device order before its hold has run out",
        SubmitDeviceOrderBody,
        {},
        ("order_hold_over", "unpaid_invoices", *_HELD),
    ),
    (
        "cancel_device_order",
        "cancel",
        "Cancel a device order while it is held",
        CancelDeviceOrderBody,
        {},
        ("order_hold_over", *_HELD),
    ),
    (
        "report_lost_parcel",
        "report-loss",
        "Say that a parcel never came, so that its devices are sent anew",
        ReportLossBody,
        {"tracking_number": "DX473124829PB"},
        ("nothing_in_transit", "shipment_not_found"),
    ),
)
_LEASE_CHANGES: tuple[Change, ...] = (
    (
        "request_replacement",
        "request-replacement",
        "Ask for another device in the place of a leased one",
        RequestReplacementBody,
        {"serial": _SERIAL, "reason": "defect", "ship_to": _SHIP_TO},
        ("return_requested", "replacement_requested", "serial_unknown"),
    ),
    (
        "request_return",
        "request-return",
        "Ask for the number to send a leased device back under",
        RequestReturnBody,
        {},
        ("return_requested", "replacement_requested"),
    ),
    (
        "return_device",
        "return",
        "Say that a leased device has come back",
        ReturnDeviceBody,
        {"rma": "rma-2f2fc21e16585f08a104-1", "serial": _SERIAL},
        ("return_not_requested", "rma_unknown", "serial_unknown"),
    ),
)

DEVICE_COMMANDS: tuple[Forwarded, ...] = (
    Forwarded(
        "place_device_order",
        "POST",
        ORDERS,
        "Order devices, to rent or to buy",
        PlaceDeviceOrderBody,
        {"lines": [{"sku": "haas_desk_phone", "quantity": 10}], "ship_to": _SHIP_TO, "speed": "standard"},
        (*_SOLD, *_HELD),
        status=201,
        owner=Owner.DEVICES,
    ),
    *(
        Forwarded(
            name,
            "POST",
            f"{ORDERS}/{{order_id}}/{last}",
            summary,
            body,
            example,
            ("order_not_found", "order_cancelled", *codes),
            revision=True,
            owner=Owner.DEVICES,
        )
        for name, last, summary, body, example, codes in _ORDER_CHANGES
    ),
    *(
        Forwarded(
            name,
            "POST",
            f"{LEASES}/{{lease_id}}/{last}",
            summary,
            body,
            example,
            ("lease_not_found", "lease_over", *codes),
            revision=True,
            owner=Owner.DEVICES,
        )
        for name, last, summary, body, example, codes in _LEASE_CHANGES
    ),
)
