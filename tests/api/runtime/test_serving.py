"""The model of one process follows promotions and new papers."""

import shutil
import time
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

import api.runtime.serving as serving_module
from api.runtime.serving import ServingModel
from api.store.engine import Database
from api.store.tables import Paper, Serving
from tests.api.feed_world import LONG_AGO, VERSION, fitted_model, load_installation, paper_row, promote_model


@pytest.fixture
def world(sqlite_database: Database) -> Database:
    """Return a database with papers and readers."""
    load_installation(sqlite_database)
    return sqlite_database


def add_papers(database: Database, first_id: int, count: int) -> None:
    """Store papers that the model has not seen."""
    rows = [
        paper_row(paper_id, title="topic0word1 topic0word2", category="cs.T0", listed_at=LONG_AGO)
        for paper_id in range(first_id, first_id + count)
    ]
    with database.write() as session:
        session.execute(sa.insert(Paper), rows)


def test_before_the_first_promotion_nothing_answers(world: Database, tmp_path: Path) -> None:
    assert ServingModel(world, tmp_path).poll() is None


def test_a_promotion_is_followed(world: Database, tmp_path: Path) -> None:
    serving = promote_model(world, tmp_path)
    assert serving.current is not None
    assert serving.current.version == VERSION
    assert len(serving.current.model.papers) == 160


def test_new_papers_are_ranked_without_a_retrain(world: Database, tmp_path: Path) -> None:
    serving = promote_model(world, tmp_path)
    add_papers(world, 5000, 3)
    served = serving.poll()
    assert served is not None
    assert len(served.model.papers) == 163
    assert 5002 in served.model.papers


def test_a_paper_committed_below_the_newest_id_is_not_missed(world: Database, tmp_path: Path) -> None:
    serving = promote_model(world, tmp_path)
    add_papers(world, 5010, 1)
    serving.poll()
    add_papers(world, 5005, 1)  # a slower writer that got its id earlier
    add_papers(world, 5011, 1)
    known: set[int] = set()
    deadline = time.monotonic() + 60
    while 5011 not in known and time.monotonic() < deadline:
        time.sleep(0.05)
        served = serving.poll()
        assert served is not None
        known = set(served.model.papers.in_row_order.tolist())
    assert {5005, 5011} <= known


def test_many_new_papers_are_taken_in_steps(world: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = promote_model(world, tmp_path)
    monkeypatch.setattr(serving_module, "MOST_PAPERS", 300)
    monkeypatch.setattr(serving_module, "REST_PER_STEP", 0.0)
    add_papers(world, 5000, 1000)
    before = serving.looked_at
    sizes = [160]
    while serving.looked_at == before and len(sizes) < 50:
        served = serving.poll()
        assert served is not None
        sizes.append(len(served.model.papers))
    assert sizes[-1] == 1160  # only now all that were there are ranked
    assert max(more - fewer for fewer, more in pairwise(sizes)) <= 300


def test_nothing_new_keeps_the_very_same_model(world: Database, tmp_path: Path) -> None:
    serving = promote_model(world, tmp_path)
    first = serving.poll()
    second = serving.poll()
    assert first is not None
    assert second is first


def test_a_missing_artifact_keeps_the_last_good_model(
    world: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serving = promote_model(world, tmp_path)
    with world.write() as session:
        session.execute(sa.text("PRAGMA defer_foreign_keys=ON"))
        session.execute(
            sa.text("INSERT INTO model_versions (version, created_at, config, fingerprint) VALUES ('v2', 0, '{}', '')")
        )
        session.execute(sa.update(Serving).values(version="v2"))
    served = serving.poll()
    serving.poll()
    assert served is not None
    assert served.version == VERSION
    assert sum("promoted model cannot be used" in record.message for record in caplog.records) == 1

    shutil.copytree(fitted_model(), tmp_path / "v2")
    served = serving.poll()
    assert served is not None
    assert served.version == "v2"


def test_a_database_that_is_away_keeps_the_last_good_model(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    assert ServingModel(database, tmp_path).poll() is None


def test_the_thread_follows_by_itself_and_ends(world: Database, tmp_path: Path) -> None:
    promote_model(world, tmp_path)
    serving = ServingModel(world, tmp_path)
    serving.start(seconds=0.02)
    deadline = time.monotonic() + 60
    while serving.current is None and time.monotonic() < deadline:
        time.sleep(0.02)
    serving.stop()
    assert serving.current is not None
