"""Events of the plans service: bundles, the catalogue and billing accounts (DOMAIN 3). Bodies only; see `envelope`."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .account_actions import BillingRole
from .money import Currency, Minor
from .plan_actions import Hold
from .pricing import Price
from .terms import Cycle

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
STANDARD_TAX = "standard"
# How a product is taxed. Left out where it is the standard: events from before there were codes have none.
TaxCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", exclude_if=lambda code: code == STANDARD_TAX)]


class Body(BaseModel):
    """Base of every event body: immutable and strict; members a reader does not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class ProductKind(StrEnum):
    BASE = "base"
    CAPACITY = "capacity"
    ADD_ON = "add_on"
    # Sold by the devices service, never as a line of a plan.
    DEVICE_RENTAL = "device_rental"
    DEVICE_SALE = "device_sale"
    SHIPPING = "shipping"


DEVICE_KINDS = frozenset({ProductKind.DEVICE_RENTAL, ProductKind.DEVICE_SALE, ProductKind.SHIPPING})


class PlanLine(Body):
    """A product in a bundle: how many, at which price of which book version, and what one whole term costs."""

    line_id: Id
    sku: Id
    name: str
    kind: ProductKind
    quantity: Quantity
    price: Price
    book_version: int
    total_minor: Minor
    tax_code: TaxCode = STANDARD_TAX


class MoneyLine(Body):
    """One part of what a change costs now, with the numbers it was computed from (DOMAIN M4).

    amount_minor is signed: a charge is positive, a credit negative. It is the rest of full_minor after days_served of
    days in the period [period_start, period_end).
    """

    line_id: Id
    sku: Id
    name: str
    part: Literal["charge", "credit"]
    quantity: int
    full_minor: Minor
    days_served: int
    days: int
    period_start: date
    period_end: date
    amount_minor: Minor
    tax_code: TaxCode = STANDARD_TAX


class Money(Body):
    """What a change costs now: one net amount that opens into its parts. No lines when nothing is due (DOMAIN M12)."""

    currency: Currency
    net_minor: Minor
    lines: tuple[MoneyLine, ...]


class RenewalLine(Body):
    """One line of a coming renewal. unit_minor is null where graduated units pay different prices."""

    line_id: Id
    sku: Id
    name: str
    quantity: Quantity
    unit_minor: Minor | None
    amount_minor: Minor


class NextRenewal(Body):
    """What this bundle will be charged when its next term begins; no lines when it will not renew."""

    cadence: Cycle
    due_on: date
    currency: Currency
    amount_minor: Minor
    lines: tuple[RenewalLine, ...]


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"


class CancelReason(StrEnum):
    TOO_EXPENSIVE = "too_expensive"
    FEATURES_IN_FREE_PLAN_ENOUGH = "features_in_free_plan_enough"
    SUPPORT_PROBLEMS = "support_problems"
    WRONG_PRODUCT = "wrong_product"
    NOT_NEEDED_NOW = "not_needed_now"
    SWITCHED_SERVICE = "switched_service"
    MISSING_FEATURES = "missing_features"
    OTHER = "other"


class DiscardReason(StrEnum):
    """The last three are why a change did not take effect on its day."""

    ASKED = "asked"
    SUPERSEDED = "superseded"
    SAME_AS_PRESENT = "same_as_present"
    LICENCES_ASSIGNED = "licences_assigned"
    PLAN_CANCELLED = "plan_cancelled"
    ACCOUNT_HELD = "account_held"


class EndReason(StrEnum):
    CANCELLED = "cancelled"
    ONE_MONTH = "one_month"


class PlanStarted(Body):
    """A bundle begins with its base. money: the first term, charged at once."""

    bundle_id: Id
    family: Id
    line: PlanLine
    cycle: Cycle
    time_zone: str
    anchor_on: date
    term_start: date
    term_end: date
    money: Money
    next_renewal: NextRenewal


class PlanEdited(Body):
    """A line changed and is served from the event's effective date on. change_id: the scheduled edit it came from."""

    bundle_id: Id
    before: PlanLine
    after: PlanLine
    direction: Direction
    change_id: Id | None
    money: Money
    next_renewal: NextRenewal


class PlanEditScheduled(Body):
    """A line will change on the event's effective date; until then nothing is charged or credited (DOMAIN M6)."""

    bundle_id: Id
    change_id: Id
    before: PlanLine
    after: PlanLine
    direction: Direction
    effective_on: date
    supersedes: Id | None
    next_renewal: NextRenewal


