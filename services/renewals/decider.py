"""An account's upcoming renewals: one amount per cadence and day, made of its bundles' shares. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from contracts.plans import RenewalLine
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
    nothing = _share(command, 0, ())
    left = [due for due, shares in renewals.upcoming.items() if command.bundle_id in shares and due != target]
    events: list[RenewalEvent] = [_requoted(command, due, renewals.upcoming[due], nothing) for due in left]
    shares = renewals.upcoming.get(target)
    share = _share(command, expected.amount_minor, expected.lines)
    if shares is None:
        return [*events, _scheduled(command, share)] if share.lines else events
    present = shares.get(command.bundle_id, nothing)
    if present.lines == share.lines:
        return events
    return [*events, _requoted(command, target, shares, share)]


def evolve(renewals: AccountRenewals | None, event: RenewalEvent, effective_on: date) -> AccountRenewals:
    renewals = renewals or AccountRenewals()
    due, share = (event.cadence, event.due_on), event.share
    return AccountRenewals(
        upcoming={**renewals.upcoming, due: _with(renewals.upcoming.get(due, {}), share)},
        bundle_revisions={**renewals.bundle_revisions, share.bundle_id: share.bundle_revision},
    )


def _with(shares: Shares, share: BundleRenewal) -> Shares:
    others = {bundle_id: other for bundle_id, other in shares.items() if bundle_id != share.bundle_id}
    return {**others, share.bundle_id: share} if share.lines else others


def _share(command: ForecastRenewal, amount_minor: int, lines: tuple[RenewalLine, ...]) -> BundleRenewal:
    return BundleRenewal(
        bundle_id=command.bundle_id, bundle_revision=command.bundle_revision, amount_minor=amount_minor, lines=lines
    )


def _scheduled(command: ForecastRenewal, share: BundleRenewal) -> RenewalScheduled:
    return RenewalScheduled(
        cadence=command.next_renewal.cadence,
        due_on=command.next_renewal.due_on,
        currency=command.next_renewal.currency,
        amount_minor=share.amount_minor,
        share=share,
    )


def _requoted(command: ForecastRenewal, due: Due, before: Shares, share: BundleRenewal) -> RenewalQuoteChanged:
    return RenewalQuoteChanged(
        cadence=due[0],
        due_on=due[1],
        currency=command.next_renewal.currency,
        before_minor=_total(before),
        amount_minor=_total(_with(before, share)),
        share=share,
    )


def _total(shares: Shares) -> int:
    return sum(share.amount_minor for share in shares.values())
