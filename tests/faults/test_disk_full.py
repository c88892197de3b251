"""A full disk: plain answers while it lasts, and everything works again once there is room."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_up import STOP_SECONDS, answers, service, wait_ready
from tests.faults.watching import until
from tests.shared import free_port

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 64 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def set_interests(port: int, token: str, reader: str) -> tuple[int, str | None]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/me/interests",
        data=b'{"categories": ["cs.CL"], "terms": [], "papers": []}',
        headers={"Authorization": f"Bearer {token}", "X-User": reader, "Content-Type": "application/json"},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(answer.status), None
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After")


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def doctor(folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PAPERFEED_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "api.cli", "doctor"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_full_disk_is_503_with_retry_after_and_passes(small_disk: Path, tmp_path: Path) -> None:
    port = free_port()
    data = small_disk / "data"
    with service(data, port, tmp_path / "log", "--empty") as up:
        wait_ready(up, port)
        token = (data / "admin.token").read_text().strip()
        assert set_interests(port, token, "before")[0] < 300
        fill(small_disk / "filler")
        status, retry_after = 0, None
        for attempt in range(200):  # the database's log keeps some room of its own
            status, retry_after = set_interests(port, token, f"reader-{attempt}")
            if status >= 300:
                break
        assert (status, int(retry_after or 0) > 0) == (503, True)
        assert answers(port, "/v1/latest") == 200
        answer = doctor(data)
        assert answer.returncode == 1
        assert "No space left" in answer.stdout
        (small_disk / "filler").unlink()
        until(lambda: set_interests(port, token, "after")[0] < 300, seconds=60, what="writes work again")
        assert "api died" not in up.text()
        assert up.stop() < STOP_SECONDS
