"""`python -m services.devices`: runs the devices service with the settings in the environment."""

from services.chassis.serve import run
from services.chassis.settings import load

from .app import devices_app
from .settings import DevicesSettings

if __name__ == "__main__":
    settings = load(DevicesSettings)
    run(devices_app(settings), settings)
