"""What may be asked of a bundle, an account and the catalogue, with the day it is asked on."""

from dataclasses import dataclass
from datetime import date, datetime

from contracts.money import Currency
from contracts.plans import CancelReason, Product
from contracts.terms import Cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Common to all commands on a bundle.

    on: today in the account's zone. change_id: the id a change gets if one is scheduled. privileges: the caller's.
    """

    bundle_id: str
    on: date
    change_id: str
    privileges: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan(Asked):
    """currency: what the caller takes the account's to be. account_bases: skus of the account's active bases."""

    sku: str
    quantity: int
    cycle: Cycle
    currency: Currency | None = None
    account_bases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPlan(Asked):
    """line_id: the base line when None. sku: another product for the base line. effective_on: as in `contracts`."""

    quantity: int | None = None
    sku: str | None = None
    effective_on: date | None = None
    line_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeCapacity(Asked):
    """sku: another tier of the same capacity."""

    line_id: str
    quantity: int | None = None
    sku: str | None = None
    effective_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCycle(Asked):
    cycle: Cycle
    discard_pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyCapacity(Asked):
    sku: str
    quantity: int
    cycle: Cycle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyAddOn(Asked):
    sku: str
    quantity: int
    cycle: Cycle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardPendingChange(Asked):
    line_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelLine(Asked):
    line_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateLine(Asked):
    line_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPlan(Asked):
    reason: CancelReason
    comment: str = ""
    refund: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstatePlan(Asked):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignLicence(Asked):
    assignee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignLicence(Asked):
    assignee: str


PlanCommand = (
    StartPlan
    | EditPlan
    | ChangeCycle
    | BuyCapacity
    | ResizeCapacity
    | BuyAddOn
    | DiscardPendingChange
    | CancelLine
    | ReinstateLine
    | CancelPlan
    | ReinstatePlan
    | AssignLicence
    | UnassignLicence
)


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """at: now, aware; it is another day in another zone. jurisdiction: where the account is taxed from today on."""

    currency: Currency
    time_zone: str
    at: datetime
    jurisdiction: str | None = None


@dataclass(frozen=True, slots=True)
class SetTaxJurisdiction:
    """on: today in the account's zone. effective_from: tomorrow if None."""

    jurisdiction: str | None
    exemption: str | None
    effective_from: date | None
    on: date
    privileges: frozenset[str]


@dataclass(frozen=True, slots=True)
class PublishPriceBook:
    book_id: str
    book_version: int
    effective_from: date
    applies_to_existing_from: date | None
    products: tuple[Product, ...]
    on: date
