"""An account as renewals know it: what is coming, what is being renewed, its invoice numbers and its credit. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar, assert_never

from contracts.leases import next_month_on
from contracts.renewals import (
    AccountRestored,
    AccountSuspended,
    BillingTermsNoted,
    BundleRenewal,
    CreditApplied,
    CreditGranted,
    InvoiceDrafted,
    InvoiceLine,
    RenewalAnswered,
    RenewalCompleted,
    RenewalDue,
    RenewalEvent,
    RenewalFailed,
    RenewalQuoteChanged,
    RenewalScheduled,
    RentalEnded,
    RentalNoted,
    RentalsCharged,
    TaxTermsNoted,
)
from contracts.terms import Cycle

Due = tuple[Cycle, date]
Shares = Mapping[str, BundleRenewal]  # by bundle id

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Running:
    """A renewal whose day has begun: the bundles that have not answered yet, and what the others cost."""

    waiting: frozenset[str]
    lines: tuple[InvoiceLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Rental:
    """A leased unit. months: charged so far. ended_on: the end of time until it has come back."""

    noted: RentalNoted
    months: int = 1
    ended_on: date = date.max

    @property
    def next_on(self) -> date | None:
        return next_month_on(self.noted.started_on, self.ended_on, self.months)


@dataclass(frozen=True, slots=True)
class AccountRenewals:
    """tax: where it is taxed, as it was noted. upcoming: shares by cadence and day, kept when empty. bundle_revisions:
    the newest plan event taken in. invoices: the last number. unpaid: invoices of renewals that are not collected yet.
    credits: what is left of each grant, the oldest first. suspended_for: the invoices whose reminders were in vain.
    rentals: by lease id, of which more months are to be charged."""

    terms: BillingTermsNoted | None = None
    tax: tuple[TaxTermsNoted, ...] = ()
    upcoming: Mapping[Due, Shares] = field(default_factory=dict)
    bundle_revisions: Mapping[str, int] = field(default_factory=dict)
    running: Mapping[Due, Running] = field(default_factory=dict)
    invoices: int = 0
    unpaid: Mapping[str, Due] = field(default_factory=dict)
    credits: Mapping[str, int] = field(default_factory=dict)
    suspended_for: frozenset[str] = frozenset()
    rentals: Mapping[str, Rental] = field(default_factory=dict)

    @property
    def credit_minor(self) -> int:
        return sum(self.credits.values())


def evolve(account: AccountRenewals | None, event: RenewalEvent, effective_on: date) -> AccountRenewals:
    account = account or AccountRenewals()
    match event:
        case BillingTermsNoted():
            return replace(account, terms=event)
        case TaxTermsNoted():
            return replace(account, tax=(*account.tax, event))
        case RenewalScheduled() | RenewalQuoteChanged():
            due, share = (event.cadence, event.due_on), event.share
            return replace(
                account,
                upcoming={**account.upcoming, due: with_share(account.upcoming.get(due, {}), share)},
                bundle_revisions={**account.bundle_revisions, share.bundle_id: share.bundle_revision},
            )
        case RenewalDue():
            due = (event.cadence, event.due_on)
            running = {**account.running, due: Running(frozenset(event.bundle_ids))}
            return replace(account, upcoming=_without(account.upcoming, due), running=running)
        case RenewalAnswered():
            due = (event.cadence, event.due_on)
            before = account.running[due]
            answered = Running(before.waiting - {event.bundle_id}, (*before.lines, *event.lines))
            return replace(account, running={**account.running, due: answered})
        case InvoiceDrafted(invoice=invoice):
            account = replace(account, invoices=invoice.number)
            if invoice.cadence is None:
                return account
            due = (invoice.cadence, invoice.issued_on)
            return replace(
                account,
                running=_without(account.running, due),
                unpaid={**account.unpaid, invoice.invoice_id: due},
            )
        case RentalNoted():
            return _with_rentals(account, {event.lease_id: Rental(event)})
        case RentalEnded():
            rental = account.rentals[event.lease_id]
            return _with_rentals(account, {event.lease_id: replace(rental, ended_on=event.ended_on)})
        case RentalsCharged():
            charged = {name: account.rentals[name] for name in event.lease_ids}
            later = {name: replace(rental, months=rental.months + 1) for name, rental in charged.items()}
            return _with_rentals(account, later)
        case CreditGranted():
            return replace(account, credits={**account.credits, event.credit_id: event.amount_minor})
        case CreditApplied():
            left = account.credits[event.credit_id] - event.amount_minor
            credits = {**account.credits, event.credit_id: left}
            return replace(account, credits={name: minor for name, minor in credits.items() if minor})
        case RenewalCompleted():
            over = _without(account.running, (event.cadence, event.due_on))
            return replace(account, running=over, unpaid=_without(account.unpaid, event.invoice_id))
        case RenewalFailed():
            return replace(account, unpaid=_without(account.unpaid, event.invoice_id))
        case AccountSuspended():
            return replace(account, suspended_for=account.suspended_for | {event.invoice_id})
        case AccountRestored():
            return replace(account, suspended_for=account.suspended_for - {event.invoice_id})
        case _:
            assert_never(event)


def with_share(shares: Shares, share: BundleRenewal) -> Shares:
    others = {bundle_id: other for bundle_id, other in shares.items() if bundle_id != share.bundle_id}
    return {**others, share.bundle_id: share} if share.lines else others


def _with_rentals(account: AccountRenewals, changed: Mapping[str, Rental]) -> AccountRenewals:
    rentals = {**account.rentals, **changed}
    return replace(account, rentals={name: rental for name, rental in rentals.items() if rental.next_on})


def _without(mapping: Mapping[Key, Value], key: Key | None) -> Mapping[Key, Value]:
    return {other: value for other, value in mapping.items() if other != key}
