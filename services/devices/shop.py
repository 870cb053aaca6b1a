"""What is known of an account's plans and of the price book, and what a device costs by it. Pure (DOMAIN B3, B10, B13).

Prices are the price book's, which the plans service owns: they are looked up here and multiplied, and never made.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from contracts.devices import MAX_UNITS, DeviceLine, OrderContents, Speed
from contracts.money import Currency, within_range
from contracts.plan_actions import Hold
from contracts.plans import DEVICE_KINDS, PriceBookPublished, Product, ProductKind
from contracts.problems import Refused
from contracts.terms import Cycle

from .charges import money, once
from .commands import Wanted

SHIPPING = {Speed.STANDARD: "shipping_standard", Speed.EXPRESS: "shipping_express"}


@dataclass(frozen=True, slots=True)
class Account:
    """holds: the amount by hold and, for an unpaid one, invoice."""

    currency: Currency
    time_zone: str
    holds: Mapping[tuple[Hold, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shop:
    """account: None when there is none. book: in force today. known_skus: of every book begun. retired: sold no longer.

    licences: by base sku, of the account's bases that are active today. rented: units by family that are ordered or
    leased already. ratio: rented units that one licence allows for.
    """

    account: Account | None
    book: PriceBookPublished | None = None
    known_skus: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    licences: Mapping[str, int] = field(default_factory=dict)
    rented: Mapping[str, int] = field(default_factory=dict)
    ratio: int = 3

    def held_for(self) -> frozenset[Hold]:
        return frozenset(hold for hold, _ in self.account.holds) if self.account else frozenset()

    def held(self, code: str) -> Refused:
        """A refusal; one for unpaid invoices says which, and what they come to (DOMAIN B5)."""
        if code != "unpaid_invoices" or self.account is None:
            return Refused(code)
        due = {invoice: amount for (hold, invoice), amount in self.account.holds.items() if hold is Hold.UNPAID}
        return Refused(code, ids=list(due), amount_minor=sum(due.values()), currency=self.account.currency)

    def lines(self, wanted: Wanted, before: Sequence[DeviceLine] = ()) -> tuple[DeviceLine, ...]:
        """What is wanted at today's prices. before: the lines of the same order whose place they take.

        Raises Refused and AmountTooLarge.
        """
        if self.account is None:
            raise Refused("account_not_found")
        if twice := sorted(sku for sku, times in Counter(sku for sku, _ in wanted).items() if times > 1):
            raise Refused("device_twice", skus=twice)
        lines = tuple(self._line(f"line-{n}", sku, quantity) for n, (sku, quantity) in enumerate(wanted, 1))
        units = sum(line.quantity for line in lines)
        if units > MAX_UNITS:
            raise Refused("quantity_out_of_range", maximum=MAX_UNITS, requested=units)
        self._check_ratio(lines, before)
        return lines

    def contents(self, lines: tuple[DeviceLine, ...], ship_to: str, speed: Speed, on: date) -> OrderContents:
        """An order of priced lines, with its shipping and what it will cost. Raises Refused and AmountTooLarge."""
        if self.account is None:
            raise Refused("account_not_found")
        shipping = self._priced("shipping", self._product(SHIPPING[speed]), 1)
        rented = [line for line in lines if line.kind is ProductKind.DEVICE_RENTAL]
        bought = [line for line in (*lines, shipping) if line.kind is not ProductKind.DEVICE_RENTAL]
        return OrderContents(
            lines=lines,
            shipping=shipping,
            ship_to=ship_to,
            speed=speed,
            due_on_submission=money(self.account.currency, [once(line, on) for line in bought]),
            monthly_minor=within_range(sum(line.unit_minor * line.quantity for line in rented)),
        )

    def _line(self, line_id: str, sku: str, quantity: int) -> DeviceLine:
        product = self._product(sku)
        if product.kind not in DEVICE_KINDS or product.kind is ProductKind.SHIPPING:
            raise Refused("not_a_device", sku=sku)
        if product.sales_only:
            raise Refused("sales_only", sku=sku)
        if product.requires and not self.licences.keys() & set(product.requires):
            raise Refused("requirement_unmet", sku=sku, requires=list(product.requires))
        above = product.maximum is not None and quantity > product.maximum
        if quantity < product.minimum or above or quantity % product.pack:
            limits = {"minimum": product.minimum, "maximum": product.maximum, "pack": product.pack}
            raise Refused("quantity_out_of_range", sku=sku, **limits, requested=quantity)
        return self._priced(line_id, product, quantity)

    def _product(self, sku: str) -> Product:
        product = next((each for each in self.book.products if each.sku == sku), None) if self.book else None
        if product is None or product.retired or sku in self.retired:
            raise Refused("product_retired" if sku in self.known_skus else "product_not_found", sku=sku)
        return product

    def _priced(self, line_id: str, product: Product, quantity: int) -> DeviceLine:
        assert self.account is not None
        assert self.book is not None
        prices = product.prices.get(self.account.currency)
        if not prices:
            raise Refused("currency_unavailable", sku=product.sku, currencies=sorted(product.prices))
        rented = product.kind is ProductKind.DEVICE_RENTAL
        per_unit = {cycle: price.tiers[0].unit_minor for cycle, price in prices.items()}  # a device's price is fixed
        return DeviceLine(
            line_id=line_id,
            sku=product.sku,
            name=product.name,
            kind=product.kind,
            family=product.family,
            quantity=quantity,
            unit_minor=per_unit[Cycle.MONTHLY if rented else Cycle.ONCE],
            list_minor=per_unit[Cycle.ONCE],
            book_version=self.book.book_version,
            tax_code=product.tax_code,
        )

    def _check_ratio(self, lines: Sequence[DeviceLine], before: Sequence[DeviceLine]) -> None:
        """Rented units of a family are at most `ratio` for each licence of the bases they need (DOMAIN B13)."""
        already = Counter(self.rented) - Counter(rented_units(before))
        for family, wanted in rented_units(lines).items():
            bases = {sku for line in lines if line.family == family for sku in self._product(line.sku).requires}
            licences = sum(self.licences.get(sku, 0) for sku in bases)
            if already[family] + wanted > self.ratio * licences:
                facts = {"licences": licences, "ratio": self.ratio, "rented": already[family], "requested": wanted}
                raise Refused("device_ratio", family=family, **facts)


def rented_units(lines: Sequence[DeviceLine]) -> Mapping[str, int]:
    """How many units of each family are rented in these lines."""
    units: Counter[str] = Counter()
    for line in lines:
        if line.kind is ProductKind.DEVICE_RENTAL:
            units[line.family] += line.quantity
    return units
