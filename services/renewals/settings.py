"""Settings of the renewals service."""

from typing import Annotated

from pydantic import Field

from services.chassis.settings import OwnerSettings


class RenewalsSettings(OwnerSettings):
    plans_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the plans service")]
    devices_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the devices service")]
    tax_rates: Annotated[
        dict[str, Annotated[int, Field(ge=0, le=10_000)]],
        Field(description='the embedded tax rates by code, in hundredths of a per cent, as JSON: {"standard": 825}'),
    ] = {}  # noqa: RUF012
