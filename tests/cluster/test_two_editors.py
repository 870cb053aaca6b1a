"""As tests/system/test_two_editors.py, over the engines of a cluster."""

from tests.system.test_two_editors import *  # noqa: F403
