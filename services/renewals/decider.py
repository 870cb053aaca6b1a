"""An account's upcoming renewals: one amount per cadence and day, made of its bundles' shares. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from contracts.renewals import BundleRenewal, RenewalEvent, RenewalQuoteChanged, RenewalScheduled
from contracts.terms import Cycle

from .commands import ForecastRenewal

Due = tuple[Cycle, date]
Shares = Mapping[str, BundleRenewal]  # by bundle id


@dataclass(frozen=True, slots=True)
class AccountRenewals:
    """upcoming: shares by cadence and day, kept when empty. bundle_revisions: the newest plan event taken in."""

    upcoming: Mapping[Due, Shares] = field(default_factory=dict)
    bundle_revisions: Mapping[str, int] = field(default_factory=dict)


def decide(command: ForecastRenewal, renewals: AccountRenewals | None) -> list[RenewalEvent]:
    """The days whose amount changes: where the bundle's share leaves, then where it stands now. Empty: already so."""
    renewals = renewals or AccountRenewals()
    if command.bundle_revision <= renewals.bundle_revisions.get(command.bundle_id, -1):
        return []
    expected = command.next_renewal
    target = (expected.cadence, expected.due_on)
    left = [due for due, shares in renewals.upcoming.items() if command.bundle_id in shares and due != target]
    events: list[RenewalEvent] = [_without(command, due, renewals.upcoming[due]) for due in left]
    shares = renewals.upcoming.get(target)
    if not expected.lines:
        return [*events, _without(command, target, shares)] if shares and command.bundle_id in shares else events
    share = BundleRenewal(bundle_id=command.bundle_id, amount_minor=expected.amount_minor, lines=expected.lines)
    if shares is None:
        return [*events, _scheduled(command, share)]
    if shares.get(command.bundle_id) == share:
        return events
    return [*events, _requoted(command, target, shares, {**shares, command.bundle_id: share})]


def evolve(renewals: AccountRenewals | None, event: RenewalEvent, effective_on: date) -> AccountRenewals:
    renewals = renewals or AccountRenewals()
    due = (event.cadence, event.due_on)
    return replace(
        renewals,
        upcoming={**renewals.upcoming, due: {share.bundle_id: share for share in event.bundles}},
        bundle_revisions={
            **renewals.bundle_revisions,
            event.changed_bundle_id: event.changed_bundle_revision,
        },
    )


def _scheduled(command: ForecastRenewal, share: BundleRenewal) -> RenewalScheduled:
    return RenewalScheduled(
        changed_bundle_id=command.bundle_id,
        changed_bundle_revision=command.bundle_revision,
        cadence=command.next_renewal.cadence,
        due_on=command.next_renewal.due_on,
        currency=command.next_renewal.currency,
        amount_minor=share.amount_minor,
        bundles=(share,),
    )


def _without(command: ForecastRenewal, due: Due, shares: Shares) -> RenewalQuoteChanged:
    return _requoted(command, due, shares, {k: share for k, share in shares.items() if k != command.bundle_id})


def _requoted(command: ForecastRenewal, due: Due, before: Shares, after: Shares) -> RenewalQuoteChanged:
    return RenewalQuoteChanged(
        changed_bundle_id=command.bundle_id,
        changed_bundle_revision=command.bundle_revision,
        cadence=due[0],
        due_on=due[1],
        currency=command.next_renewal.currency,
        before_minor=_total(before),
        amount_minor=_total(after),
        bundles=tuple(after.values()),
    )


def _total(shares: Shares) -> int:
    return sum(share.amount_minor for share in shares.values())
