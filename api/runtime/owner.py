"""Who holds a lease, in words that another process of the same machine can check."""

import os
import socket
from pathlib import Path
from typing import Final

import psutil

LONGEST_HOST: Final = 50  # the column holds 100 characters
CLOCK_TICK_SECONDS: Final = 0.011  # the start time of a process is read in clock ticks


def name_this_process() -> str:
    """Return host, process namespace, process id and start time: ids are used again, start times are not."""
    started = psutil.Process().create_time()
    return f"{_place()}/{os.getpid()}/{started:.2f}"


def is_dead_owner(owner: str) -> bool:
    """True when the owner was a process of this machine that runs no more; of other machines only the lease tells."""
    parts = owner.rsplit("/", 2)
    if len(parts) != 3 or parts[0] != _place():
        return False
    try:
        pid, started = int(parts[1]), float(parts[2])
    except ValueError:
        return False
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < CLOCK_TICK_SECONDS
        return not is_same or process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _place() -> str:
    """This machine and, within it, this container."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = "-"
    return f"{socket.gethostname()[:LONGEST_HOST]}/{namespace}"
