"""What tests of the gateway may ask for."""

from pathlib import Path

import pytest

from .stores import PostgresStores, SqliteStores, Stores


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    """Each engine of the read store in turn."""
    if request.param == "sqlite":
        return SqliteStores(tmp_path)
    return PostgresStores(request.getfixturevalue("postgres_database"))
