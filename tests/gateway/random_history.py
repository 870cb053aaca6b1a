"""Random histories of two accounts: whatever the deciders let through, over a few days."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from contracts.plans import CancelReason
from contracts.terms import Cycle
from services.plans.commands import (
    AssignLicence,
    BuyAddOn,
    BuyCapacity,
    CancelLine,
    CancelPlan,
    ChangeCycle,
    DiscardPendingChange,
    EditPlan,
    PlanCommand,
    ReinstateLine,
    ReinstatePlan,
    ResizeCapacity,
    StartPlan,
    UnassignLicence,
)

from .history import History, asked

ACCOUNTS = ("acme", "globex")
BASES = ("workplace_pro", "workplace_business")
BUNDLES = {
    "acme-1": ("workplace_pro", Cycle.MONTHLY),
    "acme-2": ("phone", Cycle.ANNUAL),
    "acme-3": ("webinar_one_month", Cycle.ONE_MONTH),
    "globex-1": ("workplace_business", Cycle.MONTHLY),
}
Step = tuple[Callable[..., PlanCommand], dict[str, Any]]

quantities = st.integers(1, 12)
people = st.sampled_from(["a", "b", "c"])
capacities = st.sampled_from(["storage", "whiteboard"])


def wishes(make: Callable[..., PlanCommand], **members: Any) -> st.SearchStrategy[Step]:
    return st.fixed_dictionaries(members).map(lambda wish: (make, wish))


steps: st.SearchStrategy[Step] = st.one_of(
    wishes(EditPlan, quantity=quantities),
    wishes(EditPlan, quantity=quantities, line_id=st.just("line-2")),
    wishes(EditPlan, sku=st.sampled_from(BASES)),
    wishes(EditPlan, quantity=quantities, later=st.integers(1, 12)),
    wishes(ChangeCycle, cycle=st.sampled_from([Cycle.MONTHLY, Cycle.ANNUAL]), discard_pending=st.booleans()),
    wishes(ResizeCapacity, line_id=st.just("line-2"), sku=st.sampled_from(["storage", "big_storage"])),
    wishes(CancelLine, line_id=st.just("line-2")),
    wishes(ReinstateLine, line_id=st.just("line-2")),
    wishes(BuyCapacity, sku=capacities, quantity=quantities),
    wishes(BuyAddOn, sku=st.just("captions"), quantity=quantities),
    wishes(DiscardPendingChange),
    wishes(CancelPlan, refund=st.booleans(), cascade=st.just(True), reason=st.just(CancelReason.OTHER)),
    wishes(ReinstatePlan),
    wishes(AssignLicence, assignee=people),
    wishes(UnassignLicence, assignee=people),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    history.publish()
    for account_id in ACCOUNTS:
        history.open(account_id)
    for bundle_id, (sku, cycle) in BUNDLES.items():
        wish = {"sku": sku, "cycle": cycle, "quantity": draw(quantities), "account_bases": frozenset(BASES)}
        history.do(bundle_id.split("-")[0], StartPlan(**asked(bundle_id, history, **wish)))
    every = st.tuples(st.sampled_from(sorted(BUNDLES)), steps, st.sampled_from([0, 0, 0, 0, 0, 1, 9]))
    for bundle_id, (make, wish), days in draw(st.lists(every, min_size=10, max_size=40)):
        account_id = bundle_id.split("-")[0]
        for _ in range(days):
            history.today += timedelta(days=1)
            for each in BUNDLES:
                history.by_itself(each.split("-")[0], each)
        if later := wish.get("later"):
            wish = {"quantity": wish["quantity"], "effective_on": history.today + timedelta(days=later)}
        history.try_to(account_id, make(**asked(bundle_id, history, **wish)))
    return history
