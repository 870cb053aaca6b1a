"""Licence, one row per licence that somebody has: whether one person has one is a look, however many there are."""

from typing import Any

from contracts.envelope import Envelope

TABLE = "licence_v1"
CATEGORY = "plan"

_GIVEN, _TAKEN = "plans.LicenceAssigned", "plans.LicenceUnassigned"


def of(bundle_id: str, assignee: str) -> str:
    """The key of a row: no assignee has a slash."""
    return f"{bundle_id}/{assignee}"


def key(envelope: Envelope) -> str | None:
    if envelope.type not in (_GIVEN, _TAKEN):
        return None
    return of(envelope.data["bundle_id"], envelope.data["assignee"])


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: dict[str, Any] | None, envelope: Envelope) -> dict[str, Any] | None:
    """None: nobody has it any more."""
    return {"since": envelope.metadata["effective_on"]} if envelope.type == _GIVEN else None
