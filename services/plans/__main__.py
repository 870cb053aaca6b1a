"""`python -m services.plans`: runs the plans service with the settings in the environment."""

from services.chassis.serve import run
from services.chassis.settings import load

from .app import plans_app
from .settings import PlansSettings

if __name__ == "__main__":
    settings = load(PlansSettings)
    run(plans_app(settings), settings)
