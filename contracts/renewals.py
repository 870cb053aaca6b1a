"""Events of the renewals service: what an account will be charged next, per cadence and day (DOMAIN 3)."""

from datetime import date

from .money import Currency, Minor
from .plans import Body, Id, RenewalLine
from .terms import Cycle


class BundleRenewal(Body):
    """One bundle's share of an upcoming renewal."""

    bundle_id: Id
    amount_minor: Minor
    lines: tuple[RenewalLine, ...]


class RenewalScheduled(Body):
    """An account gets its first line due on a day of a cadence.

    changed_bundle_id, changed_bundle_revision: the bundle, and the revision of its stream, that made it so.
    """

    changed_bundle_id: Id
    changed_bundle_revision: int
    cadence: Cycle
    due_on: date
    currency: Currency
    amount_minor: Minor
    bundles: tuple[BundleRenewal, ...]


class RenewalQuoteChanged(Body):
    """An upcoming renewal will cost something else; with no bundles left nothing is due on that day."""

    changed_bundle_id: Id
    changed_bundle_revision: int
    cadence: Cycle
    due_on: date
    currency: Currency
    before_minor: Minor
    amount_minor: Minor
    bundles: tuple[BundleRenewal, ...]


RenewalEvent = RenewalScheduled | RenewalQuoteChanged
