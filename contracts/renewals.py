"""Events of the renewals service: what an account will be charged, is charged, owes and has paid (DOMAIN 3)."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from .money import Currency, Minor
from .plans import STANDARD_TAX, Body, Id, MoneyLine, RenewalLine, TaxCode, TaxTerms
from .pricing import PriceMinor
from .tax import TaxLine
from .terms import Cycle


class BundleRenewal(Body):
    """One bundle's share of an upcoming renewal; no lines when it has none any more.

    bundle_revision: of the bundle's stream, whose event made it so.
    """

    bundle_id: Id
    bundle_revision: int
    amount_minor: Minor
    lines: tuple[RenewalLine, ...]


class InvoiceLine(MoneyLine):
    """A money line on an invoice, and the bundle it is of."""

    bundle_id: Id


class InvoiceKind(StrEnum):
    RENEWAL = "renewal"
    CHANGE = "change"
    RENTAL = "rental"


class Invoice(Body):
    """What it says for good. number: counts from 1 in its account, without gaps. cause_id: of the event it is for.

    total_minor: net and taxes; a credit when negative. credit_minor: paid from the account's credit balance. due_minor:
    what is left to pay. refund: a negative total is paid back, not kept as credit.
    """

    invoice_id: Id
    number: Annotated[int, Field(ge=1)]
    kind: InvoiceKind
    cause_id: str
    cadence: Cycle | None
    issued_on: date
    currency: Currency
    lines: tuple[InvoiceLine, ...]
    net_minor: Minor
    taxes: tuple[TaxLine, ...]
    total_minor: Minor
    credit_minor: Minor
    due_minor: Minor
    refund: bool


class BillingTermsNoted(Body):
    """How an account is billed, as plans say. payment_token: the payment provider's, None if none is known."""

    currency: Currency
    time_zone: str
    payment_token: Id | None


class TaxTermsNoted(TaxTerms):
    """Where the account is taxed from a day on, as plans say."""


class RenewalScheduled(Body):
    """An account gets its first share due on a day of a cadence. amount_minor: what is due that day in all."""

    cadence: Cycle
    due_on: date
    currency: Currency
    amount_minor: Minor
    share: BundleRenewal


class RenewalQuoteChanged(Body):
    """One bundle's share of an upcoming renewal is another one, or gone. It alone is told: an account's other bundles
    do not make the event larger. before_minor, amount_minor: what was and what is due that day in all."""

    cadence: Cycle
    due_on: date
    currency: Currency
    before_minor: Minor
    amount_minor: Minor
    share: BundleRenewal


class RenewalDue(Body):
    """The day of a renewal has begun. Every bundle answers, with its new term or with its end."""

    cadence: Cycle
    due_on: date
    bundle_ids: tuple[Id, ...]


class RenewalAnswered(Body):
    """One bundle has answered. lines: what its new term costs; none when it has ended."""

    cadence: Cycle
    due_on: date
    bundle_id: Id
    lines: tuple[InvoiceLine, ...]


class RenewalCompleted(Body):
    """All bundles have answered and the invoice, if there was anything to invoice, is collected."""

    cadence: Cycle
    due_on: date
    invoice_id: Id | None


class RenewalFailed(Body):
    """An invoice was not paid to the last try (DOMAIN B16): these bundles lapse."""

    invoice_id: Id
    failed_on: date
    bundle_ids: tuple[Id, ...]


class InvoiceDrafted(Body):
    """The account's own stream numbers an invoice, so that none is missing; InvoiceIssued follows with the same."""

    invoice: Invoice


class RentalNoted(Body):
    """A unit is leased for monthly_minor a month. Its first month was charged with its delivery."""

    lease_id: Id
    order_id: Id
    line_id: Id
    sku: Id
    name: str
    monthly_minor: PriceMinor
    started_on: date
    tax_code: TaxCode = STANDARD_TAX


class RentalEnded(Body):
    """A unit came back. The month that has begun by then stays charged (DOMAIN B14), no other one is."""

    lease_id: Id
    ended_on: date


class RentalsCharged(Body):
    """A month of each of these leases begins on this day, and is on the invoice drafted with this event."""

    charged_on: date
    lease_ids: tuple[Id, ...]


class CreditGranted(Body):
    """The account has this much more to its credit. credit_id: of this grant."""

    credit_id: Id
    currency: Currency
    amount_minor: Minor
    cause_id: str


class CreditApplied(Body):
    """A part of a granted credit pays a part of an invoice; the oldest first (DOMAIN M7)."""

    credit_id: Id
    invoice_id: Id
    amount_minor: Minor


class AccountSuspended(Body):
    """Reminders of this invoice were in vain so far: the account is served no longer until it is paid."""

    invoice_id: Id


class AccountRestored(Body):
    """This invoice stands no longer against the account, which is served again when no other one does."""

    invoice_id: Id


class InvoiceIssued(Body):
    """An invoice is final: what it says stays."""

    invoice: Invoice


class PaymentSucceeded(Body):
    """What was due of an invoice is paid. reference: the payment provider's, for this attempt."""

    invoice_id: Id
    attempt: Annotated[int, Field(ge=1)]
    amount_minor: Minor
    reference: str


class PaymentFailed(Body):
    """The payment provider refused. next_try_on: None after the last one (DOMAIN B16)."""

    invoice_id: Id
    attempt: Annotated[int, Field(ge=1)]
    amount_minor: Minor
    reason: str
    next_try_on: date | None


class InvoiceCollected(Body):
    """Nothing is left to pay. by: the account's credit may have covered it all."""

    invoice_id: Id
    by: Literal["payment", "credit", "refund"]


class InvoiceCut(Body):
    """What was never served of an unpaid invoice is not owed (DOMAIN B16). remains_minor: what still is."""

    invoice_id: Id
    served_until: date
    cut_minor: Minor
    remains_minor: Minor


class RefundGranted(Body):
    """Paid back. amount_minor: positive. reference: the payment provider's."""

    invoice_id: Id
    amount_minor: Minor
    reference: str


RenewalEvent = (
    BillingTermsNoted
    | TaxTermsNoted
    | RenewalScheduled
    | RenewalQuoteChanged
    | RenewalDue
    | RenewalAnswered
    | RenewalCompleted
    | RenewalFailed
    | InvoiceDrafted
    | RentalNoted
    | RentalEnded
    | RentalsCharged
    | CreditGranted
    | CreditApplied
    | AccountSuspended
    | AccountRestored
)
InvoiceEvent = InvoiceIssued | PaymentSucceeded | PaymentFailed | InvoiceCollected | InvoiceCut | RefundGranted