class PlanEditDiscarded(Body):
    """A scheduled edit will not happen."""

    bundle_id: Id
    change_id: Id
    line_id: Id
    reason: DiscardReason
    next_renewal: NextRenewal


class PlanEditWarned(Body):
    """A scheduled reduction will not take effect on its day if as many licences are assigned then as now (DOMAIN
    B4)."""

    bundle_id: Id
    change_id: Id
    line_id: Id
    effective_on: date
    assigned: Quantity
    requested: Quantity


class PlanCycleChanged(Body):
    """A new term on another cycle began on the event's effective date, from which terms count now (DOMAIN M7). lines:
    all that is served in it. money: the rest of the old term as credits, the whole new one as charges."""

    bundle_id: Id
    cycle_before: Cycle
    cycle: Cycle
    term_start: date
    term_end: date
    lines: tuple[PlanLine, ...]
    money: Money
    next_renewal: NextRenewal


class CapacityPurchased(Body):
    """A capacity is served from the event's effective date on, in the term of its base."""

    bundle_id: Id
    line: PlanLine
    money: Money
    next_renewal: NextRenewal


class CapacityResized(Body):
    """A capacity has another size, or is another tier of its kind, from the event's effective date on."""

    bundle_id: Id
    before: PlanLine
    after: PlanLine
    direction: Direction
    money: Money
    next_renewal: NextRenewal


class AddOnPurchased(Body):
    """An add-on is served from the event's effective date on, in the term of its base (DOMAIN B2)."""

    bundle_id: Id
    line: PlanLine
    money: Money
    next_renewal: NextRenewal


class AddOnCancelled(Body):
    """A line other than the base ends with its term, or with its bundle. next_renewal: null when the bundle is
    cancelled in the same append, which tells it."""

    bundle_id: Id
    line_id: Id
    ends_on: date
    next_renewal: NextRenewal | None


class AddOnReinstated(Body):
    """A line that was cancelled by itself goes on after all."""

    bundle_id: Id
    line_id: Id
    next_renewal: NextRenewal


class PlanCancelled(Body):
    """The bundle ends on ends_on: with its term, or tomorrow when a refund gives back what is left of it from then
    on (DOMAIN B8).

    comment: names an erasable record kept beside the log, which alone holds what was said; empty: nothing was. money:
    the refund, as credits.
    """

    bundle_id: Id
    reason: CancelReason
    comment: str
    ends_on: date
    refund_requested: bool
    money: Money
    next_renewal: NextRenewal


class PlanReinstated(Body):
    """The cancellation is undone, for the lines cancelled with it too."""

    bundle_id: Id
    line_ids: tuple[Id, ...]
    next_renewal: NextRenewal


class PlanTermAdvanced(Body):
    """A new term has begun: number counts from 0, the term the plan started with (DOMAIN M9). lines: all that is served
    in it, at the prices in force on its first day (B10). money: the whole term, invoiced with the account's renewal."""

    bundle_id: Id
    cadence: Cycle
    number: int
    term_start: date
    term_end: date
    lines: tuple[PlanLine, ...]
    money: Money
    next_renewal: NextRenewal


class PlanEnded(Body):
    """The last term is over. cadence, ended_on: the renewal that it has no part in."""

    bundle_id: Id
    cadence: Cycle
    ended_on: date
    reason: EndReason
    next_renewal: NextRenewal


class PlanLapsed(Body):
    """Never paid for, and served no longer (DOMAIN B16). invoice_id: what was not paid."""

    bundle_id: Id
    lapsed_on: date
    invoice_id: Id
    next_renewal: NextRenewal


class RenewalRequoted(Body):
    """A price book changes what the next term will cost; the present one costs what it did (DOMAIN B10)."""

    bundle_id: Id
    book_version: Quantity
    next_renewal: NextRenewal


class LicenceAssigned(Body):
    """A licence of the plan is somebody's. assignee: an opaque reference to a person kept elsewhere."""

    bundle_id: Id
    assignee: Id


class LicenceUnassigned(Body):
    """A licence of the plan is free again."""

    bundle_id: Id
    assignee: Id


class AccountOpened(Body):
    """The account's currency and time zone, fixed for good (DOMAIN M2, M3)."""

    currency: Currency
    time_zone: str


