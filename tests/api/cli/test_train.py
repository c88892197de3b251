"""`paperfeed train`, `models`, `promote` and `rollback`."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from api.cli import models, promote, rollback, train
from api.services import training
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade
from recommender.domain import PaperTexts
from tests.api.services.test_versions import register
from tests.planted import noise, plant
from tests.workers.worlds import load_log, load_papers, load_world

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return the database of a fresh installation without Redis."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    read_settings.cache_clear()
    database = Database(read_settings().resolved_database_url)
    upgrade(database)
    yield database
    database.engine.dispose()
    read_settings.cache_clear()


@pytest.mark.slow
def test_a_retrain_prints_the_finished_run_as_its_last_line(database: Database) -> None:
    load_world(database, plant(is_timed=True), active_at=None)
    done = _paperfeed("train")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert (run["state"], run["trigger"], run["attempts"]) == ("succeeded", "command", 1)
    listed = CliRunner().invoke(models.command, ["--json"])
    assert json.loads(listed.stdout)["version"] == run["version"]
    assert json.loads(listed.stdout)["is_serving"]


@pytest.mark.slow
def test_a_refused_model_exits_with_3_and_its_figures(database: Database) -> None:
    load_papers(database, PaperTexts.empty(np.arange(1000, 1100)))
    load_log(database, noise(), active_at=None)
    done = _paperfeed("train")
    assert done.returncode == 3, done.stderr
    run = json.loads(done.stdout)
    assert (run["state"], run["figures"]["judgement"]["verdict"]) == ("rejected", "reject")
    assert "refused" in done.stderr


@pytest.mark.slow
def test_an_interrupt_cancels_the_run(database: Database) -> None:
    load_world(database, plant(is_timed=True), active_at=None)
    command = [sys.executable, "-m", "api.cli", "train"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not _is_running(database):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert json.loads(stdout)["state"] == "cancelled"


def test_a_run_in_progress_elsewhere_is_named(database: Database) -> None:
    with database.write() as session:
        run, _ = training.request_run(session, trigger="admin", now=NOW)
        training.claim_run(session, run.run_id, owner="elsewhere", now=datetime.now(UTC), lease_seconds=60)
    result = CliRunner().invoke(train.command)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["id"] == run.run_id
    assert f"training run {run.run_id} is in progress (running)" in result.stderr


def test_a_run_can_be_left_to_the_workers(database: Database) -> None:
    result = CliRunner().invoke(train.command, ["--no-wait"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["state"] == "queued"
    assert "broker is away" in result.stderr


def test_promote_and_rollback_print_what_answers(database: Database) -> None:
    for version in ("a", "b"):
        register(database, read_settings().models_dir, version)
        answer = CliRunner().invoke(promote.command, [version])
        assert (answer.exit_code, json.loads(answer.stdout)["version"]) == (0, version)
    back = CliRunner().invoke(rollback.command)
    assert (json.loads(back.stdout)["version"], json.loads(back.stdout)["previous"]) == ("a", "b")
    table = CliRunner().invoke(models.command)
    assert "serving" in table.stdout
    assert "previous" in table.stdout


@pytest.mark.usefixtures("database")
def test_what_cannot_be_promoted_is_explained() -> None:
    unknown = CliRunner().invoke(promote.command, ["none"])
    assert (unknown.exit_code, "There is no model version 'none'" in unknown.stderr) == (1, True)
    back = CliRunner().invoke(rollback.command)
    assert (back.exit_code, "no previous model version" in back.stderr) == (1, True)
    listed = CliRunner().invoke(models.command)
    assert (listed.exit_code, "paperfeed train" in listed.stderr) == (0, True)


def _paperfeed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def _is_running(database: Database) -> bool:
    with database.read() as session:
        return any(run.state == "running" and run.stage for run in training.read_runs(session, limit=1))
