"""Metrics of one process and of several."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from api.runtime import metrics, processes
from api.runtime.processes import METRICS_DIR, share_metrics

COUNT_TWICE = (
    "from api.runtime.metrics import FEEDS, render\nFEEDS.labels('personal').inc()\nprint(render({}).decode())"
)


def test_gauges_read_elsewhere_follow_the_counters() -> None:
    metrics.FEEDS.labels("latest").inc()
    text = metrics.render({"stale_lists": 3.0}).decode()
    assert 'paperfeed_feeds_total{source="latest"}' in text
    assert "paperfeed_stale_lists 3.0" in text


def test_processes_that_share_a_folder_add_up(tmp_path: Path) -> None:
    env = {**os.environ, METRICS_DIR: str(tmp_path)}
    for expected in ("1.0", "2.0"):
        answer = subprocess.run(
            [sys.executable, "-c", COUNT_TWICE], env=env, capture_output=True, text=True, check=True
        )
        assert f'paperfeed_feeds_total{{source="personal"}} {expected}' in answer.stdout


@pytest.fixture
def no_memory_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(METRICS_DIR, "")
    monkeypatch.setattr(processes, "SHARED_MEMORY", tmp_path / "missing")


@pytest.mark.usefixtures("no_memory_folder")
def test_the_first_process_of_a_start_forgets_what_an_earlier_one_counted(tmp_path: Path) -> None:
    folder = share_metrics(tmp_path)
    assert folder == tmp_path / "metrics"
    (folder / "counter_1.db").touch()
    share_metrics(tmp_path)
    assert (folder / "counter_1.db").exists()
    share_metrics(tmp_path, is_first=True)
    assert list(folder.iterdir()) == []
    assert os.environ[METRICS_DIR] == str(folder)


@pytest.mark.usefixtures("no_memory_folder")
def test_metrics_are_kept_in_memory_where_there_is_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SHARED_MEMORY", tmp_path)
    folder = share_metrics(tmp_path / "run")
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.usefixtures("no_memory_folder")
def test_a_link_in_the_place_of_the_folder_in_memory_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SHARED_MEMORY", tmp_path)
    folder = share_metrics(tmp_path / "run")
    folder.rmdir()
    folder.symlink_to(tmp_path)
    monkeypatch.setenv(METRICS_DIR, "")
    assert share_metrics(tmp_path / "run") == tmp_path / "run" / "metrics"
