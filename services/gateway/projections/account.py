"""Account, one row each: the currency and time zone every other read model is shown in."""

from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in

TABLE = "account_v1"
CATEGORY = "billingaccount"


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: dict[str, Any] | None, envelope: Envelope) -> dict[str, Any] | None:
    check_next(row, envelope)
    if envelope.type != "plans.AccountOpened":  # of the stream, but nothing this read model shows
        return row and {**row, "revision": envelope.revision}
    opened = envelope.data
    return {
        "account_id": envelope.account_id,
        "currency": opened["currency"],
        "time_zone": opened["time_zone"],
        "revision": envelope.revision,
    }
