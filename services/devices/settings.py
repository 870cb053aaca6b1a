"""Settings of the devices service."""

from typing import Annotated

from pydantic import Field

from services.chassis.settings import OwnerSettings


class DevicesSettings(OwnerSettings):
    plans_url: Annotated[str, Field(pattern=r"^https?://", description="the address of the plans service")]
    device_ratio: Annotated[
        int, Field(ge=0, le=1000, description="rented devices that one licence of a phone or rooms plan allows for")
    ] = 3
