"""One example of every answer, for the OpenAPI document; a test holds each to its model."""

from typing import Any

from pydantic import BaseModel

from contracts.billing_management import BillingManagement, Comment
from contracts.plan_commands import CommandAnswer, Quote

from .account_commands import CONTACT_EXAMPLE
from .answers import (
    Breakdown,
    CatalogueForSale,
    Explanation,
    History,
    Invoices,
    InvoiceView,
    PlanSummary,
    ProductCard,
    ProductCards,
)
from .clock import ClockView
from .device_examples import DEVICE_ANSWERS
from .entitlements import Entitlements
from .upcoming import UpcomingCharges

Example = dict[str, Any]

ACCOUNT, BUNDLE = "acme", "2f2fc21e16585f08a104"
_STARTED = "0d6a2f6e-7a51-5d0e-9d0c-8a6f0f5f5e01"

_PRICE = {"model": "fixed", "tiers": [{"up_to": None, "unit_minor": 1699}]}
_OPEN = {"allowed": True, "reason": None, "message": None}


def _closed(reason: str, message: str) -> Example:
    return {"allowed": False, "reason": reason, "message": message}


_NOT_A_CAPACITY = _closed("not_a_capacity", "This is not a capacity")
_BASE_LINE = _closed("base_line", "The base is not cancelled alone")
_LINE_NOT_CANCELLED = _closed("line_not_cancelled", "The line is not cancelled")


def _offered(quantity: int) -> Example:
    return {
        "sku": "workplace_pro",
        "name": "Workplace Pro",
        "quantity": quantity,
        "unit_minor": 1699,
        "total_minor": 1699 * quantity,
        "book_version": 1,
    }


def _renewal(quantity: int) -> Example:
    line = {
        "line_id": "line-1",
        "sku": "workplace_pro",
        "name": "Workplace Pro",
        "quantity": quantity,
        "unit_minor": 1699,
        "amount_minor": 1699 * quantity,
    }
    return {
        "cadence": "monthly",
        "due_on": "2026-02-28",
        "currency": "USD",
        "amount_minor": 1699 * quantity,
        "lines": [line],
    }


_CARD = {
    "bundle_id": BUNDLE,
    "name": "Workplace Pro",
    "sku": "workplace_pro",
    "family": "workplace",
    "status": "active",
    "licences": {"total": 8, "assigned": 3, "available": 5},
    "cycle": "monthly",
    "currency": "USD",
    "time_zone": "Europe/Vienna",
    "term": {"start": "2026-01-31", "end": "2026-02-28"},
    "next_renewal": {"due_on": "2026-02-28", "amount_minor": 10194},
    "pending_changes": [
        {
            "change_id": "change-4",
            "line_id": "line-1",
            "direction": "down",
            "effective_on": "2026-02-28",
            "before": _offered(8),
            "after": _offered(6),
            "at_risk": False,
            "banner": "8 × Workplace Pro → 6 × Workplace Pro from 2026-02-28",
        }
    ],
    "cancellation": None,
    "lines": [
        {
            **_offered(8),
            "line_id": "line-1",
            "kind": "base",
            "price": _PRICE,
            "ends_on": None,
            "allowed_actions": {
                "edit_plan": _OPEN,
                "resize_capacity": _NOT_A_CAPACITY,
                "discard_pending_change": _OPEN,
                "cancel_line": _BASE_LINE,
                "reinstate_line": _LINE_NOT_CANCELLED,
            },
        }
    ],
    "allowed_actions": {
        "edit_plan": _OPEN,
        "change_cycle": _OPEN,
        "buy_capacity": _OPEN,
        "resize_capacity": _NOT_A_CAPACITY,
        "buy_add_on": _OPEN,
        "discard_pending_change": _OPEN,
        "cancel_line": _BASE_LINE,
        "reinstate_line": _LINE_NOT_CANCELLED,
        "cancel_plan": _OPEN,
        "reinstate_plan": _closed("not_cancelled", "The plan is not cancelled"),
        "assign_licence": _OPEN,
        "unassign_licence": _OPEN,
    },
    "started_on": "2026-01-31",
    "started_event_id": _STARTED,
    "last_event_id": "5b0f8f0a-53f4-5f7e-8b43-6a0f6b3d2c11",
    "revision": 4,
}
_CHARGE = {
    "line_id": "line-1",
    "sku": "workplace_pro",
    "name": "Workplace Pro",
    "part": "charge",
    "quantity": 3,
    "full_minor": 5097,
    "days_served": 10,
    "days": 28,
    "period_start": "2026-01-31",
    "period_end": "2026-02-28",
    "amount_minor": 3277,
}
_TAX = {"code": "standard", "rate_bp": 825, "net_minor": 3277, "tax_minor": 270, "jurisdiction": "US-TX"}
_UPCOMING = {"due_on": "2026-02-28", "currency": "USD", "amount_minor": 10194, "bundle_ids": [BUNDLE]}
_BREAKDOWN_LINE = {
    "bundle_id": BUNDLE,
    "line_id": "line-1",
    "sku": "workplace_pro",
    "product": "Workplace Pro",
    "licences": 6,
    "unit_minor": 1699,
    "amount_minor": 10194,
}

