"""What if in the OpenAPI document."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from services.gateway.answers import InvoiceView, ProductCard
from services.gateway.examples import ANSWERS, BUNDLE

from .wish import MOST_COMMANDS, WhatIfInvoice

Document = dict[str, Any]

CODES = ("malformed_json", "body_too_large", "what_if_too_far", "date_out_of_range")
BUSY = ("owner_unavailable", "overloaded", "what_if_unfinished")
QUESTION: Document = {
    "until": "2026-03-01",
    "commands": [{"at": "2026-02-10", "plan": BUNDLE, "command": "edit", "body": {"quantity": 8}}],
}
_INVOICE = {name: value for name, value in ANSWERS[InvoiceView].items() if name in WhatIfInvoice.model_fields}
ANSWER: Document = {
    "account_id": "acme",
    "currency": "USD",
    "now": "2026-02-01T15:00:00Z",
    "until": "2026-03-01T12:00:00Z",
    "commands": [
        {
            "number": 1,
            "at": "2026-02-10T12:00:00Z",
            "method": "POST",
            "path": f"/api/v1/accounts/acme/plans/{BUNDLE}/edit",
            "outcome": "done",
            "events": ["plans.PlanEdited"],
            "problem": None,
        }
    ],
    "invoices": [
        {"without": None, "with_commands": _INVOICE, "difference_minor": _INVOICE["total_minor"]},
    ],
    "totals": {
        "without_minor": 0,
        "with_minor": _INVOICE["total_minor"],
        "difference_minor": _INVOICE["total_minor"],
        "shown": _INVOICE["shown"],
    },
    "cards": [ANSWERS[ProductCard]],
}


def what_if_path(
    parameters: Sequence[Document], read: Iterable[str], failures: Callable[[Iterable[str]], Document]
) -> Document:
    """parameters: of the account's address. read: codes any read may be refused with."""
    return {
        "post": {
            "tags": ["reads"],
            "operationId": "ask_what_if",
            "summary": "The invoices that would come out if commands were given, beside those that come out anyway",
            "description": "The account's history is forked and the clock rolled on, at most 24 months, with at most"
            f" {MOST_COMMANDS} commands; nothing is recorded. It takes BillingSubscription:Read and"
            " BillingInformation:Read, and none of the privileges the commands would need. A few are answered at once;"
            " 503 says to ask again.",
            "parameters": list(parameters),
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/WhatIfBody"}, "example": QUESTION}
                },
            },
            "responses": {
                "200": {
                    "description": "Both futures, invoice by invoice, and the plans at the end of the changed one",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/WhatIfAnswer"}, "example": ANSWER}
                    },
                },
                **failures((*read, *CODES, *BUSY)),
            },
        }
    }
