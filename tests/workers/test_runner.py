"""Training runs from claim to verdict, with real fits in real processes."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from api.services import training
from api.store.tables import ModelVersion, User, WarmChunk
from recommender.hybrid import Hybrid
from tests.planted import Planted, noise, plant
from tests.workers.conftest import Bench
from tests.workers.worlds import load_log, load_papers, load_world

LONG_AGO_FOR_ANY_LIST = timedelta(days=400)


@pytest.mark.slow
def test_a_run_succeeds_with_figures_and_every_active_readers_list(bench: Bench, world: Planted) -> None:
    with bench.database.write() as session:
        session.execute(
            sa.update(User).where(User.user_id == 2).values(last_active_at=datetime.now(UTC) - LONG_AGO_FOR_ANY_LIST)
        )
    run_id = bench.request()
    assert bench.run(run_id) == "succeeded"
    run = bench.read(run_id)
    version = run.version or ""
    assert (run.state, run.stage, run.active, run.attempts) == ("succeeded", "promote", None, 1)
    assert bench.serving() == version
    figures = run.figures or {}
    assert (figures["readers"], figures["papers"], figures["events"]) == (60, 120, 600)
    assert figures["judgement"]["verdict"] == "promote"
    assert figures["judgement"]["split"] == "temporal"
    assert figures["warm"]["lists"] == 59
    assert figures["fit_seconds"] > 0
    assert figures["peak_memory_mb"] > 0
    feed = bench.feeds.read_list(1, version=version)
    assert feed is not None
    personal = np.array(feed.paper_ids[:10])
    assert np.mean(world.topics(personal) == world.topic_of_reader[0]) > 0.8
    assert bench.feeds.read_list(2, version=version) is None
    assert not bench.folder(run_id).exists()
    assert [path.name for path in bench.settings.models_dir.iterdir()] == [version]
    Hybrid.load(bench.settings.models_dir / version)
    with bench.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(WarmChunk)) == 0


@pytest.mark.slow
def test_a_refused_model_leaves_its_figures_and_the_old_one_answering(bench: Bench) -> None:
    log = noise()
    load_papers(bench.database, plant(papers=100).texts)
    load_log(bench.database, log, active_at=datetime.now(UTC))
    run_id = bench.request()
    assert bench.run(run_id) == "rejected"
    run = bench.read(run_id)
    assert (run.state, run.active) == ("rejected", None)
    assert "refused" in (run.reason or "")
    judgement = (run.figures or {})["judgement"]
    assert judgement["verdict"] == "reject"
    assert judgement["split"] == "per_reader"
    assert {"challenger", "popularity"} <= judgement["figures"].keys()
    assert bench.serving() is None
    assert not bench.settings.models_dir.exists() or not list(bench.settings.models_dir.iterdir())


@pytest.mark.slow
def test_too_few_events_to_judge_promote_with_a_note(bench: Bench) -> None:
    load_world(bench.database, plant(readers=3, papers=5, saves_per_reader=2), active_at=datetime.now(UTC))
    run_id = bench.request()
    assert bench.run(run_id) == "succeeded"
    run = bench.read(run_id)
    assert (run.figures or {})["note"].startswith("unjudged")
    with bench.database.read() as session:
        model = session.get_one(ModelVersion, run.version)
    assert (model.note or "").startswith("unjudged")


def test_a_run_without_any_paper_fails_and_says_what_to_do(bench: Bench) -> None:
    run_id = bench.request()
    assert bench.run(run_id) == "failed"
    run = bench.read(run_id)
    assert (run.state, run.active) == ("failed", None)
    assert "paperfeed ingest" in (run.reason or "")


def test_a_run_that_somebody_else_holds_is_left_alone(bench: Bench) -> None:
    run_id = bench.request()
    with bench.database.write() as session:
        training.claim_run(session, run_id, owner="another", now=datetime.now(UTC), lease_seconds=30)
    assert bench.run(run_id) is None
    assert bench.read(run_id).lease_owner == "another"
