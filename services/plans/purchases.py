"""What is bought: a bundle by its base, then capacities and add-ons beside it (DOMAIN B1–B3, B11). Pure."""

from contracts.plan_actions import Privilege, why_held
from contracts.plans import (
    AddOnPurchased,
    CapacityPurchased,
    Money,
    NextRenewal,
    PlanEvent,
    PlanLine,
    PlanStarted,
    Product,
    ProductKind,
)
from contracts.problems import Refused
from contracts.terms import term

from .account import Account
from .catalogue import Catalogue
from .charges import charge, money
from .commands import BuyAddOn, BuyCapacity, StartPlan
from .offers import LAST_DAY, check_base_allows, check_not_there, check_quantity, line_of, price_of, sold
from .plan import BASE_LINE, Plan, evolve
from .telling import next_renewal, told


def start(command: StartPlan, plan: Plan | None, account: Account, catalogue: Catalogue) -> list[PlanEvent]:
    if Privilege.SUBSCRIPTION_EDIT not in command.privileges:
        raise Refused("forbidden")
    if plan is not None:
        raise Refused("second_base")
    if reason := why_held(account.held_for()):
        raise account.refused(reason)
    if command.currency not in (None, account.currency):
        raise Refused("currency_mismatch", currency=account.currency)
    product = sold(catalogue, command.sku, command.on)
    if product.kind is not ProductKind.BASE:
        raise Refused("not_a_base", sku=product.sku)
    if product.requires and not command.account_bases.intersection(product.requires):
        raise Refused("requirement_unmet", requires=list(product.requires))
    if command.on > LAST_DAY:
        raise Refused("date_out_of_range")
    check_quantity(product, command.quantity)
    price = price_of(product, account.currency, command.cycle)
    line = line_of(BASE_LINE, product, command.quantity, price, catalogue, command.on)
    first = term(command.on, command.cycle, 0)
    blank = NextRenewal(cadence=command.cycle, due_on=first.end, currency=account.currency, amount_minor=0, lines=())
    started = PlanStarted(
        bundle_id=command.bundle_id,
        family=product.family,
        line=line,
        cycle=command.cycle,
        time_zone=account.time_zone,
        anchor_on=command.on,
        term_start=first.start,
        term_end=first.end,
        money=Money(currency=account.currency, net_minor=0, lines=()),
        next_renewal=blank,
    )
    begun = evolve(None, started, command.on)
    due_now = money(begun, [charge(begun, line, line.total_minor, line.quantity, command.on)])
    return [started.model_copy(update={"money": due_now, "next_renewal": next_renewal(begun, catalogue)})]


def buy_capacity(command: BuyCapacity, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    line = _line_beside(plan, command, ProductKind.CAPACITY, "not_a_capacity", "capacity_exists", catalogue)
    rest = money(plan, [charge(plan, line, line.total_minor, line.quantity, command.on)])
    event = CapacityPurchased(bundle_id=plan.bundle_id, line=line, money=rest, next_renewal=plan.next_renewal())
    return [told(plan, event, command.on, catalogue)]


def buy_add_on(command: BuyAddOn, plan: Plan, catalogue: Catalogue) -> list[PlanEvent]:
    line = _line_beside(plan, command, ProductKind.ADD_ON, "not_an_add_on", "add_on_exists", catalogue)
    rest = money(plan, [charge(plan, line, line.total_minor, line.quantity, command.on)])
    event = AddOnPurchased(bundle_id=plan.bundle_id, line=line, money=rest, next_renewal=plan.next_renewal())
    return [told(plan, event, command.on, catalogue)]


def _line_beside(
    plan: Plan, command: BuyCapacity | BuyAddOn, kind: ProductKind, other: str, exists: str, catalogue: Catalogue
) -> PlanLine:
    """A new line beside the base, in its cycle and for its term (DOMAIN B2). other, exists: what is said of a product
    of another kind, and of one that the plan has already."""
    product: Product = sold(catalogue, command.sku, command.on)
    if product.kind is not kind:
        raise Refused("second_base" if product.kind is ProductKind.BASE else other, sku=product.sku)
    check_base_allows(plan, product)
    if command.cycle not in (None, plan.cycle):
        raise Refused("term_mismatch", cycle=plan.cycle)
    check_not_there(plan, product.sku, exists)
    check_quantity(product, command.quantity)
    price = price_of(product, plan.currency, plan.cycle)
    return line_of(f"line-{plan.bought_lines + 1}", product, command.quantity, price, catalogue, command.on)
