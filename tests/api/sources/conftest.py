"""A source of one's own for each test."""

from collections.abc import Iterator

import pytest

from tests.sources_server import SourcesServer


@pytest.fixture
def source() -> Iterator[SourcesServer]:
    """Return a server that answers what the test scripts."""
    with SourcesServer() as server:
        yield server
