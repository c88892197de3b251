"""One kind of database for all tests of signing in."""

import pytest

from api.store.engine import Database


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database of tests that are about HTTP; the SQL is asked of both kinds under services."""
    return sqlite_database
