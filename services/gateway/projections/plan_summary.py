"""Plan summary, one row per account: what will be charged next, per cadence and day, with bundles and lines."""

from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in, place

TABLE = "plan_summary_v3"
CATEGORY = "renewal"

_QUOTED = {"renewals.RenewalScheduled", "renewals.RenewalQuoteChanged"}


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: dict[str, Any] | None, envelope: Envelope) -> dict[str, Any] | None:
    check_next(row, envelope)
    upcoming = row["upcoming"] if row else {}
    if envelope.type in _QUOTED:
        upcoming = _with(upcoming, envelope.data, place(envelope))
    if envelope.type == "renewals.RenewalDue":
        upcoming = _begun(upcoming, envelope.data)
    return {"account_id": envelope.account_id, "upcoming": upcoming, "revision": envelope.revision}


def _begun(upcoming: dict[str, Any], due: dict[str, Any]) -> dict[str, Any]:
    """Without the renewal whose day has begun: an invoice takes its place."""
    days = {day: renewal for day, renewal in upcoming.get(due["cadence"], {}).items() if day != due["due_on"]}
    return {**upcoming, due["cadence"]: days}


def _with(upcoming: dict[str, Any], quoted: dict[str, Any], here: str) -> dict[str, Any]:
    """`upcoming`: cadence → due date → amount and bundles, each with the place of the event that told its share. A day
    without bundles is no renewal, and is forgotten."""
    cadence, due_on, share = quoted["cadence"], quoted["due_on"], quoted["share"]
    days = dict(upcoming.get(cadence, {}))
    renewal = days.pop(due_on, None)
    bundles = [each for each in renewal["bundles"] if each["bundle_id"] != share["bundle_id"]] if renewal else []
    if share["lines"]:
        bundles.append({**share, "from": here})
    if bundles:
        days[due_on] = {"currency": quoted["currency"], "amount_minor": quoted["amount_minor"], "bundles": bundles}
    return {**upcoming, cadence: days}
