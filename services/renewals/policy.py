"""What an event of plans or devices means for its account's renewals: steps, each on what the one before left. Pure."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from contracts.devices import DeviceLeaseStarted, DeviceReturned
from contracts.envelope import Envelope
from contracts.plans import (
    AccountOpened,
    Money,
    NextRenewal,
    PaymentMethodChanged,
    PlanEnded,
    PlanLapsed,
    PlanTermAdvanced,
    TaxJurisdictionSet,
)
from contracts.renewals import BillingTermsNoted, RenewalEvent, TaxTermsNoted
from contracts.tax import TaxRates

from . import billing, forecast, rentals
from .account import AccountRenewals, evolve
from .commands import ForecastRenewal

Step = Callable[[AccountRenewals | None], Sequence[RenewalEvent]]


def decided(steps: Sequence[Step], account: AccountRenewals | None, on: date) -> list[RenewalEvent]:
    """What all steps record, one after the other."""
    events: list[RenewalEvent] = []
    for step in steps:
        for event in step(account):
            account = evolve(account, event, on)
            events.append(event)
    return events


def steps_for(event: Envelope, rates: TaxRates) -> Sequence[Step]:
    """None for an event that renewals have nothing to do with. Raises ValueError or KeyError for a malformed one."""
    match event.type:
        case "plans.AccountOpened":
            opened = AccountOpened.model_validate(event.data, strict=False)
            return [partial(_open, opened)]
        case "plans.TaxJurisdictionSet":
            told = TaxJurisdictionSet.model_validate(event.data, strict=False)
            noted = TaxTermsNoted(**dict(told))
            return [lambda account: billing.note_tax(account, noted)]
        case "devices.DeviceLeaseStarted":
            lease = DeviceLeaseStarted.model_validate(event.data, strict=False)
            return [lambda account: rentals.note(account, lease)]
        case "devices.DeviceReturned":
            returned = DeviceReturned.model_validate(event.data, strict=False)
            return [lambda account: rentals.end(account, returned)]
        case "plans.PaymentMethodChanged":
            changed = PaymentMethodChanged.model_validate(event.data, strict=False)
            return [partial(_pay_with, changed)]
    steps: list[Step] = []
    if event.data.get("next_renewal"):
        command = ForecastRenewal(
            bundle_id=event.data["bundle_id"],
            bundle_revision=event.revision,
            next_renewal=NextRenewal.model_validate(event.data["next_renewal"], strict=False),
        )
        steps.append(partial(forecast.decide, command))
    match event.type:
        case "plans.PlanTermAdvanced":
            steps.append(partial(_advanced, event, PlanTermAdvanced.model_validate(event.data, strict=False), rates))
        case "plans.PlanEnded":
            steps.append(partial(_over, event, PlanEnded.model_validate(event.data, strict=False), rates))
        case "plans.PlanLapsed":
            steps.append(partial(_over, event, PlanLapsed.model_validate(event.data, strict=False), rates))
        case _ if event.data.get("money"):
            steps.append(partial(_changed, event, Money.model_validate(event.data["money"], strict=False), rates))
    return steps


def _open(opened: AccountOpened, account: AccountRenewals | None) -> Sequence[RenewalEvent]:
    token = account.terms.payment_token if account and account.terms else None
    terms = BillingTermsNoted(currency=opened.currency, time_zone=opened.time_zone, payment_token=token)
    return billing.note_terms(account, terms)


def _pay_with(changed: PaymentMethodChanged, account: AccountRenewals | None) -> Sequence[RenewalEvent]:
    if account is None or account.terms is None:
        raise ValueError("a payment method of an account that was never opened")
    return billing.note_terms(account, account.terms.model_copy(update={"payment_token": changed.token}))


def _advanced(
    event: Envelope, advanced: PlanTermAdvanced, rates: TaxRates, account: AccountRenewals | None
) -> Sequence[RenewalEvent]:
    due = (advanced.cadence, advanced.term_start)
    return billing.answer(account, event.account_id, due, advanced.bundle_id, advanced.money, rates)


def _over(
    event: Envelope, over: PlanEnded | PlanLapsed, rates: TaxRates, account: AccountRenewals | None
) -> Sequence[RenewalEvent]:
    """Whatever renewal waits for the bundle waits no longer: it has no part in it."""
    events: list[RenewalEvent] = []
    for due, running in (account.running if account else {}).items():
        if over.bundle_id in running.waiting:
            events += billing.answer(account, event.account_id, due, over.bundle_id, None, rates)
            break  # a bundle has one term at a time, so it is in one renewal at most
    return events


def _changed(event: Envelope, money: Money, rates: TaxRates, account: AccountRenewals | None) -> Sequence[RenewalEvent]:
    refund = event.type == "plans.PlanCancelled"
    on = date.fromisoformat(event.metadata["effective_on"])
    return billing.bill(account, _subject(event), money, event.event_id, on, refund, rates)


def _subject(event: Envelope) -> str:
    """What its money is for: a bundle, a device order or a lease. Raises KeyError for an event of something else."""
    named = ("bundle_id", "order_id", "lease_id")
    return str(event.data[next((name for name in named if name in event.data), "bundle_id")])
