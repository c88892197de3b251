"""Events that wait in a folder: they outlive their process, and any number of processes may share the folder.

A process appends to a file of its own, on which it holds a lock. Once the file is closed, or its process is dead,
the lock is free, and whoever takes it sends the file's events and removes it. A file is never changed by two, and
what is sent twice because a process died between the answer and the removal is counted once by the service.
"""

import errno
import fcntl
import logging
import os
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.client.memory import Taken

log = logging.getLogger(__name__)

SUFFIX: Final = ".events"
NEW_SUFFIX: Final = ".new"
FILES_OF_A_FOLDER: Final = 16  # a full folder gives up a sixteenth of its events at a time
FORGOTTEN_SECONDS: Final = 3600.0  # after which a file that was never named is a leftover of a killed process
APPENDING: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True)
class _Open:
    path: Path
    descriptor: int
    size: int = 0


@dataclass(slots=True)
class DiskBuffer:
    """Lines in the files of a folder of bounded size; the oldest files give way, and their lines are counted."""

    folder: Path
    most_bytes: int
    dropped: int = 0
    _current: _Open | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, line: bytes) -> None:
        """Keep a line; it survives this process when this returns. OSError when the folder has no room for it."""
        with self._lock:
            current = self._current or self._open()
            _write_whole(current, line + b"\n")
            if current.size * FILES_OF_A_FOLDER >= self.most_bytes:
                self._current = None
                _close(current)
                self._bound()

    def seal(self) -> None:
        """Close the file being written: it may be taken, by anybody."""
        with self._lock:
            current, self._current = self._current, None
        _close(current)  # outside the lock: a slow disk does not hold up who appends

    def take(self) -> Taken | None:
        """Return the oldest file that nobody else has; None when there is none."""
        for path in self._files():
            descriptor = _lock_file(path)
            if descriptor is not None:
                return Taken(str(path), _read_lines(descriptor), descriptor)
        return None

    def finish(self, taken: Taken) -> None:
        """Remove what was taken."""
        with suppress(FileNotFoundError):
            Path(taken.name).unlink()
        os.close(taken.descriptor)

    def put_back(self, taken: Taken) -> None:
        """Let what was taken wait again."""
        os.close(taken.descriptor)
        with self._lock:
            self._bound()

    def waiting(self) -> int:
        """Return the number of lines in the folder, those of other processes included; it reads them all."""
        return sum(map(_count_lines, self._files()))

    def _open(self) -> _Open:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()
        # Locked before it has its name: nobody can take it for a file whose process is dead.
        path = self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        new = path.with_suffix(NEW_SUFFIX)
        descriptor = os.open(new, APPENDING, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            new.rename(path.with_suffix(SUFFIX))
        except OSError:
            os.close(descriptor)
            raise
        self._current = _Open(path.with_suffix(SUFFIX), descriptor)
        return self._current

    def _bound(self) -> None:
        """Remove the oldest files until the folder has its size; files in somebody's hands stay."""
        sizes = [(path, _size(path)) for path in self._files()]
        excess = sum(size for _, size in sizes) - self.most_bytes
        for path, size in sizes:
            if excess <= 0:
                return
            descriptor = _lock_file(path)
            if descriptor is not None:
                lost = len(_read_lines(descriptor))
                self.finish(Taken(str(path), (), descriptor))
                self.dropped += lost
                excess -= size
                log.warning("buffer full, oldest events dropped", extra={"events": lost, "folder": str(self.folder)})

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix == SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _sweep(self) -> None:
        """Remove files whose process died before it gave them their names; they are empty."""
        oldest = time.time() - FORGOTTEN_SECONDS
        for path in self.folder.glob(f"*{NEW_SUFFIX}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _close(file: _Open | None) -> None:
    """Close a file for good; from here on it outlives a loss of power, too."""
    if file is None:
        return
    with suppress(OSError):  # a disk that fails here fails the next line, too
        os.fdatasync(file.descriptor)
    os.close(file.descriptor)


def _write_whole(file: _Open, line: bytes) -> None:
    """Append a line or nothing: what a full disk took of it is cut off again."""
    written = 0
    try:
        written = os.write(file.descriptor, line)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.path))
    except OSError:
        if written:
            os.ftruncate(file.descriptor, file.size)
        raise
    file.size += written


def _lock_file(path: Path) -> int | None:
    """Return an open file that is ours alone; None when it is somebody else's or gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:  # else it was removed while we waited
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _read_lines(descriptor: int) -> tuple[bytes, ...]:
    """Return the whole lines of a file; half a line is what a machine wrote while it lost its power."""
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    return tuple(content.split(b"\n")[:-1])


def _count_lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
