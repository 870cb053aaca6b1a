"""As tests/system/test_model.py, over the engines of a cluster."""

from tests.system.test_model import *  # noqa: F403
