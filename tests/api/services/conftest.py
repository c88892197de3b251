"""An installation with a promoted model, for services that rank, and settings of one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.runtime.serving import Served, ServingModel
from api.settings import read_settings
from api.store.engine import Database
from tests.api.feed_world import load_installation, promote_model
from tests.api.services.taste_world import Configure


@pytest.fixture
def world(database: Database) -> Database:
    """Return a database with papers, readers and saves."""
    load_installation(database)
    return database


@pytest.fixture
def serving(world: Database, tmp_path: Path) -> ServingModel:
    """Return the promoted model."""
    return promote_model(world, tmp_path / "models")


@pytest.fixture
def served(serving: ServingModel) -> Served:
    """Return what answers."""
    assert serving.current is not None
    return serving.current


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Return what sets variables of the environment for this test."""

    def set_variables(**variables: object) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"PAPERFEED_{name}", str(value))
        read_settings.cache_clear()

    yield set_variables
    monkeypatch.undo()
    read_settings.cache_clear()
