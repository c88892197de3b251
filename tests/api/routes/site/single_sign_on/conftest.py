"""A service whose people sign in with an issuer, and a browser at it."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.settings import Settings
from api.store.engine import Database
from tests.issuer import CLIENT_ID, CLIENT_SECRET, IssuerServer


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; the SQL is asked of both kinds under services."""
    return sqlite_database


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    """Return a running issuer."""
    with IssuerServer() as server:
        yield server


@pytest.fixture
def with_issuer(settings: Settings, issuer: IssuerServer) -> Settings:
    """Return settings that lead to it."""
    return settings.model_copy(
        update={
            "oidc_issuer": issuer.url,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": SecretStr(CLIENT_SECRET),
            "oidc_name": "Papers & Co",
        }
    )


@pytest.fixture
def browser(with_issuer: Settings) -> Iterator[TestClient]:
    """Return a browser at the service."""
    with TestClient(create_app(with_issuer)) as browser:
        yield browser
