"""When a plan says what it will cost next, the account's renewals are forecast anew. Pure: event → command."""

from contracts.envelope import Envelope
from contracts.plans import NextRenewal

from .commands import ForecastRenewal


def command_for(envelope: Envelope) -> ForecastRenewal | None:
    """The command an event of plans calls for, or None. Raises pydantic.ValidationError on a malformed event."""
    if "next_renewal" not in envelope.data:
        return None
    return ForecastRenewal(
        bundle_id=envelope.data["bundle_id"],
        bundle_revision=envelope.revision,
        next_renewal=NextRenewal.model_validate(envelope.data["next_renewal"], strict=False),
    )
