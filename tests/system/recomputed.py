"""What the plan summary must say, worked out from the plans' feed alone: no code in common with the services."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

Members = dict[str, Any]
Upcoming = dict[tuple[str, str], dict[str, int]]  # (cadence, due on) → bundle → minor units


def upcoming_renewals(events: Iterable[Members], account_id: str) -> Upcoming:
    """events: lines of the plans' feed, in order."""
    bundles: dict[str, Members] = {}
    for event in events:
        if event["metadata"]["account_id"] == account_id and event["stream"].startswith("plan-"):
            _fold(bundles, event["type"].removeprefix("plans."), event["data"])
    due: Upcoming = defaultdict(dict)
    for bundle_id, bundle in bundles.items():
        if not bundle["cancelled"] and bundle["cycle"] != "one_month":
            renewing = {**bundle["lines"], **{line: after for line, (_, after) in bundle["pending"].items()}}
            amount_minor = sum(line["total_minor"] for line in renewing.values())
            due[bundle["cycle"], bundle["term_end"]][bundle_id] = amount_minor
    return dict(due)


def shown_renewals(summary: Members) -> Upcoming:
    """What a plan summary says, bundle by bundle left out: only that the bundles are named."""
    shown: Upcoming = {}
    for cadence in ("monthly", "annual"):
        of_cadence = summary[cadence]
        for renewal in filter(None, [of_cadence["next"], *of_cadence["later"]]):
            shown[cadence, renewal["due_on"]] = {
                "amount_minor": renewal["amount_minor"],
                **dict.fromkeys(renewal["bundle_ids"], 0),
            }
    return shown


def as_shown(upcoming: Upcoming) -> Upcoming:
    """The same without each bundle's share, as `shown_renewals` has it."""
    return {due: {"amount_minor": sum(of.values()), **dict.fromkeys(of, 0)} for due, of in upcoming.items()}


def broken_down(breakdown: Members) -> Upcoming:
    """What a breakdown adds up to, per day and bundle."""
    due: Upcoming = defaultdict(lambda: defaultdict(int))
    for renewal in breakdown["renewals"]:
        for line in renewal["lines"]:
            due[breakdown["cadence"], renewal["due_on"]][line["bundle_id"]] += line["amount_minor"]
    return {day: dict(of) for day, of in due.items()}


def _fold(bundles: dict[str, Members], name: str, body: Members) -> None:
    if name == "PlanStarted":
        started = {"cycle": body["cycle"], "term_end": body["term_end"], "lines": {}, "pending": {}, "cancelled": False}
        bundles[body["bundle_id"]] = started
    bundle = bundles[body["bundle_id"]]
    match name:
        case "PlanStarted" | "CapacityPurchased" | "AddOnPurchased":
            bundle["lines"][body["line"]["line_id"]] = body["line"]
        case "PlanEdited":
            bundle["lines"][body["after"]["line_id"]] = body["after"]
        case "PlanEditScheduled":
            bundle["pending"][body["after"]["line_id"]] = (body["change_id"], body["after"])
        case "PlanEditDiscarded":
            bundle["pending"] = {k: v for k, v in bundle["pending"].items() if v[0] != body["change_id"]}
        case "PlanTermAdvanced":
            lines = {line["line_id"]: line for line in body["lines"]}
            bundle.update(term_end=body["term_end"], lines=lines, pending={})
        case "PlanCancelled" | "PlanReinstated":
            bundle["cancelled"] = name == "PlanCancelled"
