"""What became of the rows of a bulk edit."""

from collections import Counter
from enum import StrEnum
from typing import Any

from pydantic import Field

from contracts.problems import PROBLEMS
from services.gateway.answers import Answer
from services.gateway.inside import Members

from .rows import Row


class Outcome(StrEnum):
    DONE = "done"
    WOULD_BE_DONE = "would_be_done"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    NOT_TRIED = "not_tried"


class RowResult(Answer):
    """One row. code, message: why it was refused; more: the members of that problem. net_minor: what it costs now,
    before tax. events: what was recorded, or would be. revision, position: of the plan, and of the log, afterwards."""

    row: int
    bundle_id: str
    outcome: Outcome
    code: str | None = None
    message: str | None = None
    more: dict[str, Any] = Field(default_factory=dict)
    net_minor: int = 0
    events: list[str] = Field(default_factory=list)
    revision: int | None = None
    position: str | None = None


class BulkResult(Answer):
    """The last line: an answer without it is not whole. dry_run, atomic: as was asked. counts: rows by outcome."""

    end: bool = True
    dry_run: bool
    atomic: bool
    rows: int
    counts: dict[Outcome, int]
    net_minor: int


def recorded(row: Row, answer: Members) -> RowResult:
    """Of a command's answer."""
    net = sum(event["data"].get("money", {}).get("net_minor", 0) for event in answer["events"])
    return RowResult(
        row=row.number,
        bundle_id=row.bundle_id,
        outcome=Outcome.DONE,
        net_minor=net,
        events=[event["type"].partition(".")[2] for event in answer["events"]],
        revision=answer["revision"],
        position=answer["position"],
    )


def quoted(row: Row, quote: Members) -> RowResult:
    return RowResult(
        row=row.number,
        bundle_id=row.bundle_id,
        outcome=Outcome.WOULD_BE_DONE,
        net_minor=quote["due_now"]["net_minor"],
        events=quote["events"],
    )


_SAID = ("type", "title", "status", "detail", "code", "instance", "correlation_id")


def refused(row: Row, code: str, problem: Members | None = None) -> RowResult:
    """A line that is as it shall be is not a mistake: most rows of a file that was exported and edited are."""
    outcome = Outcome.UNCHANGED if code == "no_change" else Outcome.REFUSED
    more = {name: value for name, value in (problem or {}).items() if name not in _SAID}
    kind = PROBLEMS[code]
    message = row.wrong or f"{kind.title}. {kind.next_step}"
    return RowResult(row=row.number, bundle_id=row.bundle_id, outcome=outcome, code=code, message=message, more=more)


def not_tried(row: Row) -> RowResult:
    return RowResult(row=row.number, bundle_id=row.bundle_id, outcome=Outcome.NOT_TRIED)


class Tally:
    """Counts results as they go by."""

    def __init__(self, dry_run: bool, atomic: bool) -> None:
        self._dry_run, self._atomic = dry_run, atomic
        self._counts: Counter[Outcome] = Counter()
        self._net = 0

    def add(self, result: RowResult) -> None:
        self._counts[result.outcome] += 1
        self._net += result.net_minor

    def end(self) -> BulkResult:
        counts = {outcome: self._counts[outcome] for outcome in Outcome}
        return BulkResult(
            dry_run=self._dry_run,
            atomic=self._atomic,
            rows=sum(counts.values()),
            counts=counts,
            net_minor=self._net,
        )
