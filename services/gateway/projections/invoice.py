"""Invoice, one row each: what it says for good, and how far it is paid."""

from collections.abc import Callable
from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in, place

TABLE = "invoice_v2"
CATEGORY = "invoice"

Members = dict[str, Any]


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: Members | None, envelope: Envelope) -> Members | None:
    check_next(row, envelope)
    if row is None:
        invoice = envelope.data["invoice"]
        row = {
            "account_id": envelope.account_id,
            "invoice": invoice,
            "status": "open",
            "remains_minor": invoice["due_minor"],
            "next_try_on": None,
            "payments": [],
            "cut_minor": 0,
            "event_id": envelope.event_id,
            "from": place(envelope),
            "remains_from": place(envelope),
        }
    elif fold := _FOLDS.get(envelope.type):
        row = {**row, **fold(row, envelope)}
    if envelope.type in _OF_WHAT_REMAINS:
        row = {**row, "remains_from": place(envelope)}
    return {**row, "revision": envelope.revision}


def _succeeded(row: Members, envelope: Envelope) -> Members:
    return {"payments": [*row["payments"], _attempt(envelope, "succeeded", "")], "remains_minor": 0}


def _failed(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    payments = [*row["payments"], _attempt(envelope, "failed", body["reason"])]
    return {"payments": payments, "next_try_on": body["next_try_on"], "status": "past_due"}


def _collected(row: Members, envelope: Envelope) -> Members:
    return {"status": "collected", "next_try_on": None}


def _cut(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    return {"status": "uncollectible", "remains_minor": body["remains_minor"], "cut_minor": body["cut_minor"]}


def _attempt(envelope: Envelope, outcome: str, reason: str) -> Members:
    body = envelope.data
    return {
        "attempt": body["attempt"],
        "on": envelope.metadata["effective_on"],
        "amount_minor": body["amount_minor"],
        "outcome": outcome,
        "reason": reason,
    }


_OF_WHAT_REMAINS = {"renewals.PaymentSucceeded", "renewals.PaymentFailed", "renewals.InvoiceCut"}
_FOLDS: dict[str, Callable[[Members, Envelope], Members]] = {
    "renewals.PaymentSucceeded": _succeeded,
    "renewals.PaymentFailed": _failed,
    "renewals.InvoiceCollected": _collected,
    "renewals.InvoiceCut": _cut,
}
