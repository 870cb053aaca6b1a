"""Settings of the gateway."""

from typing import Annotated

from pydantic import Field

from services.chassis.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    plans_url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$", description="the origin of the plans service")]
    renewals_url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$", description="the origin of the renewals service")]
    devices_url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$", description="the origin of the devices service")]
    read_wait_s: Annotated[
        float, Field(gt=0, le=30, description="how long a read waits for the position it asks for")
    ] = 2.0
