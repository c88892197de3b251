"""Starting, watching and killing real processes."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from api.runtime.leftovers import MARKER


@dataclass(frozen=True, slots=True)
class Running:
    """A process group under test and the file that takes its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, signum: int = signal.SIGTERM) -> float:
        """Signal it, and return the seconds until it was gone."""
        started = time.monotonic()
        self.process.send_signal(signum)
        self.process.wait(30)
        return time.monotonic() - started


@contextmanager
def signals_of_a_terminal() -> Iterator[None]:
    """Start children that heed every signal: tests run in the background ignore some, and children inherit that."""
    ignored = [
        each for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_IGN
    ]
    for each in ignored:
        signal.signal(each, signal.SIG_DFL)
    try:
        yield
    finally:
        for each in ignored:
            signal.signal(each, signal.SIG_IGN)


@contextmanager
def running(command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> Iterator[Running]:
    """Run `command`; whatever it has started is killed at the end."""
    with log.open("ab") as output, signals_of_a_terminal():
        started = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
    with started as process:
        children: list[psutil.Process] = []
        try:
            yield Running(process, log)
        finally:
            if process.poll() is None:
                with suppress(psutil.Error):
                    children = psutil.Process(process.pid).children(recursive=True)
                process.kill()
            for child in children:
                with suppress(psutil.Error):
                    child.kill()


def until(is_true: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Return the seconds until the claim holds; AssertionError when it does not in time."""
    started = time.monotonic()
    while not is_true():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started


def marked(marker: str) -> list[psutil.Process]:
    """Return the living processes that descend from the `up` of this folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARKER) == marker and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def last_pid(log: str, role: str) -> int | None:
    """Return the process id in the newest line that says this role was started."""
    for line in reversed(log.splitlines()):
        for word in (f"{role} started", f"{role} restarted"):
            if word in line and "pid=" in line:
                return int(line.split("pid=")[1].split()[0])
    return None
