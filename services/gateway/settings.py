"""Settings of the gateway."""

from pathlib import Path
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
    tax_rates: Annotated[
        Path | None, Field(description="the JSON file of tax rates that plans and renewals have, for What if")
    ] = None
    device_ratio: Annotated[
        int, Field(ge=0, le=1000, description="rented devices for each licence, as the devices service has it")
    ] = 3
    openid_configuration: Annotated[
        str | None, Field(pattern=r"^https?://", description="the sign-in's OpenID Connect configuration, a URL")
    ] = None
    openid_client: Annotated[str, Field(min_length=1, description="the portal's client id at that sign-in")] = (
        "billing-portal"
    )
    portal_secret_file: Annotated[
        Path | None, Field(description="a file with the key that seals sessions; without it there is no portal")
    ] = None
