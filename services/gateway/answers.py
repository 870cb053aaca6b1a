"""What the gateway answers: the models its answers are made of, and from which its OpenAPI document is written."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from contracts.device_actions import LeaseAction, LeaseStatus, OrderAction, OrderStatus
from contracts.devices import DeviceLine, Speed, Unit
from contracts.envelope import Actor
from contracts.money import Currency, Minor
from contracts.plan_actions import PlanAction, PlanStatus
from contracts.plans import STANDARD_TAX, CancelReason, Direction, ProductKind, TaxCode
from contracts.pricing import Price
from contracts.problems import PROBLEMS
from contracts.renewals import InvoiceKind, InvoiceLine
from contracts.tax import TaxLine
from contracts.terms import Cycle
from contracts.topics import Owner


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Permission(Answer):
    """Whether something may be done now. reason: the problem code the command would be refused with."""

    allowed: bool
    reason: str | None
    message: str | None

    @classmethod
    def of(cls, code: str | None, **members: Any) -> Self:
        return cls(allowed=code is None, reason=code, message=PROBLEMS[code].title if code else None, **members)


class Licences(Answer):
    total: int
    assigned: int
    available: int


class Term(Answer):
    """Half-open: `end` is the first day of the next term."""

    start: date
    end: date


class Renewal(Answer):
    """amount_minor: before tax and credit."""

    due_on: date
    amount_minor: Minor


class Offered(Answer):
    """What a line is, or will be: a product and how much of it."""

    sku: str
    name: str
    quantity: int
    unit_minor: Minor | None
    total_minor: Minor
    book_version: int


class PendingChange(Answer):
    """at_risk: it will fail on its day if as many licences are assigned then as now."""

    change_id: str
    line_id: str
    direction: Direction
    effective_on: date
    before: Offered
    after: Offered
    at_risk: bool
    banner: str


class Cancellation(Answer):
    """cancelled_on: when it was asked for. ends_on: the first day that is no longer served."""

    cancelled_on: date
    ends_on: date
    reason: CancelReason
    refund_requested: bool


class CardLine(Answer):
    """unit_minor: null where graduated units pay different prices. ends_on: set when the line has been cancelled.
    allowed_actions: what may be done with this line alone."""

    line_id: str
    kind: ProductKind
    sku: str
    name: str
    quantity: int
    unit_minor: Minor | None
    price: Price
    book_version: int
    total_minor: Minor
    ends_on: date | None
    allowed_actions: dict[PlanAction, Permission]
    tax_code: TaxCode = STANDARD_TAX


class ProductCard(Answer):
    """One plan as its account sees it today. lines: the base first. revision: send it as If-Match with a command."""

    bundle_id: str
    name: str
    sku: str
    family: str
    status: PlanStatus
    licences: Licences
    cycle: Cycle
    currency: Currency
    time_zone: str
    term: Term
    next_renewal: Renewal | None
    pending_changes: list[PendingChange]
    cancellation: Cancellation | None
    lines: list[CardLine]
    allowed_actions: dict[PlanAction, Permission]
    started_on: date
    started_event_id: str
    last_event_id: str
    revision: int


class ProductCards(Answer):
    account_id: str
    cards: list[ProductCard]


class UpcomingRenewal(Answer):
    """amount_minor: of all bundles together, before tax and credit."""

    due_on: date
    currency: Currency
    amount_minor: Minor
    bundle_ids: list[str]


class CadenceSummary(Answer):
    """next: the earliest day on which something is due. later: the days after it."""

    next: UpcomingRenewal | None
    later: list[UpcomingRenewal]


class PlanSummary(Answer):
    account_id: str
    monthly: CadenceSummary
    annual: CadenceSummary


class BreakdownLine(Answer):
    bundle_id: str
    line_id: str
    sku: str
    product: str
    licences: int
    unit_minor: Minor | None
    amount_minor: Minor


class BreakdownRenewal(Answer):
    """amount_minor: the sum of its lines, before tax and credit, as theirs are."""

    due_on: date
    currency: Currency
    amount_minor: Minor
    lines: list[BreakdownLine]


class Breakdown(Answer):
    account_id: str
    cadence: Cycle
    renewals: list[BreakdownRenewal]


class PermissionInPlan(Permission):
    bundle_id: str


class ProductForSale(Answer):
    """prices: by cycle, in the account's currency. tier_of: a capacity line may become another tier of the same. buy:
    whether this account may buy it now; within: in which plans."""

    sku: str
    name: str
    kind: ProductKind
    family: str
    grade: int
    prices: dict[Cycle, Price]
    minimum: int
    maximum: int | None
    pack: int
    requires: list[str]
    includes: list[str]
    sales_only: bool
    tier_of: str | None
    buy: Permission
    within: list[PermissionInPlan]


class CatalogueForSale(Answer):
    """The price book in force today in the account's time zone; no book and no products when there is none."""

    account_id: str
    currency: Currency
    book_version: int | None
    effective_from: date | None
    products: list[ProductForSale]


class PaymentTry(Answer):
    attempt: int
    on: date
    amount_minor: Minor
    outcome: Literal["succeeded", "failed"]
    reason: str


