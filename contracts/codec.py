"""Stored names, versions and upcasters of every event. Explicit tables: classes may move, names may not."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from . import devices, plans, renewals

Data = dict[str, Any]
Upcaster = Callable[[Data], Data]

EVENTS: dict[str, type[BaseModel]] = {
    "plans.PlanStarted": plans.PlanStarted,
    "plans.PlanEdited": plans.PlanEdited,
    "plans.PlanEditScheduled": plans.PlanEditScheduled,
    "plans.PlanEditDiscarded": plans.PlanEditDiscarded,
    "plans.CapacityPurchased": plans.CapacityPurchased,
    "plans.AddOnPurchased": plans.AddOnPurchased,
    "plans.AddOnCancelled": plans.AddOnCancelled,
    "plans.AddOnReinstated": plans.AddOnReinstated,
    "plans.CapacityResized": plans.CapacityResized,
    "plans.PlanCycleChanged": plans.PlanCycleChanged,
    "plans.PlanEditWarned": plans.PlanEditWarned,
    "plans.PlanCancelled": plans.PlanCancelled,
    "plans.PlanReinstated": plans.PlanReinstated,
    "plans.PlanTermAdvanced": plans.PlanTermAdvanced,
    "plans.PlanEnded": plans.PlanEnded,
    "plans.PlanLapsed": plans.PlanLapsed,
    "plans.RenewalRequoted": plans.RenewalRequoted,
    "plans.LicenceAssigned": plans.LicenceAssigned,
    "plans.LicenceUnassigned": plans.LicenceUnassigned,
    "plans.AccountOpened": plans.AccountOpened,
    "plans.TaxJurisdictionSet": plans.TaxJurisdictionSet,
    "plans.PaymentMethodChanged": plans.PaymentMethodChanged,
    "plans.AccountHoldPlaced": plans.AccountHoldPlaced,
    "plans.AccountHoldLifted": plans.AccountHoldLifted,
    "plans.HistoryRead": plans.HistoryRead,
    "plans.BillingContactChanged": plans.BillingContactChanged,
    "plans.PersonalDataErased": plans.PersonalDataErased,
    "plans.BillingRoleGranted": plans.BillingRoleGranted,
    "plans.BillingRoleRevoked": plans.BillingRoleRevoked,
    "plans.PriceBookPublished": plans.PriceBookPublished,
    "plans.PriceBookWithdrawn": plans.PriceBookWithdrawn,
    "plans.ProductRetired": plans.ProductRetired,
    "renewals.BillingTermsNoted": renewals.BillingTermsNoted,
    "renewals.TaxTermsNoted": renewals.TaxTermsNoted,
    "devices.DeviceOrderPlaced": devices.DeviceOrderPlaced,
    "devices.DeviceOrderAmended": devices.DeviceOrderAmended,
    "devices.DeviceOrderSubmitted": devices.DeviceOrderSubmitted,
    "devices.DeviceOrderCancelled": devices.DeviceOrderCancelled,
    "devices.ShipmentDispatched": devices.ShipmentDispatched,
    "devices.ShipmentDelivered": devices.ShipmentDelivered,
    "devices.ShipmentLost": devices.ShipmentLost,
    "devices.DeviceLeaseStarted": devices.DeviceLeaseStarted,
    "devices.DeviceReplacementRequested": devices.DeviceReplacementRequested,
    "devices.DeviceReplacementSent": devices.DeviceReplacementSent,
    "devices.DeviceReturnRequested": devices.DeviceReturnRequested,
    "devices.DeviceReturned": devices.DeviceReturned,
    "devices.DeviceReturnOverdue": devices.DeviceReturnOverdue,
    "renewals.RenewalScheduled": renewals.RenewalScheduled,
    "renewals.RenewalQuoteChanged": renewals.RenewalQuoteChanged,
    "renewals.RenewalDue": renewals.RenewalDue,
    "renewals.RenewalAnswered": renewals.RenewalAnswered,
    "renewals.RenewalCompleted": renewals.RenewalCompleted,
    "renewals.RenewalFailed": renewals.RenewalFailed,
    "renewals.InvoiceDrafted": renewals.InvoiceDrafted,
    "renewals.CreditGranted": renewals.CreditGranted,
    "renewals.CreditApplied": renewals.CreditApplied,
    "renewals.AccountSuspended": renewals.AccountSuspended,
    "renewals.RentalNoted": renewals.RentalNoted,
    "renewals.RentalEnded": renewals.RentalEnded,
    "renewals.RentalsCharged": renewals.RentalsCharged,
    "renewals.AccountRestored": renewals.AccountRestored,
    "renewals.InvoiceIssued": renewals.InvoiceIssued,
    "renewals.PaymentSucceeded": renewals.PaymentSucceeded,
    "renewals.PaymentFailed": renewals.PaymentFailed,
    "renewals.InvoiceCollected": renewals.InvoiceCollected,
    "renewals.InvoiceCut": renewals.InvoiceCut,
    "renewals.RefundGranted": renewals.RefundGranted,
}


def _with_v2_products(book: Data) -> Data:
    """No capacity was a tier of another, and reductions waited for the end of the term."""
    new = {"tier_of": None, "credits_reductions": False}
    return {name: [{**each, **new} for each in value] if name == "products" else value for name, value in book.items()}


# One pure step each, from the version in the key to the next one. A missing key means: this version is current.
UPCASTERS: dict[tuple[str, int], Upcaster] = {
    # Lines were cancelled with their bundle only.
    ("plans.AddOnCancelled", 1): lambda data: {**data, "next_renewal": None},
    ("plans.PriceBookPublished", 1): _with_v2_products,
}

_NAMES = {model: name for name, model in EVENTS.items()}


def version_of(name: str, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS) -> int:
    """The version written today: one above the last upcaster's."""
    return 1 + sum(1 for upcast_name, _ in upcasters if upcast_name == name)


VERSIONS = {name: version_of(name) for name in EVENTS}


def encode(event: BaseModel) -> tuple[str, int, bytes]:
    """The stored name, version and JSON of an event body. Raises KeyError for a class without a name."""
    name = _NAMES[type(event)]
    return name, VERSIONS[name], event.model_dump_json().encode()


def current(name: str, version: int, data: Data, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS) -> Data:
    """`data` in the form written today. An event of a later version is passed on: readers ignore what is new."""
    while upcast := upcasters.get((name, version)):
        data, version = upcast(data), version + 1
    return data


def decode(name: str, version: int, data: Data | bytes) -> BaseModel:
    """The event of a stored body of any version. Raises KeyError (unknown name) or pydantic.ValidationError."""
    model = EVENTS[name]
    if isinstance(data, bytes) and version >= VERSIONS[name]:
        return model.model_validate_json(data)
    members = json.loads(data) if isinstance(data, bytes) else data
    return model.model_validate_json(json.dumps(current(name, version, members)))
