"""What tests of renewals may ask for."""

from tests.postgres import postgres_database, postgres_url  # noqa: F401  fixtures
