"""Settings of the renewals service."""

from typing import Annotated

from pydantic import Field

from services.chassis.settings import OwnerSettings


class RenewalsSettings(OwnerSettings):
    plans_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the plans service")]
