"""A search index that follows a database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.runtime.search_follow import SearchFollower
from api.store.engine import Database
from tests.api.search_world import settle, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the index is made."""
    return tmp_path / "search"


@pytest.fixture
def follower(database: Database, folder: Path) -> Iterator[SearchFollower]:
    """Return a follower of a database with ten papers, whose index is complete."""
    write(database, *range(1, 11))
    made = SearchFollower(database, folder)
    settle(made)
    yield made
    made.stop()
