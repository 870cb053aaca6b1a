"""What one line of a plan was charged for, term by term: never more than it costs, no day twice, and no credit beyond
what was charged (DOMAIN M8). In the order of the log of plans. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

Line = dict[str, Any]
Term = tuple[str, str]  # first day, and the first day after it


@dataclass(slots=True)
class Charged:
    """minor: net of credits. full_minor: what a whole term costs that is charged to its end. since: from which day."""

    minor: int = 0
    full_minor: int = 0
    since: str = ""


@dataclass(slots=True)
class Terms:
    """By bundle and line, the terms that are not over when the newest one begins."""

    charged: dict[tuple[str, str], dict[Term, Charged]] = field(default_factory=lambda: defaultdict(dict))

    def take(self, bundle_id: str, lines: Iterable[Line], costs: dict[str, int], event: str) -> Iterator[str]:
        """The money lines of one event. costs: what a whole term of a line costs after it, as far as it says."""
        touched = set()
        for line in lines:
            terms = self.charged[bundle_id, line["line_id"]]
            term = terms.setdefault((line["period_start"], line["period_end"]), Charged())
            term.minor += line["amount_minor"]
            if term.minor < 0:
                yield f"{-term.minor} more is credited than was charged for {_said(bundle_id, line)}, {event}"
            if line["part"] == "charge":
                term.since = min(term.since or "9999", _first_day(line))
                term.full_minor += line["full_minor"]
            else:
                term.full_minor -= line["full_minor"]
            touched.add(line["line_id"])
        for line_id in sorted(touched):
            yield from self._twice(bundle_id, line_id, costs.get(line_id), event)

    def _twice(self, bundle_id: str, line_id: str, cost: int | None, event: str) -> Iterator[str]:
        terms = self.charged[bundle_id, line_id]
        newest = max(terms)
        if cost is not None and terms[newest].full_minor > cost:
            more = terms[newest].full_minor - cost
            yield f"{line_id} of {bundle_id} is charged {more} more than it costs from {newest[0]} on, {event}"
        for (_, end), term in terms.items():
            both = term is not terms[newest] and term.full_minor > 0 < terms[newest].full_minor
            if both and end > terms[newest].since:
                yield f"{line_id} of {bundle_id} is billed twice for {terms[newest].since}, {event}"
        self.charged[bundle_id, line_id] = {each: term for each, term in terms.items() if each[1] > newest[0]}


def _first_day(line: Line) -> str:
    return (date.fromisoformat(line["period_start"]) + timedelta(days=line["days_served"])).isoformat()


def _said(bundle_id: str, line: Line) -> str:
    return f"{line['line_id']} of {bundle_id} from {line['period_start']} on"
