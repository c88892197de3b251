"""The supervisor's promises, shown on small programs that are killed, hang or never start."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from api.runtime.leftovers import end_processes_of, marker_of
from tests.faults.watching import Running, last_pid, marked, running, until

pytestmark = pytest.mark.faults
KILLS = 50
START_SECONDS = 60.0  # no promise: for slow machines
BACK_SECONDS = 15.0
STOP_SECONDS = 10.0


def supervise(folder: Path, *kinds: str) -> list[str]:
    return [sys.executable, "-m", "tests.faults.children", str(folder), *kinds]


def is_up(under_test: Running, role: str) -> bool:
    pid = last_pid(under_test.text(), role)
    return pid is not None and psutil.pid_exists(pid) and f"{role} is up" in under_test.text()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_child_killed_fifty_times_is_back_each_time(tmp_path: Path) -> None:
    with running(supervise(tmp_path, "sleeper", "stubborn"), tmp_path / "log") as up:
        until(lambda: is_up(up, "sleeper") and is_up(up, "stubborn"), seconds=START_SECONDS, what="both are up")
        for kill in range(1, KILLS + 1):
            for role in ("sleeper", "stubborn"):
                os.kill(last_pid(up.text(), role) or 0, signal.SIGKILL)
            for role in ("sleeper", "stubborn"):
                returns = f"{role} is up"
                until(lambda: up.text().count(returns) == kill + 1, seconds=BACK_SECONDS, what=f"{role} {kill}")  # noqa: B023 - called at once
            time.sleep(1.0)
        assert up.text().count("sleeper died, restarting it") == KILLS
        assert len(marked(marker_of(tmp_path))) == 3, "a killed child's own child is still there"
        assert up.stop() < STOP_SECONDS


def test_everything_is_gone_ten_seconds_after_sigterm(tmp_path: Path) -> None:
    with running(supervise(tmp_path, "sleeper", "stubborn"), tmp_path / "log") as up:
        until(lambda: is_up(up, "sleeper") and is_up(up, "stubborn"), seconds=START_SECONDS, what="both are up")
        assert len(marked(marker_of(tmp_path))) == 3
        assert up.stop(signal.SIGTERM) < STOP_SECONDS
        assert up.process.returncode == 0
    assert marked(marker_of(tmp_path)) == []


@pytest.mark.parametrize("delay", [0.4, 0.6, 0.8, 1.0, 1.2])
def test_a_signal_during_the_start_is_not_lost(tmp_path: Path, delay: float) -> None:
    with running(supervise(tmp_path, "crasher", "sleeper"), tmp_path / "log") as up:
        until(lambda: "started" in up.text(), seconds=START_SECONDS, what="first child")
        time.sleep(delay - 0.4)
        assert up.stop(signal.SIGINT) < STOP_SECONDS
    assert marked(marker_of(tmp_path)) == []


def test_children_end_by_themselves_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with running(supervise(tmp_path, "sleeper", "crasher"), tmp_path / "log") as up:
        until(lambda: is_up(up, "sleeper"), seconds=START_SECONDS, what="it is up")
        up.stop(signal.SIGKILL)
    until(lambda: marked(marker_of(tmp_path)) == [], seconds=STOP_SECONDS, what="no child left")


def test_the_next_start_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    marker = marker_of(tmp_path)
    with running(supervise(tmp_path, "stubborn"), tmp_path / "log") as up:
        until(lambda: is_up(up, "stubborn"), seconds=START_SECONDS, what="it is up")
        until(lambda: len(marked(marker)) == 2, seconds=START_SECONDS, what="its own child runs")
        up.stop(signal.SIGKILL)
        until(lambda: len(marked(marker)) == 1, seconds=STOP_SECONDS, what="only the grandchild is left")
    assert len(end_processes_of(marker)) == 1
    assert marked(marker) == []


def test_a_program_that_cannot_start_is_tried_again_and_stops_nothing_else(tmp_path: Path) -> None:
    with running(supervise(tmp_path, "missing", "sleeper"), tmp_path / "log") as up:
        until(
            lambda: up.text().count("cannot start /nonexistent/program") >= 3,
            seconds=START_SECONDS,
            what="three attempts",
        )
        assert is_up(up, "sleeper")
        assert up.stop() < STOP_SECONDS


def test_a_program_that_runs_once_is_not_started_again(tmp_path: Path) -> None:
    with running(supervise(tmp_path, "once", "sleeper"), tmp_path / "log") as up:
        until(lambda: "once is done" in up.text(), seconds=START_SECONDS, what="it ran")
        time.sleep(2.0)
        assert up.text().count("once is done") == 1
        assert "once restarted" not in up.text()
        up.stop()


def test_control_sockets_are_private_files_and_stale_ones_do_not_matter(tmp_path: Path) -> None:
    with running(supervise(tmp_path, "sleeper"), tmp_path / "log") as up:
        until(lambda: is_up(up, "sleeper"), seconds=START_SECONDS, what="it is up")
        assert (tmp_path / "circus.sock").is_socket()
        assert not [c for c in psutil.Process(up.process.pid).net_connections("inet") if c.status == "LISTEN"]
        up.stop(signal.SIGKILL)
    with running(supervise(tmp_path, "sleeper"), tmp_path / "log2") as up:
        until(lambda: is_up(up, "sleeper"), seconds=START_SECONDS, what="it is up again")
        assert up.stop() < STOP_SECONDS
