"""Settings of the renewals service."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.chassis.settings import OwnerSettings


class RenewalsSettings(OwnerSettings):
    plans_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the plans service")]
    devices_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the devices service")]
    tax_rates: Annotated[
        Path | None, Field(description="a JSON file of tax rates, the same for plans; none: nothing is taxed")
    ] = None
