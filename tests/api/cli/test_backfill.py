"""The command that loads arXiv's whole snapshot: resumable at any moment, refused for another file, never twice."""

import gzip
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import orjson
import psutil
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from api.cli.backfill import command
from api.cli.loading import Rejects, open_database
from api.services.backfill import read_position
from api.settings import read_settings
from api.store.engine import Database
from api.store.tables import Paper
from tests.benchmarks.backfill import Invention
from tests.e2e.processes import PAPERFEED

GOOD = list(Invention().lines(30))
KILLS = 2


class Outcome(NamedTuple):
    exit_code: int
    counts: dict[str, int]
    stderr: str


def backfill(file: Path, *flags: str) -> Outcome:
    result = CliRunner().invoke(command, ["arxiv", "--snapshot", str(file), *flags], catch_exceptions=False)
    lines = result.stdout.splitlines()
    return Outcome(result.exit_code, json.loads(lines[-1]) if lines else {}, result.stderr)


def snapshot(folder: Path, *lines: bytes, name: str = "snapshot.jsonl") -> Path:
    path = folder / name
    content = b"".join(lines)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def stored(database: Database) -> dict[str, tuple[str, int | None]]:
    with database.read() as session:
        rows = session.execute(sa.select(Paper.external_id, Paper.title, Paper.version))
        return {row.external_id: (row.title, row.version) for row in rows}


@pytest.mark.parametrize("name", ["snapshot.jsonl", "snapshot.jsonl.gz"])
def test_everything_lands_once_and_again_nothing_is_done(installation: Path, name: str) -> None:
    file = snapshot(installation, *GOOD, name=name)
    outcome = backfill(file)
    assert outcome[:2] == (
        0,
        {"lines": 30, "inserted": 30, "updated": 0, "unchanged": 0, "rejected": 0, "complete": True},
    )
    again = backfill(file)
    assert (again.exit_code, again.counts) == (0, outcome.counts)
    assert "loaded before" in again.stderr
    assert backfill(file, "--restart").counts["unchanged"] == 30
    with open_database(read_settings()) as database:
        papers = stored(database)
    assert papers.keys() == {orjson.loads(line)["id"] for line in GOOD}


def test_bad_lines_are_kept_apart_and_blank_ones_are_nothing(installation: Path) -> None:
    outcome = backfill(snapshot(installation, GOOD[0], b"{\n", b"\n", b'{"id": "1"}\n', GOOD[1]))
    assert (outcome.exit_code, outcome.counts["inserted"], outcome.counts["rejected"]) == (3, 2, 2)
    rejects = [json.loads(line) for line in (installation / "snapshot.jsonl.rejects.jsonl").read_bytes().splitlines()]
    assert [(line["line"], line["reason"][:8]) for line in rejects] == [(2, "not JSON"), (4, "the titl")]


def test_a_file_that_changed_after_it_was_broken_off_is_refused_until_told_otherwise(installation: Path) -> None:
    file = snapshot(installation, *GOOD, name="snapshot.jsonl.gz")
    file.write_bytes(file.read_bytes()[:-40])  # the end has not arrived yet
    broken = backfill(file)
    assert (broken.exit_code, broken.counts["complete"]) == (1, False)
    assert "cut off" in broken.stderr
    file.write_bytes(gzip.compress(b"".join(GOOD)))
    refused = backfill(file)
    assert (refused.exit_code, refused.counts) == (1, {})
    assert "--restart" in refused.stderr
    assert backfill(file, "--restart").counts["complete"] is True


def test_a_newer_snapshot_brings_new_versions(installation: Path) -> None:
    old, new = orjson.loads(GOOD[0]), orjson.loads(GOOD[0])
    old["versions"], old["title"] = old["versions"][:1], "Before"
    new["versions"] = [*old["versions"], {"version": "v9", "created": "Mon, 2 Jan 2017 10:00:00 GMT"}]
    backfill(snapshot(installation, orjson.dumps(old) + b"\n", GOOD[1]))
    counts = backfill(snapshot(installation, orjson.dumps(new) + b"\n", *GOOD[1:3])).counts
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (1, 1, 1)
    with open_database(read_settings()) as database:
        assert stored(database)[new["id"]] == (new["title"], 9)


def test_rejects_of_lines_that_are_loaded_once_more_are_not_kept_twice(tmp_path: Path) -> None:
    path = tmp_path / "rejects"
    with Rejects(path) as rejects:
        for line in (1, 5, 9):
            rejects.write(line=line, reason="r", text="t")
    path.write_bytes(path.read_bytes()[:-4])  # killed while it wrote
    with Rejects(path, after_line=5) as rejects:
        rejects.write(line=8, reason="r", text="t")
    assert [json.loads(line)["line"] for line in path.read_bytes().splitlines()] == [1, 5, 8]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snapshot.jsonl", "snapshot.jsonl.gz"])
def test_kill_9_at_any_moment_costs_nothing_that_was_committed(installation: Path, name: str) -> None:
    lines = list(Invention().lines(5_000))
    lines[40] = b"broken\n"
    file = snapshot(installation, *lines, name=name)
    kills = 0
    with open_database(read_settings()) as database:
        while True:
            child = subprocess.Popen(
                [PAPERFEED, "backfill", "arxiv", "--snapshot", str(file)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=installation,
            )
            if kills < KILLS and _moved(database, child):
                child.send_signal(signal.SIGKILL)
                kills += 1
            output = child.communicate(timeout=300)[0]
            if child.returncode >= 0:
                break
        assert kills == KILLS
        counts = json.loads(output.splitlines()[-1])
        assert counts["inserted"] == len(stored(database)) == 4_999
        assert (counts["lines"], counts["unchanged"], counts["rejected"], counts["complete"]) == (5_000, 0, 1, True)


def _moved(database: Database, child: subprocess.Popen[bytes]) -> bool:
    """Wait until the place moves; False when the child ends before."""
    first = _line(database)
    while child.poll() is None:
        if _line(database) > first + 500:
            return True
        time.sleep(0.01)
    return False


def _line(database: Database) -> int:
    with database.read() as session:
        position = read_position(session)
    return 0 if position is None else position.line


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 8_000):
        file = snapshot(tmp_path, *map(_with_long_abstract, Invention().lines(count)))
        environment = {**os.environ, "PAPERFEED_DATA_DIR": str(tmp_path / f"data{count}")}
        child = subprocess.Popen(
            [PAPERFEED, "backfill", "arxiv", "--snapshot", str(file)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peaks.append(_peak(child))
        assert child.returncode == 0
    assert peaks[1] < peaks[0] + 24 * 2**20  # a quarter of what the lines more are long


def _with_long_abstract(line: bytes) -> bytes:
    paper = orjson.loads(line)
    return orjson.dumps({**paper, "abstract": paper["abstract"] * (16_000 // len(paper["abstract"]))}) + b"\n"


def _peak(child: subprocess.Popen[bytes]) -> int:
    process, peak = psutil.Process(child.pid), 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    child.wait(timeout=300)
    done.set()
    watcher.join()
    return peak
