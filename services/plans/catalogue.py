"""The price book: what is sold, at which price, from which day (DOMAIN B10). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import assert_never

from contracts.money import Currency
from contracts.plans import (
    DEVICE_KINDS,
    CatalogueEvent,
    PlanLine,
    PriceBookPublished,
    PriceBookWithdrawn,
    Product,
    ProductKind,
    ProductRetired,
)
from contracts.problems import Refused
from contracts.terms import Cycle

from .commands import PublishPriceBook


@dataclass(frozen=True, slots=True)
class Book:
    published: PriceBookPublished
    products: Mapping[str, Product]  # by sku


@dataclass(frozen=True, slots=True)
class Catalogue:
    """withdrawn: versions that never took effect. retired: by sku, the day from which it is sold no longer."""

    books: tuple[Book, ...] = ()
    withdrawn: frozenset[int] = frozenset()
    retired: Mapping[str, date] = field(default_factory=dict)

    def book_on(self, on: date) -> PriceBookPublished | None:
        """The book in force on a day: the latest one; of two with one date the higher version (DOMAIN B10)."""
        book = self._in_force(on)
        return book.published if book else None

    def product(self, sku: str, on: date) -> Product:
        """What `sku` is on a day. Raises Refused product_not_found or product_retired."""
        book = self._in_force(on)
        product = book.products.get(sku) if book else None
        if product is None:
            known = any(sku in earlier.products for earlier in self.books if earlier.published.effective_from <= on)
            raise Refused("product_retired" if known else "product_not_found", sku=sku)
        if product.retired or (sku in self.retired and self.retired[sku] <= on):
            raise Refused("product_retired", sku=sku)
        return product

    def any_product(self, sku: str, on: date) -> Product:
        """What `sku` is, or last was, on a day: a line that was bought keeps its limits when the product is retired."""
        begun = sorted(
            (book for book in self.books if book.published.effective_from <= on and sku in book.products), key=_age
        )
        if not begun:
            raise Refused("product_not_found", sku=sku)
        return begun[-1].products[sku]

    def renewed(self, line: PlanLine, on: date, currency: Currency, cycle: Cycle) -> PlanLine:
        """A line at the prices of a term that begins on a day, or as it is where it has none."""
        return self.priced(line, on, currency, cycle) or line

    def priced(self, line: PlanLine, on: date, currency: Currency, cycle: Cycle) -> PlanLine | None:
        """A line at the prices of the newest book that is in force for existing customers by a day, or of its own where
        that is newer (DOMAIN B10). None when the product is not in that book, or not on that cycle."""
        own = next((book for book in self.books if book.published.book_version == line.book_version), None)
        begun = [book for book in self.books if _for_existing_from(book) <= on or book is own]
        newest = max(begun, key=_age, default=None)
        product = newest.products.get(line.sku) if newest else None
        price = product.prices.get(currency, {}).get(cycle) if product else None
        if newest is None or product is None or price is None:
            return None
        repriced = {"price": price, "total_minor": price.total_minor(line.quantity), "tax_code": product.tax_code}
        return line.model_copy(update={**repriced, "book_version": newest.published.book_version})

    def _in_force(self, on: date) -> Book | None:
        begun = [book for book in self.books if book.published.effective_from <= on]
        return max(begun, key=_age, default=None)


def _age(book: Book) -> tuple[date, int]:
    """Of two books with one date the higher version is the newer one (DOMAIN B10)."""
    return book.published.effective_from, book.published.book_version


def _for_existing_from(book: Book) -> date:
    return book.published.applies_to_existing_from or book.published.effective_from


def decide(command: PublishPriceBook, catalogue: Catalogue | None) -> list[CatalogueEvent]:
    """Raises Refused price_book_exists or price_book_invalid{errors}. Empty: this very version is published already."""
    catalogue = catalogue or Catalogue()
    wanted = PriceBookPublished(
        book_id=command.book_id,
        book_version=command.book_version,
        effective_from=command.effective_from,
        applies_to_existing_from=command.applies_to_existing_from,
        products=command.products,
    )
    same_version = [book.published for book in catalogue.books if book.published.book_version == wanted.book_version]
    if same_version:
        if same_version[0] == wanted:
            return []
        raise Refused("price_book_exists", book_version=wanted.book_version)
    if wanted.book_version in catalogue.withdrawn:
        raise Refused("price_book_exists", book_version=wanted.book_version)
    if errors := [*_date_errors(wanted, catalogue, command.on), *_product_errors(wanted.products)]:
        raise Refused("price_book_invalid", errors=errors)
    return [wanted]


def withdraw(catalogue: Catalogue | None, book_id: str, version: int, latest: date) -> list[CatalogueEvent]:
    """latest: the latest date anywhere on earth: a book must not be in force for anybody yet. Empty: it is withdrawn.

    Raises Refused price_book_not_found or price_book_in_force.
    """
    catalogue = catalogue or Catalogue()
    if version in catalogue.withdrawn:
        return []
    book = next((book.published for book in catalogue.books if book.published.book_version == version), None)
    if book is None:
        raise Refused("price_book_not_found")
    if book.effective_from <= latest:
        raise Refused("price_book_in_force", effective_from=book.effective_from.isoformat())
    return [PriceBookWithdrawn(book_id=book_id, book_version=version)]


def retire(catalogue: Catalogue | None, book_id: str, sku: str, on: date) -> list[CatalogueEvent]:
    """Empty: it is retired already. Raises Refused product_not_found."""
    catalogue = catalogue or Catalogue()
    if sku in catalogue.retired:
        return []
    if not any(sku in book.products for book in catalogue.books):
        raise Refused("product_not_found", sku=sku)
    return [ProductRetired(book_id=book_id, sku=sku, retired_on=on)]


def evolve(catalogue: Catalogue | None, event: CatalogueEvent, _effective_on: date) -> Catalogue:
    catalogue = catalogue or Catalogue()
    match event:
        case PriceBookPublished():
            book = Book(event, {product.sku: product for product in event.products})
            return replace(catalogue, books=(*catalogue.books, book))
        case PriceBookWithdrawn(book_version=version):
            left = tuple(book for book in catalogue.books if book.published.book_version != version)
            return replace(catalogue, books=left, withdrawn=catalogue.withdrawn | {version})
        case ProductRetired():
            return replace(catalogue, retired={**catalogue.retired, event.sku: event.retired_on})
        case _:
            assert_never(event)


def _date_errors(wanted: PriceBookPublished, catalogue: Catalogue, today: date) -> list[str]:
    errors = []
    if catalogue.books and wanted.effective_from < today:  # the first book may tell the past; nobody bought from it
        errors.append(f"effective_from is in the past: it is {today} today")
    existing_from = wanted.applies_to_existing_from
    if existing_from is not None and existing_from < wanted.effective_from:
        errors.append("applies_to_existing_from is before effective_from")
    return errors


def _product_errors(products: tuple[Product, ...]) -> list[str]:
    skus = [product.sku for product in products]
    errors = [f"{sku} is there twice" for sku in sorted({sku for sku in skus if skus.count(sku) > 1})]
    for product in products:
        unknown = sorted(set(product.requires) - set(skus))
        errors += [f"{product.sku} requires {sku}, which is not in the book" for sku in unknown]
        if product.maximum is not None and product.maximum < product.minimum:
            errors.append(f"{product.sku} has a maximum below its minimum")
        if not product.sales_only and not any(product.prices.values()):
            errors.append(f"{product.sku} has no price")
        cycles = {cycle for of in product.prices.values() for cycle in of}
        errors += _device_errors(product)
        if Cycle.ONE_MONTH in cycles and (len(cycles) > 1 or product.kind is not ProductKind.BASE):
            errors.append(f"{product.sku} cannot be sold for one month: only a base without another cycle can")
    return errors + _circle_errors({product.sku: product.requires for product in products})


def _device_errors(product: Product) -> list[str]:
    """Devices are sold one by one, once or by the month, and nothing else is."""
    prices = [of for of in product.prices.values() if of]
    if product.kind not in DEVICE_KINDS:
        return [f"{product.sku} is no device, and is not sold once"] if any(Cycle.ONCE in of for of in prices) else []
    cycles = {Cycle.MONTHLY, Cycle.ONCE} if product.kind is ProductKind.DEVICE_RENTAL else {Cycle.ONCE}
    wrong = [of for of in prices if set(of) != cycles or any(price.model != "fixed" for price in of.values())]
    return [f"{product.sku} needs fixed prices for {', '.join(sorted(cycles))}, and no other"] if wrong else []


def _circle_errors(requires: Mapping[str, tuple[str, ...]]) -> list[str]:
    try:
        TopologicalSorter(requires).prepare()
    except CycleError as error:
        return [f"these require each other in a circle: {', '.join(error.args[1][:-1])}"]
    return []
