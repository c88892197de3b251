"""`paperfeed up` with everything it starts, killed in every way."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from api.runtime.leftovers import marker_of
from tests.faults.watching import Running, last_pid, marked, running, until
from tests.shared import free_port

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]
ROLES = ("cache", "broker", "api", "worker", "trainer", "fetcher", "beat")
READY_SECONDS = 60.0  # the promise; others wait longer, for slow machines
START_SECONDS = 180.0
BACK_SECONDS = 60.0  # no promise: three seconds on an idle machine, and others may have work
STOP_SECONDS = 10.0
# Answers nothing and refuses at once: a machine without a network.
NO_NETWORK = {"PAPERFEED_HUGGINGFACE_URL": "http://127.0.0.1:9", "PAPERFEED_ARXIV_URL": "http://127.0.0.1:9"}


def up_command(folder: Path, port: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "api.cli", "up", "--data-dir", str(folder), "--port", str(port), *more]


@contextmanager
def service(folder: Path, port: int, log: Path, *more: str, **settings: str) -> Iterator[Running]:
    env = {**NO_NETWORK, "PAPERFEED_LOG_FORMAT": "text", **settings}
    with running(up_command(folder, port, *more), log, env) as up:
        yield up


def answers(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_ready(up: Running, port: int) -> float:
    try:
        return until(lambda: answers(port, "/readyz") == 200, seconds=START_SECONDS, what="ready")
    except AssertionError as error:
        raise AssertionError(f"{error}; its log:\n{up.text()[-4000:]}") from error


def role_pids(up: Running) -> dict[str, int]:
    return {role: pid for role in ROLES if (pid := last_pid(up.text(), role)) and psutil.pid_exists(pid)}


def all_roles_run(up: Running) -> bool:
    return set(role_pids(up)) == set(ROLES)


def none_left(data: Path, pids: set[int]) -> bool:
    """True when no process is left; Redis overwrites its environment, so the children count by their ids, too."""
    return marked(marker_of(data)) == [] and not any(map(is_alive, pids))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def one_line(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 1, answer.stderr
    (line,) = answer.stderr.strip().splitlines()
    return line


def start_and_fail(folder: Path, port: int, **env: str) -> str:
    command = up_command(folder, port)
    return one_line(
        subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
    )


def test_the_first_start_without_a_network_lists_papers_and_says_so(tmp_path: Path) -> None:
    port = free_port()
    with service(tmp_path / "data", port, tmp_path / "log") as up:
        assert wait_ready(up, port) < READY_SECONDS
        until(lambda: "Ctrl-C stops everything" in up.text(), seconds=60, what="the welcome")
        text = up.text()
        assert f"http://127.0.0.1:{port}" in text
        assert str(tmp_path / "data" / "admin.token") in text
        assert len([line for line in text.splitlines() if line.startswith("  curl ")]) == 3
        assert "demonstration" in text
        for line in [line.strip() for line in text.splitlines() if line.startswith("  curl ")]:
            shown = subprocess.run(["sh", "-c", f"{line} --fail -s"], capture_output=True, timeout=60, check=False)
            assert shown.returncode == 0, (line, shown)
        until(lambda: all_roles_run(up), seconds=START_SECONDS, what="all roles")
        pids = set(role_pids(up).values())
        assert up.stop(signal.SIGINT) < STOP_SECONDS
        assert up.process.returncode == 0
        assert none_left(tmp_path / "data", pids)


def test_every_child_comes_back_and_the_service_works_on(tmp_path: Path) -> None:
    port = free_port()
    with service(tmp_path / "data", port, tmp_path / "log", "--empty") as up:
        wait_ready(up, port)
        until(lambda: all_roles_run(up), seconds=START_SECONDS, what="all roles")
        for role in ROLES:
            former = role_pids(up)[role]
            os.kill(former, signal.SIGKILL)
            until(lambda: role_pids(up).get(role, former) != former, seconds=BACK_SECONDS, what=f"{role} is back")  # noqa: B023
            assert f"{role} died, restarting it" in up.text()
        assert wait_ready(up, port) < BACK_SECONDS
        pids = set(role_pids(up).values())
        time.sleep(3.0)
        assert set(role_pids(up).values()) == pids, "a child does not stay"
        assert up.stop() < STOP_SECONDS
        assert none_left(tmp_path / "data", pids)


def test_a_killed_up_leaves_nothing_and_the_next_one_starts(tmp_path: Path) -> None:
    port = free_port()
    data = tmp_path / "data"
    several = {"PAPERFEED_API_PROCESSES": "2", "PAPERFEED_WORKER_PROCESSES": "2"}  # children of children
    with service(data, port, tmp_path / "log", "--empty", **several) as up:
        wait_ready(up, port)
        # Five programs, two API processes and the one that tracks their resources, two workers, trainer and fetcher.
        until(
            lambda: all_roles_run(up) and len(marked(marker_of(data))) >= 12,
            seconds=START_SECONDS,
            what="all processes",
        )
        pids = set(role_pids(up).values())
        up.stop(signal.SIGKILL)
        until(lambda: none_left(data, pids), seconds=10, what="its children have ended by themselves")
    assert (data / "up.lock").exists()
    assert (data / "run" / "cache.sock").exists(), "this test wants a stale socket"
    with service(data, port, tmp_path / "log2", "--empty") as up:
        wait_ready(up, port)
        assert up.stop() < STOP_SECONDS


def test_a_second_up_on_the_same_folder_refuses_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    data = tmp_path / "data"
    with service(data, port, tmp_path / "log", "--empty") as up:
        wait_ready(up, port)
        (tmp_path / "link").symlink_to(data)
        for folder in (data, tmp_path / "link"):
            line = start_and_fail(folder, free_port())
            assert f"already runs on {folder} (process {up.process.pid}, http://127.0.0.1:" in line
        assert answers(port, "/livez") == 200, "the refused one has ended the running one"
        up.stop()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} on 127.0.0.1 is taken" in start_and_fail(tmp_path / "data", port)


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "choose another folder with --data-dir" in start_and_fail(tmp_path / "file" / "data", free_port())


def test_missing_secrets_are_one_line(tmp_path: Path) -> None:
    line = start_and_fail(tmp_path / "data", free_port(), PAPERFEED_HOST="0.0.0.0")
    assert "PAPERFEED_SECRET_KEY" in line


def test_a_database_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "paperfeed.db").write_bytes(b"this is no database" * 100)
    assert "the database cannot be used" in start_and_fail(tmp_path / "data", free_port())


def test_a_path_too_long_for_sockets_works(tmp_path: Path) -> None:
    port = free_port()
    data = tmp_path / ("long " * 24) / "data"
    with service(data, port, tmp_path / "log", "--empty") as up:
        wait_ready(up, port)
        until(lambda: all_roles_run(up), seconds=START_SECONDS, what="all roles")
        pids = set(role_pids(up).values())
        assert up.stop() < STOP_SECONDS
        assert none_left(data, pids)
