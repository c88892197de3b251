"""Finding and ending what a former `up`, or a dead child, left behind."""

import contextlib
import hashlib
import os
import signal
from pathlib import Path
from typing import Final

import psutil

MARKER: Final = "PAPERFEED_RUN_OF"  # in the environment of every process that descends from an `up`
KILL_WAIT_SECONDS: Final = 1.0


def marker_of(data_dir: Path) -> str:
    """Return the marker of all processes that serve this data folder, whatever path leads to it."""
    stat = data_dir.stat()
    return hashlib.sha256(f"{stat.st_dev}:{stat.st_ino}".encode()).hexdigest()[:16]


def end_group(pid: int) -> None:
    """Kill what is left of the process group that `pid` led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_processes_of(marker: str) -> list[int]:
    """Kill every process that carries the marker, wait for their end, and return their ids.

    Redis overwrites its environment and is not found: it ends with its parent, as every direct child of `up` does.
    """
    found = [process for process in psutil.process_iter() if _carries(process, marker)]
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(found, timeout=KILL_WAIT_SECONDS)
    return [process.pid for process in found]


def _carries(process: psutil.Process, marker: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return process.environ().get(MARKER) == marker and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False  # another user's, or gone meanwhile
