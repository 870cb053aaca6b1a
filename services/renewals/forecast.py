"""The forecast of an account's renewals: one amount per cadence and day, made of its bundles' shares. Pure."""

from contracts.plans import RenewalLine
from contracts.renewals import BundleRenewal, RenewalEvent, RenewalQuoteChanged, RenewalScheduled

from .account import AccountRenewals, Due, Shares, with_share
from .commands import ForecastRenewal


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
        amount_minor=_total(with_share(before, share)),
        share=share,
    )


def _total(shares: Shares) -> int:
    return sum(share.amount_minor for share in shares.values())
