"""Settings of the plans service."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.chassis.settings import OwnerSettings


class PlansSettings(OwnerSettings):
    quote_secret_file: Annotated[Path, Field(description="a file of at least 32 secret bytes that signs quote tokens")]
    tax_rates: Annotated[
        Path | None, Field(description="a JSON file of tax rates, the same for renewals; none: nothing is taxed")
    ] = None
    renewals_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the renewals service")]