class InvoiceStatus(StrEnum):
    OPEN = "open"
    PAST_DUE = "past_due"
    COLLECTED = "collected"
    UNCOLLECTIBLE = "uncollectible"


class InvoiceSummary(Answer):
    """number: in its account, without gaps. shown: the total as people read it, a credit in parentheses."""

    invoice_id: str
    number: int
    kind: InvoiceKind
    status: InvoiceStatus
    issued_on: date
    currency: Currency
    total_minor: Minor
    remains_minor: Minor
    next_try_on: date | None
    shown: str


class Invoices(Answer):
    """The newest first. next: pass it on as `before` for the ones before these; None at the end."""

    account_id: str
    invoices: list[InvoiceSummary]
    next: int | None


class InvoiceView(InvoiceSummary):
    """cut_minor: what was taken off it because it was never served. event_id: of its InvoiceIssued."""

    cadence: Cycle | None
    cause_id: str
    lines: list[InvoiceLine]
    net_minor: Minor
    taxes: list[TaxLine]
    credit_minor: Minor
    due_minor: Minor
    cut_minor: Minor
    payments: list[PaymentTry]
    pay: Permission
    event_id: str


class SourceEvent(Answer):
    """An event an amount comes from. history: given as `before`, the history begins with it."""

    event_id: str
    owner: Owner
    type: str
    said: str
    recorded_at: datetime
    stream: str
    revision: int
    history: str


class AmountPart(Answer):
    label: str
    amount_minor: Minor


class ExplainedAmount(Answer):
    """at: where the amount stands in the answer (a JSON Pointer, RFC 6901). parts: of a sum, else empty."""

    at: str
    amount_minor: Minor
    currency: Currency
    formula: str
    parts: list[AmountPart]
    events: list[SourceEvent]


class Explanation(Answer):
    """Every amount in the answer of the read `of`."""

    account_id: str
    of: str
    amounts: list[ExplainedAmount]


class Parcel(Answer):
    """replaces: the lost parcel whose units are in it. moved_at: when it came to be where it is."""

    shipment_id: str
    carrier: str
    tracking_number: str
    units: list[Unit]
    dispatched_at: datetime
    whereabouts: Literal["in_transit", "delivered", "lost"]
    moved_at: datetime
    replaces: str | None


class DeviceOrder(Answer):
    """units: how many are ordered, delivered, and in transit. due_on_submission_minor: sales and shipping.

    monthly_minor: the rent of a month once all is delivered. revision: send it as If-Match with a command.
    """

    order_id: str
    status: OrderStatus
    currency: Currency
    time_zone: str
    lines: list[DeviceLine]
    shipping: DeviceLine
    ship_to: str
    speed: Speed
    due_on_submission_minor: Minor
    monthly_minor: Minor
    placed_at: datetime
    hold_until: datetime
    amended: bool
    submitted_at: datetime | None
    units: int
    units_delivered: int
    units_in_transit: int
    shipments: list[Parcel]
    allowed_actions: dict[OrderAction, Permission]
    last_event_id: str
    revision: int


class DeviceOrders(Answer):
    account_id: str
    orders: list[DeviceOrder]


class OrderedParcel(Parcel):
    order_id: str
    ship_to: str


class Shipments(Answer):
    """Every parcel of every order, the last sent first."""

    account_id: str
    shipments: list[OrderedParcel]


class DeviceReplacement(Answer):
    """A device that took the place of another one."""

    replaced_serial: str
    serial: str
    carrier: str
    tracking_number: str
    sent_at: datetime


class DeviceReturn(Answer):
    """rma: the number to send the device back under. due_on: the last day without a fee."""

    rma: str
    due_on: date


class DeviceLease(Answer):
    """One rented unit. Half-open: ends_on is the first day that is not leased. ended_on: set once it was returned."""

    lease_id: str
    order_id: str
    status: LeaseStatus
    sku: str
    name: str
    serial: str
    currency: Currency
    time_zone: str
    monthly_minor: Minor
    list_minor: Minor
    started_on: date
    ends_on: date
    ended_on: date | None
    replacement_requested: bool
    replacements: list[DeviceReplacement]
    returning: DeviceReturn | None
    fee_minor: Minor | None
    allowed_actions: dict[LeaseAction, Permission]
    last_event_id: str
    revision: int


class DeviceLeases(Answer):
    account_id: str
    leases: list[DeviceLease]


class HistoryEntry(Answer):
    """One event. said: as a sentence. actor, causation_id, correlation_id: who or what caused it (DOMAIN 2).

    effective_on: a day in the account's zone. position: of the owner's log.
    """

    event_id: str
    owner: Owner
    type: str
    version: int
    said: str
    actor: Actor
    recorded_at: datetime
    effective_on: date
    stream: str
    revision: int
    position: int
    causation_id: str
    correlation_id: str
    data: dict[str, Any]


class History(Answer):
    """The newest first. next: give it as `before` to read on; null at the end."""

    account_id: str
    entries: list[HistoryEntry]
    next: str | None
