"""The tasks of training, called as functions against a real broker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from api import queue
from api.runtime.state import Runtime
from api.services import training
from api.settings import read_settings
from api.store.engine import Database
from api.store.tables import ModelVersion, Serving, TrainingRun
from recommender.artifact import save_arrays
from tests.planted import plant
from tests.workers.in_process import configured_worker
from tests.workers.worlds import load_world
from workers.app import app, longest_task_seconds
from workers.training import reap_runs, repair_model, run_training, train_after_events, train_nightly, warm_lists


@pytest.fixture
def held(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Return a worker's runtime on the test servers."""
    url = database.engine.url.render_as_string(hide_password=False)
    with configured_worker(tmp_path, url, redis_url, monkeypatch, PAPERFEED_TRAIN_AFTER_EVENTS="600") as runtime:
        yield runtime


def waiting(redis_url: str, name: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        return int(client.llen(name))


def state_of(held: Runtime) -> str | None:
    with held.db.read() as session:
        runs = training.read_runs(session, limit=1)
    return runs[0].state if runs else None


def test_every_task_is_registered_and_bounded() -> None:
    app.loader.import_default_modules()
    for name in queue.QUEUE_OF_TASK:
        assert app.tasks[name].time_limit
    assert app.tasks[queue.RUN_TRAINING].time_limit == longest_task_seconds(read_settings())


def test_a_queued_run_is_hinted_again_until_somebody_takes_it(held: Runtime, redis_url: str) -> None:
    reap_runs()
    assert waiting(redis_url, queue.TRAIN_QUEUE) == 0
    with held.db.write() as session:
        training.request_run(session, trigger="admin", now=datetime.now(UTC))
    reap_runs()
    assert waiting(redis_url, queue.TRAIN_QUEUE) == 1


def test_hints_at_a_run_that_nobody_takes_do_not_pile_up(held: Runtime, redis_url: str) -> None:
    with held.db.write() as session:
        training.request_run(session, trigger="admin", now=datetime.now(UTC))
    for _ in range(3):
        reap_runs()
    assert waiting(redis_url, queue.TRAIN_QUEUE) == 1


def test_a_run_whose_lease_has_ended_is_queued_and_hinted(held: Runtime, redis_url: str) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    with held.db.write() as session:
        run, _ = training.request_run(session, trigger="admin", now=past)
        training.claim_run(session, run.run_id, owner="elsewhere", now=past, lease_seconds=30)
    reap_runs()
    assert state_of(held) == "queued"
    assert waiting(redis_url, queue.TRAIN_QUEUE) == 1


def test_the_clockwork_starts_runs_where_there_is_something_to_learn(held: Runtime, redis_url: str) -> None:
    train_nightly()
    train_after_events()
    assert state_of(held) is None
    load_world(held.db, plant(), active_at=None)
    train_after_events()
    assert state_of(held) == "queued"
    train_nightly()
    assert waiting(redis_url, queue.TRAIN_QUEUE) == 1


def test_a_promoted_model_that_nobody_can_read_is_replaced_but_not_over_and_over(held: Runtime, redis_url: str) -> None:
    with held.db.write() as session:
        session.add(ModelVersion(version="old", created_at=datetime.now(UTC), config={}, fingerprint=""))
        session.flush()
        session.add(Serving(serving_id=1, version="old", switched_at=datetime.now(UTC)))
    folder = held.settings.models_dir / "old"
    save_arrays(folder, {}, facts={})
    repair_model()
    assert state_of(held) is None
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": ', '"format": 1000'))
    repair_model()
    assert state_of(held) == "queued"
    assert waiting(redis_url, queue.TRAIN_QUEUE) == 1
    with held.db.write() as session:
        session.execute(sa.update(TrainingRun).values(state="failed", active=None))
    repair_model()
    assert state_of(held) == "failed"
    with held.db.write() as session:
        session.execute(sa.update(TrainingRun).values(created_at=datetime.now(UTC) - timedelta(hours=2)))
    repair_model()
    assert state_of(held) == "queued"


def test_a_second_message_for_a_run_changes_nothing(held: Runtime) -> None:
    with held.db.write() as session:
        run, _ = training.request_run(session, trigger="admin", now=datetime.now(UTC))
    run_training(run.run_id)  # without papers it fails at once
    assert state_of(held) == "failed"
    run_training(run.run_id)
    assert state_of(held) == "failed"


def test_help_for_a_run_that_is_not_warming_does_nothing(held: Runtime) -> None:
    with held.db.write() as session:
        run, _ = training.request_run(session, trigger="admin", now=datetime.now(UTC))
    warm_lists(run.run_id)
    assert state_of(held) == "queued"
