"""Readers with and without a token."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from tests.api.routes.collections.readers import Reader


@pytest.fixture
def reader_of(client: TestClient, token_of: Callable[..., str]) -> Callable[..., Reader]:
    def make(name: str | None, *scopes: str) -> Reader:
        return Reader(client, None if name is None else token_of(*scopes, reader=name))

    return make


@pytest.fixture
def ada(reader_of: Callable[..., Reader], papers: list[str]) -> Reader:
    return reader_of("ada")


@pytest.fixture
def eve(reader_of: Callable[..., Reader]) -> Reader:
    return reader_of("eve")


@pytest.fixture
def nobody(reader_of: Callable[..., Reader]) -> Reader:
    return reader_of(None)
