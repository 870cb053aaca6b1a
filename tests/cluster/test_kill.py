"""As tests/system/test_kill.py, over the engines of a cluster."""

from tests.system.test_kill import *  # noqa: F403
