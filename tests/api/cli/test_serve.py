"""`paperfeed serve` as a real process."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.shared import free_port

pytestmark = pytest.mark.e2e

START_SECONDS = 120
STOP_SECONDS = 10


def start(folder: Path, port: int, **settings: str) -> "subprocess.Popen[bytes]":
    """Start the API in a folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PAPERFEED_")}
    env = own | {"PAPERFEED_DATA_DIR": str(folder)} | settings
    command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port)]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def is_alive(port: int) -> bool:
    """True when the API answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_for(port: int, *, alive: bool) -> None:
    """Wait until the API answers, or no longer does."""
    deadline = time.monotonic() + START_SECONDS
    while is_alive(port) is not alive:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_it_answers_and_stops_in_time(tmp_path: Path, processes: str) -> None:
    port = free_port()
    with start(tmp_path, port, PAPERFEED_API_PROCESSES=processes) as server:
        wait_for(port, alive=True)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=STOP_SECONDS)
    assert not is_alive(port)


def test_its_processes_end_when_it_is_killed(tmp_path: Path) -> None:
    port = free_port()
    with start(tmp_path, port, PAPERFEED_API_PROCESSES="2") as server:
        wait_for(port, alive=True)
        server.kill()
        wait_for(port, alive=False)


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with start(tmp_path, taken.getsockname()[1]) as server:
            _, stderr = server.communicate(timeout=START_SECONDS)
    assert server.returncode == 1
    assert len(stderr.splitlines()) == 1
    assert b"--port" in stderr


def test_a_server_of_production_needs_a_secret(tmp_path: Path) -> None:
    with start(tmp_path, free_port(), PAPERFEED_CACHE_URL="redis://127.0.0.1:1") as server:
        _, stderr = server.communicate(timeout=START_SECONDS)
    assert server.returncode == 1
    assert b"PAPERFEED_SECRET_KEY" in stderr
