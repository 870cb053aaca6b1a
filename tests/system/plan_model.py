"""A small model of a plan, written from DOMAIN 5 and not from the services: what a command answers, what a card shows.

It knows quantities and states, no money and no time: everything happens within the first term.
"""

from dataclasses import dataclass, field
from typing import Any

Members = dict[str, Any]

LIMITS = {
    "workplace_pro": (1, 9),
    "workplace_business": (10, 250),
    "workplace_business_plus": (10, 250),
    "phone_us_unlimited": (1, 500),
    "rooms": (1, 500),
    "storage_200": (1, 1),
    "large_meeting_500": (1, 100),
    "phone_number_extra": (1, 1000),
}
FAMILIES = {
    "workplace_pro": "workplace",
    "workplace_business": "workplace",
    "workplace_business_plus": "workplace",
    "phone_us_unlimited": "phone",
    "rooms": "rooms",
    "storage_200": "workplace",
    "large_meeting_500": "workplace",
    "phone_number_extra": "phone",
}
CAPACITIES = ("storage_200", "large_meeting_500", "phone_number_extra")
MONTHLY_MINOR = {
    "workplace_pro": 1699,
    "workplace_business": 2199,
    "workplace_business_plus": 2649,
    "phone_us_unlimited": 1500,
    "rooms": 4900,
}
OK = "ok"


@dataclass
class Line:
    sku: str
    quantity: int
    pending: int | None = None
    pending_sku: str | None = None
    ends: bool = False


@dataclass
class ModelPlan:
    """lines: the base first. Every method changes the model and returns OK, or returns the code of the refusal."""

    lines: dict[str, Line]
    assigned: set[str] = field(default_factory=set)
    cancelled: bool = False
    revision: int = 0

    @classmethod
    def start(cls, sku: str, quantity: int) -> "ModelPlan | str":
        if sku not in LIMITS:
            return "product_not_found"
        if sku in CAPACITIES:
            return "not_a_base"
        return cls({"line-1": Line(sku, quantity)}) if _fits(sku, quantity) else "quantity_out_of_range"

    @property
    def base(self) -> Line:
        return self.lines["line-1"]

    def edit(self, line_id: str, quantity: int, sku: str | None = None) -> str:
        if self.cancelled:
            return "plan_cancelled"
        line = self.lines.get(line_id)
        if line is None:
            return "line_not_found"
        sku = sku or line.sku
        if sku != line.sku and (refusal := self._cannot_become(line_id, sku)):
            return refusal
        if (sku, quantity) == (line.sku, line.quantity):
            if line.pending is None:
                return "no_change"
            return self._without_pending(line)
        if not _fits(sku, quantity):
            return "quantity_out_of_range"
        if line is self.base and quantity < len(self.assigned):
            return "licences_assigned"
        if _is_less(line, sku, quantity):
            if (line.pending, line.pending_sku) == (quantity, sku):
                return "no_change"
            line.pending, line.pending_sku = quantity, sku
            return self._done()
        if line.pending is not None:
            self._without_pending(line)
        line.sku, line.quantity = sku, quantity
        return self._done()

    def buy(self, sku: str, quantity: int) -> str:
        if self.cancelled:
            return "plan_cancelled"
        if sku not in LIMITS:
            return "product_not_found"
        if sku not in CAPACITIES:
            return "second_base"
        if FAMILIES[sku] != FAMILIES[self.base.sku]:
            return "requirement_unmet"
        if any(line.sku == sku for line in self.lines.values()):
            return "capacity_exists"
        if not _fits(sku, quantity):
            return "quantity_out_of_range"
        self.lines[f"line-{len(self.lines) + 1}"] = Line(sku, quantity)
        return self._done()

    def discard(self, line_id: str) -> str:
        if self.cancelled:
            return "plan_cancelled"
        line = self.lines.get(line_id)
        if line is None:
            return "line_not_found"
        return self._without_pending(line) if line.pending is not None else "no_pending_change"

    def cancel(self, cascade: bool) -> str:
        if self.cancelled:
            return "already_cancelled"
        if len(self.lines) > 1 and not cascade:
            return "active_addons"
        for line in self.lines.values():
            line.ends = True
        self.cancelled = True
        return self._done(len(self.lines))

    def reinstate(self) -> str:
        if not self.cancelled:
            return "not_cancelled"
        for line in self.lines.values():
            line.ends = False
        self.cancelled = False
        return self._done()

    def assign(self, person: str) -> str:
        if len(self.assigned) >= self.base.quantity:
            return "all_licences_assigned"
        if person in self.assigned:
            return "no_change"
        self.assigned.add(person)
        return self._done()

    def unassign(self, person: str) -> str:
        if person not in self.assigned:
            return "no_change"
        self.assigned.remove(person)
        return self._done()

    def card(self) -> Members:
        """The members of the product card that the model knows."""
        return {
            "status": "cancel_scheduled" if self.cancelled else "active",
            "sku": self.base.sku,
            "licences": {
                "total": self.base.quantity,
                "assigned": len(self.assigned),
                "available": self.base.quantity - len(self.assigned),
            },
            "lines": {line_id: (line.sku, line.quantity, line.ends) for line_id, line in self.lines.items()},
            "pending": {
                line_id: (line.pending_sku, line.pending)
                for line_id, line in self.lines.items()
                if line.pending is not None
            },
            "revision": self.revision,
        }

    def _cannot_become(self, line_id: str, sku: str) -> str | None:
        if sku not in LIMITS:
            return "product_not_found"
        if line_id != "line-1":
            return "not_a_base"
        return None if sku not in CAPACITIES and FAMILIES[sku] == FAMILIES[self.base.sku] else "different_family"

    def _without_pending(self, line: Line) -> str:
        line.pending = line.pending_sku = None
        return self._done()

    def _done(self, events: int = 1) -> str:
        self.revision += events
        return OK


def shown(card: Members) -> Members:
    """What a real card says of the things the model knows."""
    return {
        "status": card["status"],
        "sku": card["sku"],
        "licences": card["licences"],
        "lines": {
            line["line_id"]: (line["sku"], line["quantity"], line["ends_on"] is not None) for line in card["lines"]
        },
        "pending": {
            change["line_id"]: (change["after"]["sku"], change["after"]["quantity"])
            for change in card["pending_changes"]
        },
        "revision": card["revision"],
    }


def _fits(sku: str, quantity: int) -> bool:
    minimum, maximum = LIMITS[sku]
    return minimum <= quantity <= maximum


def _is_less(line: Line, sku: str, quantity: int) -> bool:
    if sku == line.sku:
        return quantity < line.quantity
    return MONTHLY_MINOR[sku] * quantity < MONTHLY_MINOR[line.sku] * line.quantity
