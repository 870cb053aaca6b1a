"""What is sold, to whom and as which line: the checks that every purchase and edit has in common. Pure."""

from datetime import date

from contracts.money import Currency
from contracts.plans import Direction, PlanLine, Product
from contracts.pricing import Price
from contracts.problems import Refused
from contracts.terms import Cycle

from .catalogue import Catalogue
from .plan import BASE_LINE, Plan

LAST_DAY = date(9900, 1, 1)  # so that no term reaches beyond the calendar


def sold(catalogue: Catalogue, sku: str, on: date) -> Product:
    """Raises Refused product_not_found, product_retired or sales_only."""
    product = catalogue.product(sku, on)
    if product.sales_only:
        raise Refused("sales_only", sku=sku)
    return product


def price_of(product: Product, currency: Currency, cycle: Cycle) -> Price:
    """Raises Refused currency_unavailable or cycle_unavailable."""
    of_cycles = product.prices.get(currency)
    if of_cycles is None:
        raise Refused("currency_unavailable", currencies=sorted(product.prices))
    if cycle not in of_cycles:
        raise Refused("cycle_unavailable", cycles=sorted(of_cycles))
    return of_cycles[cycle]


def line_of(line_id: str, product: Product, quantity: int, price: Price, catalogue: Catalogue, on: date) -> PlanLine:
    """A line at a price of the book in force on a day."""
    book = catalogue.book_on(on)
    return PlanLine(
        line_id=line_id,
        sku=product.sku,
        name=product.name,
        kind=product.kind,
        quantity=quantity,
        price=price,
        book_version=book.book_version if book else 0,
        total_minor=price.total_minor(quantity),
        tax_code=product.tax_code,
    )


def direction(before: PlanLine, after: PlanLine) -> Direction:
    """The same product by its quantity; another product by what the whole term costs, a tie being up."""
    if before.sku == after.sku:
        return Direction.UP if after.quantity > before.quantity else Direction.DOWN
    return Direction.UP if after.total_minor >= before.total_minor else Direction.DOWN


def check_quantity(product: Product, quantity: int) -> None:
    """Minimum and maximum per product, in pack steps (DOMAIN B3)."""
    above = product.maximum is not None and quantity > product.maximum
    if quantity < product.minimum or above or quantity % product.pack:
        raise Refused(
            "quantity_out_of_range",
            minimum=product.minimum,
            maximum=product.maximum,
            pack=product.pack,
            requested=quantity,
        )


def check_base_allows(plan: Plan, product: Product) -> None:
    """A line beside the base must be allowed by the base, and by the base of the next term (DOMAIN B11)."""
    pending = plan.pending.get(BASE_LINE)
    bases = {plan.base.sku, pending.after.sku if pending else plan.base.sku}
    if product.requires and not bases.issubset(product.requires):
        raise Refused("requirement_unmet", requires=list(product.requires))


def check_kept_by(plan: Plan, base_sku: str, on: date, catalogue: Catalogue) -> None:
    """What hangs on the base, or will in the next term, must be allowed on another one too (DOMAIN B11)."""
    unmet = []
    for line_id in plan.live_addons():
        skus = {plan.lines[line_id].sku, plan.pending[line_id].after.sku if line_id in plan.pending else ""}
        required = [catalogue.any_product(sku, on).requires for sku in skus if sku]
        if any(requires and base_sku not in requires for requires in required):
            unmet.append(line_id)
    if unmet:
        raise Refused("requirement_unmet", lines=unmet)


def check_not_there(plan: Plan, sku: str, code: str, but: str | None = None) -> None:
    """No product has two lines in a plan, now or in its next term. but: a line that may have it."""
    taken = {line_id: {line.sku} for line_id, line in plan.lines.items() if line_id != but}
    for line_id, change in plan.pending.items():
        if line_id != but:
            taken[line_id].add(change.after.sku)
    if any(sku in skus for skus in taken.values()):
        raise Refused(code, sku=sku)
