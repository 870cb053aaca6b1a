"""Events of the renewals service: what an account will be charged next, per cadence and day (DOMAIN 3)."""

from datetime import date

from .money import Currency, Minor
from .plans import Body, Id, RenewalLine
from .terms import Cycle


class BundleRenewal(Body):
    """One bundle's share of an upcoming renewal; no lines when it has none any more.

    bundle_revision: of the bundle's stream, whose event made it so.
    """

    bundle_id: Id
    bundle_revision: int
    amount_minor: Minor
    lines: tuple[RenewalLine, ...]


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


RenewalEvent = RenewalScheduled | RenewalQuoteChanged
