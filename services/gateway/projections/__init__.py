"""The read models: pure folds of events into rows, one file each.

A row is a JSON-able dict; `apply` returns a new one and never touches the old. Folding dicts and not models is what
lets a rebuild keep up with the feed. Raise the number in a TABLE whenever its `apply` changes: rows are built anew
from the events, never patched.
"""

from typing import Any, Protocol

from contracts.envelope import Envelope

from . import account, catalogue, device_lease, device_order, history, invoice, licence, plan_summary, product_card

Row = dict[str, Any]


class Projection(Protocol):
    """What each module here is. TABLE: a versioned SQL name. CATEGORY: of the only streams it has to do with; empty for
    all."""

    TABLE: str
    CATEGORY: str

    def key(self, envelope: Envelope) -> str | None:
        """The row an event belongs to; None when this read model has nothing to do with it."""
        ...

    def account(self, envelope: Envelope) -> str:
        """The account the row belongs to."""
        ...

    def apply(self, row: Row | None, envelope: Envelope) -> Row | None:
        """The row after an event. Any exception means that this event cannot be applied."""
        ...


PROJECTIONS: tuple[Projection, ...] = (
    product_card,
    plan_summary,
    catalogue,
    account,
    invoice,
    device_order,
    device_lease,
    history,
    licence,
)