_INVOICE = {
    "invoice_id": "5f1c3b7f0a9d4e2b8c61",
    "number": 7,
    "kind": "renewal",
    "status": "collected",
    "issued_on": "2026-02-28",
    "currency": "USD",
    "total_minor": 3547,
    "remains_minor": 0,
    "next_try_on": None,
    "shown": "35.47 USD",
}

ANSWERS: dict[type[BaseModel], Example] = {
    ProductCard: _CARD,
    ProductCards: {"account_id": ACCOUNT, "cards": [_CARD]},
    PlanSummary: {
        "account_id": ACCOUNT,
        "monthly": {"next": _UPCOMING, "later": []},
        "annual": {"next": None, "later": []},
    },
    Breakdown: {
        "account_id": ACCOUNT,
        "cadence": "monthly",
        "renewals": [
            {"due_on": "2026-02-28", "currency": "USD", "amount_minor": 10194, "lines": [_BREAKDOWN_LINE]},
        ],
    },
    CatalogueForSale: {
        "account_id": ACCOUNT,
        "currency": "USD",
        "book_version": 1,
        "effective_from": "2025-01-01",
        "products": [
            {
                "sku": "storage_200",
                "name": "Storage 200 GB",
                "kind": "capacity",
                "family": "workplace",
                "grade": 2,
                "prices": {"monthly": {"model": "fixed", "tiers": [{"up_to": None, "unit_minor": 4000}]}},
                "minimum": 1,
                "maximum": 1,
                "pack": 1,
                "requires": ["workplace_pro", "workplace_business"],
                "includes": [],
                "sales_only": False,
                "tier_of": None,
                "buy": _OPEN,
                "within": [{**_OPEN, "bundle_id": BUNDLE}],
            }
        ],
    },
    Invoices: {"account_id": ACCOUNT, "invoices": [_INVOICE], "next": None},
    InvoiceView: {
        **_INVOICE,
        "cadence": "monthly",
        "cause_id": "5f1c3b7f0a9d4e2b8c61",
        "lines": [{**_CHARGE, "bundle_id": BUNDLE}],
        "net_minor": 3277,
        "taxes": [_TAX],
        "credit_minor": 500,
        "due_minor": 3047,
        "cut_minor": 0,
        "payments": [{"attempt": 1, "on": "2026-02-28", "amount_minor": 3047, "outcome": "succeeded", "reason": ""}],
        "pay": _closed("invoice_collected", "Nothing is left to pay of this invoice"),
        "event_id": "9f0c2d6a-0a64-5a3c-9a55-2f1f5e1f7b20",
    },
    BillingManagement: {
        "account_id": ACCOUNT,
        "currency": "USD",
        "time_zone": "Europe/Vienna",
        "payment_token": "pm-4711",
        "tax": [{"jurisdiction": "AT", "exemption": None, "effective_from": "2026-01-31"}],
        "contacts": [{**CONTACT_EXAMPLE, "contact": "bill_to"}],
        "roles": [{"subject": "user-olive", "role": "owner"}],
        "holds": [{"hold": "contract", "invoice_id": None, "amount_minor": None}],
        "allowed_actions": {
            "change_contact": _closed("contract_managed", "A contract governs this account"),
            "erase_personal_data": _OPEN,
            "change_payment_method": _closed("contract_managed", "A contract governs this account"),
            "grant_role": _OPEN,
            "revoke_role": _OPEN,
            "place_hold": _closed("forbidden", "You lack the privilege this needs"),
            "lift_hold": _closed("forbidden", "You lack the privilege this needs"),
            "set_tax_jurisdiction": _closed("forbidden", "You lack the privilege this needs"),
        },
        "revision": 7,
    },
    Comment: {"comment": "9f0c2d6a0a645a3c9a552f1f5e1f7b20-change-5", "text": "The season is over."},
    CommandAnswer: {
        "stream": f"plan-{BUNDLE}",
        "revision": 5,
        "position": "plans:42",
        "events": [
            {
                "event_id": "9f0c2d6a-0a64-5a3c-9a55-2f1f5e1f7b20",
                "type": "plans.LicenceAssigned",
                "revision": 5,
                "data": {"bundle_id": BUNDLE, "assignee": "person-1"},
            }
        ],
    },
    Quote: {
        "command": "edit",
        "effective_on": "2026-02-10",
        "due_now": {"currency": "USD", "net_minor": 3277, "lines": [_CHARGE]},
        "due_later": None,
        "taxes": [_TAX],
        "total_minor": 3547,
        "next_renewal_before": _renewal(5),
        "next_renewal_after": _renewal(8),
        "events": ["PlanEdited"],
        "token": "eyJzdHJlYW0iOiAi….c2lnbmF0dXJl",
        "expires_at": "2026-02-10T10:15:00Z",
    },
    Entitlements: {
        "account_id": ACCOUNT,
        "subject": None,
        "on": "2026-02-10",
        "holds": [],
        "entitlements": [
            {
                "bundle_id": BUNDLE,
                "line_id": "line-1",
                "sku": "workplace_pro",
                "name": "Workplace Pro",
                "kind": "base",
                "quantity": 8,
                "includes": ["phone_metered"],
                "licences": {"total": 8, "assigned": 3, "available": 5},
                "until": None,
            }
        ],
    },
    UpcomingCharges: {
        "account_id": ACCOUNT,
        "since": "2026-02-10",
        "until": "2026-03-10",
        "charges": [
            {
                "due_on": "2026-02-28",
                "kind": "renewal",
                "subject_id": BUNDLE,
                "name": "Workplace Pro",
                "currency": "USD",
                "amount_minor": 10194,
            }
        ],
        "totals": [{"month": "2026-02", "currency": "USD", "amount_minor": 10194}],
        "endings": [],
    },
    Explanation: {
        "account_id": ACCOUNT,
        "of": f"product-cards/{BUNDLE}",
        "amounts": [
            {
                "at": "/lines/0/total_minor",
                "amount_minor": 10194,
                "currency": "USD",
                "formula": "6 × 16.99 USD, by price book version 1",
                "parts": [],
                "events": [
                    {
                        "event_id": _STARTED,
                        "owner": "plans",
                        "type": "plans.PlanStarted",
                        "said": "Plan started: 6 × Workplace Pro, monthly, 101.94 USD",
                        "recorded_at": "2026-01-31T15:00:00Z",
                        "stream": f"plan-{BUNDLE}",
                        "revision": 0,
                        "history": "2026-01-31T15:00:00.000000Z/plans/0000000000000000042~",
                    }
                ],
            }
        ],
    },
    **DEVICE_ANSWERS,
    History: {
        "account_id": ACCOUNT,
        "entries": [
            {
                "event_id": "5b0f8f0a-53f4-5f7e-8b43-6a0f6b3d2c11",
                "owner": "plans",
                "type": "plans.LicenceAssigned",
                "version": 1,
                "said": "Licence assigned to person-7",
                "actor": {"id": "user-olive", "role": "owner", "via": "api"},
                "recorded_at": "2026-02-10T15:00:00Z",
                "effective_on": "2026-02-10",
                "stream": "plan-0f2d4c6b8a9e1f3d5c7b",
                "revision": 4,
                "position": 42,
                "causation_id": "7c1f9b2e-order-66",
                "correlation_id": "3da5b70bbb82465e9dd844737286fd64",
                "data": {"bundle_id": "0f2d4c6b8a9e1f3d5c7b", "assignee": "person-7"},
            }
        ],
        "next": "2026-02-10T15:00:00.000000Z/plans/0000000000000000042",
    },
    ClockView: {
        "now": "2026-02-01T05:00:00Z",
        "standing_still": True,
        "moving_to": "2026-03-18T12:00:00Z",
        "due_next_at": "2026-02-03T23:00:00Z",
        "steps": 3,
        "reason": None,
    },
}
