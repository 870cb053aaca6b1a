"""Two days of an account side by side: which plans and lines are others, and what that is in money."""

from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

from contracts.plan_actions import Privilege

from .api import Api, Members
from .visits import Visit

MONTH = timedelta(days=30)  # what is compared when nobody has said: with a month ago


@dataclass(frozen=True, slots=True)
class Then:
    """What is compared of one day. invoices: of between the days, None for whoever may not see them."""

    cards: list[Members]
    currency: str
    summary: Members
    leases: list[Members]
    invoices: list[Members] | None


@dataclass(frozen=True, slots=True)
class Line:
    """Of a plan. before, after: None on the day it is not there."""

    name: str
    before: Members | None
    after: Members | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that is another, with those of its lines that are. change: started, ended or changed."""

    bundle_id: str
    name: str
    change: str
    before: Members | None
    after: Members | None
    lines: list[Line]

    def differs(self, fact: str) -> bool:
        return (self.before or {}).get(fact) != (self.after or {}).get(fact)


async def compare(visit: Visit) -> Response:
    today = visit.today()
    opened_on = visit.opened_on or today
    asked = visit.asked.get("first") or max(today - MONTH, opened_on).isoformat()
    first, second = sorted((asked, visit.asked.get("second") or today.isoformat()))
    between = {"from": first, "to": second}
    before, after = [await _then(visit, visit.api.as_of(day), between) for day in (first, second)]
    known = {each["number"] for each in before.invoices or ()}
    return visit.page(
        "compare.html",
        title="Compare two days",
        here="history",
        first=first,
        second=second,
        opened_on=opened_on.isoformat(),
        last=today.isoformat(),
        before=before,
        after=after,
        plans=plans(before.cards, after.cards),
        renewals=[_renewal(before.summary, after.summary, cadence) for cadence in ("monthly", "annual")],
        issued=[each for each in after.invoices or () if each["number"] not in known],
    )


def plans(before: list[Members], after: list[Members]) -> list[Plan]:
    """Those that differ in what they are, cost or will be; a plan that has ended is one that is not there."""
    known = [{card["bundle_id"]: card for card in cards if card["status"] != "ended"} for cards in (before, after)]
    found = []
    for bundle_id in {**known[0], **known[1]}:
        then, now = (cards.get(bundle_id) for cards in known)
        lines = _lines(then, now)
        if lines or _facts(then) != _facts(now):
            change = "started" if then is None else "ended" if now is None else "changed"
            found.append(Plan(bundle_id, (now or then or {})["name"], change, then, now, lines))
    return found


def _lines(before: Members | None, after: Members | None) -> list[Line]:
    known = [{line["line_id"]: line for line in card["lines"]} if card else {} for card in (before, after)]
    pairs = [(known[0].get(line_id), known[1].get(line_id)) for line_id in {**known[0], **known[1]}]
    return [Line((now or then or {})["name"], then, now) for then, now in pairs if _costs(then) != _costs(now)]


def _costs(line: Members | None) -> tuple[object, ...]:
    return tuple(line[name] for name in ("sku", "quantity", "total_minor", "ends_on")) if line else ()


def _facts(card: Members | None) -> tuple[object, ...]:
    """What a card shows of the plan as a whole."""
    kept = ("status", "cycle", "next_renewal", "pending_changes", "licences")
    return tuple(card[name] for name in kept) if card else ()


def _renewal(before: Members, after: Members, cadence: str) -> tuple[str, Members | None, Members | None]:
    return cadence, before[cadence]["next"], after[cadence]["next"]


async def _then(visit: Visit, api: Api, between: dict[str, str]) -> Then:
    may = Privilege.INFORMATION_READ in visit.held()
    invoices = (await api.read("/invoices", between))["invoices"] if may else None
    return Then(
        cards=(await api.read("/product-cards"))["cards"],
        currency=(await api.read("/catalogue"))["currency"],
        summary=await api.read("/plan-summary"),
        leases=[each for each in (await api.read("/leases"))["leases"] if each["status"] != "returned"],
        invoices=invoices,
    )
