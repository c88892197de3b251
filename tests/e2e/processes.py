"""Start, watch and kill the real processes of a Paperfeed installation."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.shared import free_port

PAPERFEED = str(Path(sys.executable).with_name("paperfeed"))
Json = dict[str, Any]


def wait_until(claim: Callable[[], bool], *, seconds: float, what: str, every: float = 0.1) -> float:
    """Wait until `claim` holds and return the seconds it took; TimeoutError names `what` otherwise."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if claim():
            return time.monotonic() - started
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {seconds:g} s")


class Installation:
    """One running installation as a client, an operator and a saboteur see it."""

    def __init__(self, data_dir: Path, *, port: int, environment: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = port
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PAPERFEED_")},
            "PAPERFEED_DATA_DIR": str(data_dir),
            "PAPERFEED_PORT": str(port),
            **(environment or {}),
        }
        self.admin_token = ""
        self.roots: list[subprocess.Popen[bytes]] = []
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start one process of the installation in a session of its own."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True, cwd=self.data_dir
            )
        self.roots.append(child)
        return child

    def command(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run one `paperfeed` command beside the service."""
        result = subprocess.run(
            [PAPERFEED, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )
        assert result.returncode == exit_code, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def wait_ready(self, *, seconds: float = 60, status: int = 200) -> float:
        """Wait until `/readyz` answers `status`."""
        return wait_until(lambda: self._status("/readyz") == status, seconds=seconds, what="/readyz")

    def _status(self, path: str) -> int:
        try:
            return self.http.get(path).status_code
        except httpx2.TransportError:
            return 0

    def headers(self, reader: str | None = None) -> dict[str, str]:
        """Return the admin's credential, acting for `reader`."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return headers if reader is None else {**headers, "X-User": reader}

    def get(self, path: str, *, reader: str | None = None, **params: str | int) -> Json:
        """GET a JSON answer that must be 200."""
        answer = self.http.get(path, headers=self.headers(reader), params=params)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text[:500]}"
        document: Json = answer.json()
        return document

    def post(self, path: str, body: object = None, *, reader: str | None = None, status: int = 202) -> Json:
        """POST JSON and return the answer, which must have `status`."""
        answer = self.http.post(path, headers=self.headers(reader), json=body)
        assert answer.status_code == status, f"POST {path}: {answer.status_code} {answer.text[:500]}"
        document: Json = answer.json()
        return document

    def feed_ids(self, reader: str, *, limit: int = 20) -> list[str]:
        """Return the external ids on the first page of a reader's feed."""
        return [item["paper"]["id"] for item in self.get("/v1/feed", reader=reader, limit=limit)["items"]]

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the installation's living processes whose command line has all `words`."""
        found = []
        for root in self.roots:
            if root.poll() is None:
                parent = psutil.Process(root.pid)
                found += [parent, *parent.children(recursive=True)]
        return [process for process in found if _has_words(process, words)]

    def kill(self, *words: str) -> int:
        """Send SIGKILL to every process with these words, wait for their end and return how many there were."""
        victims = self.processes(*words)
        for victim in victims:
            with _gone_is_fine():
                victim.kill()
        wait_until(lambda: not any(map(_lives, victims)), seconds=60, what="the end of what was killed", every=0.01)
        return len(victims)

    def stop(self, *, seconds: float = 15) -> None:
        """Stop everything as Ctrl-C would and then insist."""
        self.http.close()
        family = self.processes()
        for root in self.roots:
            if root.poll() is None:
                root.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=seconds)
        for process in alive:
            with _gone_is_fine():
                process.kill()
        for root in self.roots:
            root.wait(timeout=60)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _has_words(process: psutil.Process, words: tuple[str, ...]) -> bool:
    try:
        line = " ".join(process.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and all(word in line for word in words)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


@contextmanager
def embedded(data_dir: Path, *flags: str, environment: dict[str, str] | None = None) -> Iterator[Installation]:
    """Run `paperfeed up` on `data_dir` until the block ends."""
    data_dir.mkdir(parents=True, exist_ok=True)
    installation = Installation(data_dir, port=free_port(), environment=environment)
    try:
        installation.start(PAPERFEED, "up", *flags, log=data_dir / "up.log")
        installation.wait_ready(seconds=180)
        installation.admin_token = (data_dir / "admin.token").read_text().strip()
        yield installation
    finally:
        installation.stop()


def last_json(text: str) -> Json:
    """Return the JSON object on the last line of a command's output."""
    document: Json = json.loads(text.strip().splitlines()[-1])
    return document
