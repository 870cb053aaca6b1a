"""The HTTP bodies of plan commands, their quotes and answers, as gateway and plans service agree on them."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .money import Currency, Minor
from .plans import CancelReason, Id, Money, NextRenewal, Product, Quantity
from .tax import TaxLine
from .terms import Cycle

# No control characters but tab and line ends; free text reaches pages, mails and exports.
Comment = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]


class Request(BaseModel):
    """Base of every body: unknown members, numbers in quotes and fractions are refused, never guessed at.

    Validate from the JSON bytes (`model_validate_json`): dates and enums are strings there, and nothing else is."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Confirmable(Request):
    """A command that may bring the token of its quote, and then is carried out only as it was quoted (DOMAIN B19)."""

    quote_token: Annotated[str, Field(max_length=4096)] | None = None


class PaymentMethodBody(Request):
    """token: the payment provider's name for a way to pay."""

    token: Id


class TaxJurisdictionBody(Request):
    """jurisdiction: of the tax table, None: not taxed. exemption: a reference to the certificate that frees the account
    of tax there, never the certificate. effective_from: tomorrow when left out; never a day that has begun."""

    jurisdiction: Id | None
    exemption: Id | None = None
    effective_from: date | None = None


class PayInvoiceBody(Request):
    """Nothing to say: what is left to pay is tried now."""


class OpenAccountBody(Request):
    currency: Currency
    time_zone: Annotated[str, Field(max_length=64, examples=["Europe/Vienna"])]
    # Left out of the body's digest where it is: a key used before there was tax still finds its answer.
    tax_jurisdiction: Annotated[Id | None, Field(exclude_if=lambda name: name is None)] = None


class StartPlanBody(Confirmable):
    sku: Id
    quantity: Quantity
    cycle: Cycle
    currency: Currency | None = None


class Edit(Confirmable):
    """quantity or sku or both. effective_on: a later day of the term; at once, or a reduction at the end of the term,
    when left out."""

    quantity: Quantity | None = None
    sku: Id | None = None
    effective_on: date | None = None

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        if self.quantity is None and self.sku is None:  # a form sent empty must not discard a pending change
            raise ValueError("say which quantity or which sku the line shall have")
        return self


class EditPlanBody(Edit):
    """line_id: the base line when left out. sku: another product, for the base line only."""

    line_id: Id | None = None


class ResizeCapacityBody(Edit):
    """sku: another tier of the same capacity."""

    line_id: Id


class ChangeCycleBody(Confirmable):
    """discard_pending: what is pending is discarded, rather than in the way (DOMAIN B7)."""

    cycle: Literal[Cycle.MONTHLY, Cycle.ANNUAL]
    discard_pending: bool = False


class BuyCapacityBody(Confirmable):
    sku: Id
    quantity: Quantity
    cycle: Cycle | None = None


class BuyAddOnBody(Confirmable):
    """cycle: what the caller takes the plan's to be."""

    sku: Id
    quantity: Quantity
    cycle: Cycle | None = None


class DiscardPendingChangeBody(Confirmable):
    """line_id: the base line when left out."""

    line_id: Id | None = None


class CancelLineBody(Confirmable):
    line_id: Id


class ReinstateLineBody(CancelLineBody):
    pass


class CancelPlanBody(Confirmable):
    reason: CancelReason
    comment: Comment = ""
    refund: bool = False
    cascade: bool = False


class ReinstatePlanBody(Confirmable):
    pass


class AssignLicenceBody(Confirmable):
    """assignee: an opaque reference to a person, never a name or an address."""

    assignee: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class UnassignLicenceBody(AssignLicenceBody):
    pass


class PublishPriceBookBody(Request):
    effective_from: date
    applies_to_existing_from: date | None = None
    products: Annotated[tuple[Product, ...], Field(min_length=1, max_length=1000)]


class WithdrawPriceBookBody(Request):
    """Nothing to say: the version in the address will not take effect."""


class RetireProductBody(Request):
    """Nothing to say: the product in the address is sold no longer from today on."""


class RecordedEvent(BaseModel):
    event_id: str
    type: str
    revision: int
    data: dict[str, Any]


class CommandAnswer(BaseModel):
    """What a command recorded. A repeated Idempotency-Key gives the same answer again, whatever happened since.

    position: give it to reads as `min_position` to read your own write.
    """

    stream: str
    revision: int
    position: str
    events: list[RecordedEvent]


class DueLater(BaseModel):
    """What a change that is scheduled will cost on its day, if nothing else changes before. money: before tax."""

    on: date
    money: Money
    taxes: tuple[TaxLine, ...]
    total_minor: Minor


class Quote(BaseModel):
    """What a command would do, computed by the code that would do it. Nothing is recorded.

    due_now: before tax. due_later: of a change on a later day of the term. taxes, total_minor: as they will be on the
    invoice, before the account's credit is used. next_renewal_before and _after: before tax and credit.
    """

    command: str
    effective_on: date
    due_now: Money
    due_later: DueLater | None
    taxes: tuple[TaxLine, ...]
    total_minor: Minor
    next_renewal_before: NextRenewal | None
    next_renewal_after: NextRenewal | None
    events: list[str]
    token: str
    expires_at: str


QuotedCommand = Literal[
    "start",
    "edit",
    "change-cycle",
    "capacities",
    "resize-capacity",
    "add-ons",
    "discard-pending-change",
    "cancel-line",
    "reinstate-line",
    "cancel",
    "reinstate",
    "assign-licence",
    "unassign-licence",
]
