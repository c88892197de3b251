"""Processes that never outlive their parent, and the folder where those of one service count together."""

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import stat
import sys
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # from linux/prctl.h
METRICS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
LOWEST_PRIORITY: Final = 19  # one part in 69 of a busy processor; all of an idle one
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder made there is checked to be ours


def die_with_parent(*, parent_pid: int | None = None, signum: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends; end at once if that has happened already.

    The request survives exec, but not fork: each generation of processes asks for itself. On systems other than
    Linux nothing is asked, there `up` ends what a former one left behind.
    """
    expected = os.getppid() if parent_pid is None else parent_pid
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != expected:  # the parent died before the kernel knew our wish
        os._exit(1)


def yield_to_others() -> None:
    """Let this process have what other processes leave of the processors, for as long as it lives.

    Not for a process that holds locks of a database: whoever waits for one would wait as long as it does.
    """
    with contextlib.suppress(OSError):  # a container may forbid even this
        os.setpriority(os.PRIO_PROCESS, 0, LOWEST_PRIORITY)


def share_metrics(run_dir: Path, *, is_first: bool = False) -> Path:
    """Let this process and its children add up their metrics, and return the folder they do it in.

    Call it before anything imports prometheus_client. The first process of a service removes what the processes of
    an earlier start counted.
    """
    configured = os.environ.get(METRICS_DIR)
    folder = Path(configured) if configured else _memory_folder(run_dir) or run_dir / "metrics"
    if is_first:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[METRICS_DIR] = str(folder)
    return folder


def _memory_folder(run_dir: Path) -> Path | None:
    """Return a folder in memory: a process that maps a file of a full disk is killed when it writes there."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        return None
    folder = SHARED_MEMORY / f"paperfeed-{os.getuid()}-{hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:16]}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    return folder if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() else None
