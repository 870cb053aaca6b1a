"""Plan summary and its breakdown: from the row of an account to the answers."""

from typing import Any

from contracts.terms import Cycle

from .answers import Breakdown, BreakdownLine, BreakdownRenewal, CadenceSummary, PlanSummary, UpcomingRenewal

Row = dict[str, Any]


def summary(account_id: str, row: Row | None) -> PlanSummary:
    """row: None while the account has never had anything to renew."""
    return PlanSummary(account_id=account_id, monthly=_cadence(row, Cycle.MONTHLY), annual=_cadence(row, Cycle.ANNUAL))


def breakdown(account_id: str, row: Row | None, cadence: Cycle) -> Breakdown:
    renewals = [
        BreakdownRenewal(
            due_on=due_on,
            currency=renewal["currency"],
            amount_minor=renewal["amount_minor"],
            lines=[_line(bundle["bundle_id"], line) for bundle in renewal["bundles"] for line in bundle["lines"]],
        )
        for due_on, renewal in _by_day(row, cadence)
    ]
    return Breakdown(account_id=account_id, cadence=cadence, renewals=renewals)


def _cadence(row: Row | None, cadence: Cycle) -> CadenceSummary:
    upcoming = [
        UpcomingRenewal(
            due_on=due_on,
            currency=renewal["currency"],
            amount_minor=renewal["amount_minor"],
            bundle_ids=[bundle["bundle_id"] for bundle in renewal["bundles"]],
        )
        for due_on, renewal in _by_day(row, cadence)
    ]
    return CadenceSummary(next=upcoming[0] if upcoming else None, later=upcoming[1:])


def _by_day(row: Row | None, cadence: Cycle) -> list[tuple[Any, Row]]:
    """Due dates are ISO dates: their order as text is their order in time."""
    return sorted(row["upcoming"].get(cadence, {}).items()) if row else []


def _line(bundle_id: str, line: Row) -> BreakdownLine:
    return BreakdownLine(
        bundle_id=bundle_id,
        line_id=line["line_id"],
        sku=line["sku"],
        product=line["name"],
        licences=line["quantity"],
        unit_minor=line["unit_minor"],
        amount_minor=line["amount_minor"],
    )
