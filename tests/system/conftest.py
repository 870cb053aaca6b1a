"""The portal every module here walks through: real processes, one portal per module."""

from collections.abc import Iterator

import pytest

from tests.portal import Portal


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """With the demo loaded, in a folder of its own."""
    with Portal(tmp_path_factory.mktemp("portal") / "data") as running:
        yield running
