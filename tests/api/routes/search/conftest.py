"""A service whose index has five papers."""

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from tests.api.routes.search.index import TEXTS, write


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what SQL is asked here is asked of both kinds elsewhere."""
    return sqlite_database


@pytest.fixture
def found(database: Database, client: TestClient, runtime: Runtime) -> TestClient:
    """Return a client of a service whose index has five papers."""
    write(database, runtime, TEXTS)
    return client
