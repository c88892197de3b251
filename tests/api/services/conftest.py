"""An installation with a promoted model, for services that rank."""

from pathlib import Path

import pytest

from api.runtime.serving import Served, ServingModel
from api.store.engine import Database
from tests.api.feed_world import load_installation, promote_model


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
