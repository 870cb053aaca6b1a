"""Real engines for tests: which there are, where they are, and what stands in the way where one cannot be had.

`--engines` says where they come from: `embedded` starts them as processes, `docker` as containers, `external` takes
addresses from the environment. One that cannot be had is a loud skip, or a failure when REQUIRE_ENGINES names it.
"""

from .broker import READY_S, Broker, free_port, records_in, until
from .tansu import Tansu

__all__ = ["READY_S", "Broker", "Tansu", "free_port", "records_in", "until"]