class HistoryWay(StrEnum):
    PAGE = "page"
    CSV = "csv"
    JSONL = "jsonl"
    EVENTS = "events"


class HistoryRead(Body):
    """The event's actor read the account's history: once a day for each way to, however often they do."""

    way: HistoryWay


class TaxTerms(Body):
    """Where an account is taxed for terms that begin on effective_from or later, until other terms take effect: a
    region of the tax table, None: nowhere. exemption: a reference to the certificate that frees it of tax there."""

    jurisdiction: Id | None
    exemption: Id | None
    effective_from: date


class TaxJurisdictionSet(TaxTerms):
    """Never from a day that has begun, so that what was quoted on a day is what is charged on it (DOMAIN B19); but for
    the first one, which comes with the account."""


class PaymentMethodChanged(Body):
    """The account pays in another way. token: the payment provider's name for a way to pay; nothing about the way
    itself is stored here."""

    token: Id


class AccountHoldPlaced(Body):
    """The account may not change what it buys. invoice_id, amount_minor: of an unpaid hold, which lasts until the
    invoice is collected."""

    hold: Hold
    invoice_id: Id | None
    amount_minor: Minor | None


class AccountHoldLifted(Body):
    """The account may change again what this hold kept it from."""

    hold: Hold
    invoice_id: Id | None


class BillingContactChanged(Body):
    """Another person is the account's contact, or nobody is. record: names an erasable record kept beside the log,
    which alone holds the name, mail and address; None: the contact was removed, and its record erased."""

    contact: Id
    record: Id | None


class PersonalDataErased(Body):
    """Nothing personal is kept of the account any more: the records that its events name are erased, those of these
    contacts and of every comment."""

    contacts: tuple[Id, ...]


class BillingRoleGranted(Body):
    """Somebody may act in the account. subject: the opaque subject of a token. It holds one role in an account: a
    new one takes the old one's place."""

    subject: Id
    role: BillingRole


class BillingRoleRevoked(Body):
    """Who held it has no role in the account any more."""

    subject: Id
    role: BillingRole


class Product(Body):
    """One product of a price book.

    prices: per currency, then per cycle; a rented device has what a month costs and, `once`, its list price. requires:
    bases of which one must be in the bundle (a capacity or add-on) or active in the account (a base, a device). grade:
    the order of bases in a family, from small to large. tier_of: a capacity may become another one that is a tier of
    the same. credits_reductions: less of it is served, and given back, at once rather than at the end of the term (M6).
    """

    sku: Id
    name: str
    kind: ProductKind
    family: Id
    grade: int
    prices: dict[Currency, dict[Cycle, Price]]
    minimum: Quantity
    maximum: Quantity | None
    pack: Quantity
    requires: tuple[Id, ...]
    includes: tuple[str, ...]
    sales_only: bool
    retired: bool
    tier_of: Id | None = None
    credits_reductions: bool = False
    tax_code: TaxCode = STANDARD_TAX


class PriceBookPublished(Body):
    """A version of the price book. applies_to_existing_from: renewals before it keep the older book (DOMAIN B10)."""

    book_id: Id
    book_version: Quantity
    effective_from: date
    applies_to_existing_from: date | None
    products: tuple[Product, ...]


class PriceBookWithdrawn(Body):
    """A version that will never take effect. Its number is not used again."""

    book_id: Id
    book_version: Quantity


class ProductRetired(Body):
    """Sold no longer from retired_on on, whatever a price book says; who has it keeps it, and renews it."""

    book_id: Id
    sku: Id
    retired_on: date


PlanEvent = (
    PlanStarted
    | PlanEdited
    | PlanEditScheduled
    | PlanEditDiscarded
    | PlanEditWarned
    | PlanCycleChanged
    | CapacityPurchased
    | CapacityResized
    | AddOnPurchased
    | AddOnCancelled
    | AddOnReinstated
    | PlanCancelled
    | PlanReinstated
    | PlanTermAdvanced
    | PlanEnded
    | PlanLapsed
    | RenewalRequoted
    | LicenceAssigned
    | LicenceUnassigned
)
AccountEvent = (
    AccountOpened
    | TaxJurisdictionSet
    | PaymentMethodChanged
    | AccountHoldPlaced
    | AccountHoldLifted
    | BillingContactChanged
    | PersonalDataErased
    | BillingRoleGranted
    | BillingRoleRevoked
)
CatalogueEvent = PriceBookPublished | PriceBookWithdrawn | ProductRetired
