"""`python -m services.gateway`: runs the gateway with the settings in the environment."""

from services.chassis.serve import run
from services.chassis.settings import load

from .app import gateway_app
from .settings import GatewaySettings

if __name__ == "__main__":
    settings = load(GatewaySettings)
    run(gateway_app(settings), settings)
