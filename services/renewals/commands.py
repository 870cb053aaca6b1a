"""What may be asked of an account's renewals."""

from dataclasses import dataclass

from contracts.plans import NextRenewal


@dataclass(frozen=True, slots=True)
class ForecastRenewal:
    """A bundle now expects this next renewal. bundle_revision: of the plan event that says so; older news is moot."""

    bundle_id: str
    bundle_revision: int
    next_renewal: NextRenewal
