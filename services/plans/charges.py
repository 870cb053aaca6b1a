"""What a change in mid-term costs now: charges for what is still to be served, credits for what will not be (M4–M8)."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

from contracts.money import within_range
from contracts.plans import Money, MoneyLine, PlanLine
from contracts.proration import earned

from .plan import Plan


def charge(plan: Plan, line: PlanLine, full_minor: int, quantity: int, on: date) -> MoneyLine:
    """The rest of `full_minor` from a day to the end of the term, for `quantity` units of a line."""
    return _part(plan, line, "charge", full_minor, quantity, on)


def credit(plan: Plan, line: PlanLine, on: date, full_minor: int | None = None) -> MoneyLine:
    """What is left of a line (or of `full_minor` of it) from a day on, given back: at most what was charged for it in
    this term, less earlier credits (DOMAIN M8)."""
    part = _part(plan, line, "credit", line.total_minor if full_minor is None else full_minor, line.quantity, on)
    charged = max(0, plan.charged_minor.get(line.line_id, 0))
    return part.model_copy(update={"amount_minor": -min(part.amount_minor, charged)})


def money(plan: Plan, parts: Iterable[MoneyLine] = ()) -> Money:
    """One net amount that opens into its parts; parts of nothing are left out (DOMAIN M12). Raises AmountTooLarge."""
    lines = tuple(part for part in parts if part.amount_minor or part.full_minor)
    net_minor = within_range(sum(line.amount_minor for line in lines))
    return Money(currency=plan.currency, net_minor=net_minor, lines=lines)


def edit_money(plan: Plan, before: PlanLine, after: PlanLine, on: date) -> Money:
    """More of the same: the rest of the difference. Another product: credit the old rest, charge the new one (M6)."""
    if before.sku != after.sku:
        return money(plan, [credit(plan, before, on), charge(plan, after, after.total_minor, after.quantity, on)])
    delta = after.total_minor - before.total_minor
    if delta < 0:  # less of it; or, with volume tiers, more units at a lower total
        return money(plan, [credit(plan, before, on, full_minor=-delta)])
    return money(plan, [charge(plan, after, delta, after.quantity - before.quantity, on)])


def _part(
    plan: Plan, line: PlanLine, part: Literal["charge", "credit"], full_minor: int, quantity: int, on: date
) -> MoneyLine:
    served = plan.term.days_before(on)
    return MoneyLine(
        line_id=line.line_id,
        sku=line.sku,
        name=line.name,
        part=part,
        quantity=quantity,
        full_minor=full_minor,
        days_served=served,
        days=plan.term.days,
        period_start=plan.term.start,
        period_end=plan.term.end,
        amount_minor=within_range(full_minor - earned(full_minor, served, plan.term.days)),
        tax_code=line.tax_code,
    )
