"""As tests/system/test_broker_down.py, over the engines of a cluster."""

from tests.system.test_broker_down import *  # noqa: F403
