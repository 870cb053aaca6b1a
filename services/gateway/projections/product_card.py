"""Product card, one row per bundle: everything its card shows and everything that decides what may be done with it.

Licences are counted, not listed: the decider records an assignment once, so the count is exact, and the row of a plan
with 10,000 licences costs what any other does.
"""

from collections.abc import Callable
from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in, place

TABLE = "product_card_v3"
CATEGORY = "plan"

Members = dict[str, Any]


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: Members | None, envelope: Envelope) -> Members | None:
    check_next(row, envelope)
    body = envelope.data
    if row is None:
        changed, row = _started(envelope), {}
    else:
        fold = _FOLDS.get(envelope.type)  # an event of a kind we do not know still moves the revision
        changed = fold(row, envelope) if fold else {}
    if body.get("next_renewal"):
        changed |= {"next_renewal": _renewal(body["next_renewal"]), "renewal_from": place(envelope)}
    if "lines" in changed:
        changed["lines_from"] = _sources(row, changed["lines"], place(envelope))
    changed["revision"] = envelope.revision
    changed["last_event_id"] = envelope.event_id
    return {**row, **changed}


def _started(envelope: Envelope) -> Members:
    """The first row of a bundle. Raises KeyError for an event that starts none."""
    body = envelope.data
    line = body["line"]
    return {
        "bundle_id": body["bundle_id"],
        "account_id": envelope.account_id,
        "family": body["family"],
        "cycle": body["cycle"],
        "currency": body["money"]["currency"],
        "time_zone": body["time_zone"],
        "term_start": body["term_start"],
        "term_end": body["term_end"],
        "base": line["line_id"],
        "lines": {line["line_id"]: line},
        "changes": {},  # by line
        "ends": {},  # by line: the day it is no longer served
        "cancellation": None,
        "ended_on": None,
        "lapsed": False,
        "assigned": 0,
        "started_on": envelope.metadata["effective_on"],
        "started_event_id": envelope.event_id,
    }


def _sources(row: Members, lines: Members, here: str) -> Members:
    """By line: the place of the event that made it what it is."""
    known = row.get("lines", {})
    return {
        line_id: row["lines_from"][line_id] if line == known.get(line_id) else here for line_id, line in lines.items()
    }


def _edited(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    after = body["after"]
    changed: Members = {"lines": {**row["lines"], after["line_id"]: after}}
    if body["change_id"] is not None:
        changed["changes"] = _without(row["changes"], after["line_id"], body["change_id"])
    return changed


def _edit_scheduled(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    change = {name: body[name] for name in ("change_id", "before", "after", "direction", "effective_on")}
    return {"changes": {**row["changes"], body["after"]["line_id"]: {**change, "from": place(envelope)}}}


def _edit_discarded(row: Members, envelope: Envelope) -> Members:
    return {"changes": _without(row["changes"], envelope.data["line_id"], envelope.data["change_id"])}


def _resized(row: Members, envelope: Envelope) -> Members:
    after = envelope.data["after"]
    return {"lines": {**row["lines"], after["line_id"]: after}}


def _cycle_changed(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    return {
        "cycle": body["cycle"],
        "term_start": body["term_start"],
        "term_end": body["term_end"],
        "lines": {line["line_id"]: line for line in body["lines"]},
        "changes": {},
        "ends": {},
    }


def _line_purchased(row: Members, envelope: Envelope) -> Members:
    line = envelope.data["line"]
    return {"lines": {**row["lines"], line["line_id"]: line}}


def _add_on_cancelled(row: Members, envelope: Envelope) -> Members:
    return {"ends": {**row["ends"], envelope.data["line_id"]: envelope.data["ends_on"]}}


def _add_on_reinstated(row: Members, envelope: Envelope) -> Members:
    return {"ends": {line: on for line, on in row["ends"].items() if line != envelope.data["line_id"]}}


def _cancelled(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    cancellation = {name: body[name] for name in ("reason", "ends_on", "refund_requested")}
    return {
        "cancellation": {**cancellation, "cancelled_on": envelope.metadata["effective_on"]},
        "ends": {**row["ends"], row["base"]: body["ends_on"]},
    }


def _term_advanced(row: Members, envelope: Envelope) -> Members:
    body = envelope.data
    served = {line["line_id"]: line for line in body["lines"]}
    return {
        "term_start": body["term_start"],
        "term_end": body["term_end"],
        "lines": served,
        "changes": {
            line: change for line, change in row["changes"].items() if change["effective_on"] > body["term_start"]
        },
        "ends": {},
    }


def _ended(row: Members, envelope: Envelope) -> Members:
    return {"ended_on": envelope.data["ended_on"], "changes": {}}


def _lapsed(row: Members, envelope: Envelope) -> Members:
    return {"ended_on": envelope.data["lapsed_on"], "lapsed": True, "changes": {}}


def _reinstated(row: Members, envelope: Envelope) -> Members:
    back = {row["base"], *envelope.data["line_ids"]}
    return {"cancellation": None, "ends": {line: on for line, on in row["ends"].items() if line not in back}}


def _assigned(row: Members, envelope: Envelope) -> Members:
    return {"assigned": row["assigned"] + 1}


def _unassigned(row: Members, envelope: Envelope) -> Members:
    return {"assigned": row["assigned"] - 1}


def _renewal(quoted: Members) -> Members | None:
    """None when the bundle will not renew."""
    return {"due_on": quoted["due_on"], "amount_minor": quoted["amount_minor"]} if quoted["lines"] else None


def _without(changes: Members, line_id: str, change_id: str) -> Members:
    """The pending changes without that one: another change of the same line has superseded it already."""
    return {line: change for line, change in changes.items() if (line, change["change_id"]) != (line_id, change_id)}


_FOLDS: dict[str, Callable[[Members, Envelope], Members]] = {
    "plans.PlanEdited": _edited,
    "plans.PlanEditScheduled": _edit_scheduled,
    "plans.PlanEditDiscarded": _edit_discarded,
    "plans.PlanCycleChanged": _cycle_changed,
    "plans.CapacityPurchased": _line_purchased,
    "plans.CapacityResized": _resized,
    "plans.AddOnPurchased": _line_purchased,
    "plans.AddOnCancelled": _add_on_cancelled,
    "plans.AddOnReinstated": _add_on_reinstated,
    "plans.PlanCancelled": _cancelled,
    "plans.PlanReinstated": _reinstated,
    "plans.PlanTermAdvanced": _term_advanced,
    "plans.PlanEnded": _ended,
    "plans.PlanLapsed": _lapsed,
    "plans.LicenceAssigned": _assigned,
    "plans.LicenceUnassigned": _unassigned,
}
