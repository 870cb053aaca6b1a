"""Account, one row each: the currency and time zone every other read model is shown in, how it pays, its holds."""

from collections.abc import Callable
from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in

TABLE = "account_v3"
CATEGORY = "billingaccount"


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: dict[str, Any] | None, envelope: Envelope) -> dict[str, Any] | None:
    check_next(row, envelope)
    if row is not None:
        fold = _FOLDS.get(envelope.type)
        return {**row, **(fold(row, envelope.data) if fold else {}), "revision": envelope.revision}
    opened = envelope.data
    return {
        "account_id": envelope.account_id,
        "currency": opened["currency"],
        "time_zone": opened["time_zone"],
        "payment_token": None,
        "holds": [],
        "opened_at": envelope.metadata["recorded_at"],
        "revision": envelope.revision,
    }


def _payment_method_changed(row: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    return {"payment_token": body["token"]}


def _hold_placed(row: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    return {"holds": [*row["holds"], body]}


def _hold_lifted(row: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    lifted = (body["hold"], body["invoice_id"])
    return {"holds": [hold for hold in row["holds"] if (hold["hold"], hold["invoice_id"]) != lifted]}


_FOLDS: dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
    "plans.PaymentMethodChanged": _payment_method_changed,
    "plans.AccountHoldPlaced": _hold_placed,
    "plans.AccountHoldLifted": _hold_lifted,
}
