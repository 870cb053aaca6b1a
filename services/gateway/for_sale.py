"""What is for sale to an account today, where it may be bought, and why not: the rules of the plans service, asked
of the read models (DOMAIN B3, B10, B11, B18)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from contracts.plan_actions import Hold, PlanAction, PlanStatus, Privilege, standing_on, why_held, why_not
from contracts.plans import DEVICE_KINDS, ProductKind
from contracts.pricing import Price

from .answers import CatalogueForSale, Permission, PermissionInPlan, ProductForSale
from .cards import holds_of, standing

BOOK = "standard"  # the price book the plans service sells from

Row = dict[str, Any]


def for_sale(
    account: Row, book: Row | None, plans: Sequence[Row], today: date, privileges: frozenset[str]
) -> CatalogueForSale:
    """account, book, plans: rows of the read models; plans are the account's. today: in the account's time zone."""
    version, holds = _in_force(book, today), holds_of(account)
    live = [plan for plan in plans if standing_on(standing(plan), today) is not PlanStatus.ENDED]
    retired = {sku for sku, on in book["retired"].items() if on <= today.isoformat()} if book else set()
    offered = [product for product in version["products"] if _offered(product)] if version else []
    products = [product for product in offered if product["sku"] not in retired]
    return CatalogueForSale(
        account_id=account["account_id"],
        currency=account["currency"],
        book_version=version["book_version"] if version else None,
        effective_from=version["effective_from"] if version else None,
        products=[_product(product, account["currency"], live, today, privileges, holds) for product in products],
    )


def _in_force(book: Row | None, today: date) -> Row | None:
    """The version in force: the latest by its date; of two with one date the higher one (DOMAIN B10)."""
    begun = [version for version in book["versions"] if version["effective_from"] <= today.isoformat()] if book else []
    return max(begun, key=lambda version: (version["effective_from"], version["book_version"]), default=None)


def _offered(product: Row) -> bool:
    """Shipping comes with an order of devices, and is not bought by itself."""
    return not product["retired"] and product["kind"] != ProductKind.SHIPPING


def _product(
    product: Row,
    currency: str,
    plans: Sequence[Row],
    today: date,
    privileges: frozenset[str],
    holds: frozenset[Hold],
) -> ProductForSale:
    by_itself = product["kind"] == ProductKind.BASE or product["kind"] in DEVICE_KINDS
    of_kind = _start if by_itself else _buy
    against = _against(product, currency, privileges, holds)
    buy, within = of_kind(product, against, plans, today, privileges)
    shown = {name: product[name] for name in ("sku", "name", "kind", "family", "grade", "minimum", "maximum", "pack")}
    return ProductForSale(
        **shown,
        prices={
            cycle: Price.model_validate(price, strict=False)
            for cycle, price in product["prices"].get(currency, {}).items()
        },
        requires=product["requires"],
        includes=product["includes"],
        sales_only=product["sales_only"],
        tier_of=product.get("tier_of"),  # a book taken in before there were tiers has none
        buy=buy,
        within=within,
    )


def _against(product: Row, currency: str, privileges: frozenset[str], holds: frozenset[Hold]) -> str | None:
    """What stands against buying it whatever plans the account has."""
    if Privilege.SUBSCRIPTION_EDIT not in privileges:
        return "forbidden"
    if code := why_held(holds):
        return code
    if product["sales_only"]:
        return "sales_only"
    return None if product["prices"].get(currency) else "currency_unavailable"


def _start(
    product: Row, against: str | None, plans: Sequence[Row], today: date, privileges: frozenset[str]
) -> tuple[Permission, list[PermissionInPlan]]:
    bases = {_base(plan)["sku"] for plan in plans}
    unmet = product["requires"] and not bases.intersection(product["requires"])
    return Permission.of(against or ("requirement_unmet" if unmet else None)), []


def _buy(
    product: Row, against: str | None, plans: Sequence[Row], today: date, privileges: frozenset[str]
) -> tuple[Permission, list[PermissionInPlan]]:
    """within: the plans it belongs to, by what it requires or by family."""
    candidates = [plan for plan in plans if _meets(product, plan) or plan["family"] == product["family"]]
    codes = {plan["bundle_id"]: against or _against_in(plan, product, today, privileges) for plan in candidates}
    within = [PermissionInPlan.of(code, bundle_id=bundle_id) for bundle_id, code in codes.items()]
    first = next(iter(codes.values()), "requirement_unmet")
    return Permission.of(against or (None if None in codes.values() else first)), within


def _against_in(plan: Row, product: Row, today: date, privileges: frozenset[str]) -> str | None:
    add_on = product["kind"] == ProductKind.ADD_ON
    action = PlanAction.BUY_ADD_ON if add_on else PlanAction.BUY_CAPACITY
    if code := why_not(action, standing(plan), today, privileges):
        return code
    if not _meets(product, plan):
        return "requirement_unmet"
    pending = [change["after"] for change in plan["changes"].values()]
    if any(line["sku"] == product["sku"] for line in [*plan["lines"].values(), *pending]):
        return "add_on_exists" if add_on else "capacity_exists"
    return None if plan["cycle"] in product["prices"].get(plan["currency"], {}) else "cycle_unavailable"


def _meets(product: Row, plan: Row) -> bool:
    return not product["requires"] or _base(plan)["sku"] in product["requires"]


def _base(plan: Row) -> Row:
    base: Row = plan["lines"][plan["base"]]
    return base
