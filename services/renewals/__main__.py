"""`python -m services.renewals`: runs the renewals service with the settings in the environment."""

from services.chassis.serve import run
from services.chassis.settings import load

from .app import renewals_app
from .settings import RenewalsSettings

if __name__ == "__main__":
    settings = load(RenewalsSettings)
    run(renewals_app(settings), settings)
