"""The folder of search indexes: generations side by side, a pointer to the one that answers, and who may write."""

import contextlib
import fcntl
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from api.store.search_errors import IndexBroken, IndexBusy, IndexMissing
from api.store.search_writer import META

POINTER: Final = "current"  # the name of the generation that answers
WRITER_LOCK: Final = "writer.lock"
REBUILD_LOCK: Final = "rebuild.lock"
WANTED: Final = "rebuild.wanted"  # why an index has to be made anew
STATUS: Final = "status.json"  # what the process that writes says of itself
GENERATION: Final = "generation-"
LOOK_SECONDS: Final = 0.5  # who only asks whether somebody rebuilds holds the lock for a moment
FRESH_SECONDS: Final = 60.0  # readers have gone over to the next generation by then
# The end of each of the engine's files: {"crc": ...} as JSON, its length, a magic number; both little-endian.
_FOOTER_MAGIC: Final = 1337
_FOOTER_LONGEST: Final = 4_096
_READ_BYTES: Final = 1 << 20
_PARTS: Final = (".idx", ".pos", ".term", ".store", ".fast", ".fieldnorm")  # files that every segment has


class FolderLock:
    """A lock between processes; the end of its holder frees it, however that came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    @property
    def is_held(self) -> bool:
        """True while this object holds it."""
        return self._file is not None

    def take(self) -> bool:
        """Take the lock if nobody has it."""
        if self._file is not None and self._is_in_place(self._file):
            return True
        self.free()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _is_in_place(self, file: BinaryIO) -> bool:
        """True unless the folder was removed under the lock, so that others could take one of the same name."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def free(self) -> None:
        """Let go of the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def sole_rebuild(folder: Path) -> Iterator[None]:
    """Be the only one that rebuilds the index of this folder; IndexBusy when somebody else does."""
    lock = FolderLock(folder / REBUILD_LOCK)
    until = time.monotonic() + LOOK_SECONDS
    while not lock.take():
        if time.monotonic() > until:
            raise IndexBusy("the search index is being rebuilt by another process")
        time.sleep(LOOK_SECONDS / 20)
    try:
        yield
    finally:
        lock.free()


def is_rebuilding(folder: Path) -> bool:
    """True while some process rebuilds the index."""
    lock = FolderLock(folder / REBUILD_LOCK)
    if not lock.take():
        return True
    lock.free()
    return False


def new_generation(folder: Path) -> Path:
    """Return the path of a generation that does not exist yet."""
    return folder / f"{GENERATION}{time.time_ns():020d}-{uuid.uuid4().hex[:6]}"


def current_generation(folder: Path) -> Path:
    """Return the generation that answers; IndexMissing when there is none yet, IndexBroken when it is gone."""
    try:
        name = (folder / POINTER).read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise IndexMissing("there is no search index yet") from error
    except UnicodeDecodeError as error:
        raise IndexBroken("the pointer to the search index cannot be read") from error
    if not name.startswith(GENERATION) or "/" in name or not (folder / name / META).exists():
        raise IndexBroken("the search index is gone")
    return folder / name


def point_to(folder: Path, generation: Path) -> None:
    """Let this generation answer from now on."""
    _replace(folder / POINTER, generation.name.encode())


def remove_old_generations(folder: Path, *, keep: Path | None, older_than: float = FRESH_SECONDS) -> None:
    """Remove all generations but one, unless they were written a moment ago."""
    for path in folder.glob(f"{GENERATION}*"):
        if path != keep and _age(path) >= older_than:
            shutil.rmtree(path, ignore_errors=True)


def want_rebuild(folder: Path, reason: str) -> None:
    """Ask whoever writes the index to make it anew."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / WANTED, reason.encode())


def wanted_rebuild(folder: Path) -> str | None:
    """Return why the index has to be made anew, None when it has not."""
    try:
        return (folder / WANTED).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def forget_rebuild(folder: Path) -> None:
    """Note that the index was made anew."""
    (folder / WANTED).unlink(missing_ok=True)


def write_status(folder: Path, status: Mapping[str, object]) -> None:
    """Replace what the writer says of itself."""
    _replace(folder / STATUS, orjson.dumps(dict(status)))


def read_status(folder: Path) -> dict[str, Any]:
    """Return what the writer says of itself, {} where none ever wrote."""
    try:
        found = orjson.loads((folder / STATUS).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def verify(generation: Path) -> None:
    """Read every file of an index and compare its checksum; IndexBroken names the first one that is not whole."""
    for _ in range(3):  # a merge may take files away while they are read
        broken = _first_broken(generation)
        if broken is None:
            return
    raise IndexBroken(f"the search index is damaged: {broken}")


def file_stamps(generation: Path) -> dict[str, tuple[int, int, int]]:
    """Return inode, size and time of change of each file of an index, {} for one whose list cannot be read."""
    stamps = {}
    for segment in _segments(generation) or ():
        for path in generation.glob(f"{segment}.*"):
            with contextlib.suppress(FileNotFoundError):  # a merge took it away
                found = path.stat()
                stamps[path.name] = (found.st_ino, found.st_size, found.st_mtime_ns)
    return stamps


def _segments(generation: Path) -> list[str] | None:
    try:
        meta = orjson.loads((generation / META).read_bytes())
        return [segment["segment_id"].replace("-", "") for segment in meta["segments"]]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _first_broken(generation: Path) -> str | None:
    segments = _segments(generation)
    if segments is None:
        return META
    for segment in segments:
        present = {path.suffix: path for path in generation.glob(f"{segment}.*")}
        for suffix in (*_PARTS, *(present.keys() - set(_PARTS))):
            if suffix not in present or not _is_whole(present[suffix]):
                return f"{segment}{suffix}"
    return None


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _FOOTER_LONGEST, 0))
            tail = file.read()
            length, magic = int.from_bytes(tail[-8:-4], "little"), int.from_bytes(tail[-4:], "little")
            if magic != _FOOTER_MAGIC or not 0 < length <= len(tail) - 8:
                return False
            wanted = int(orjson.loads(tail[-8 - length : -8])["crc"])
            return _checksum(file, size - 8 - length) == wanted
    except (OSError, ValueError, KeyError):
        return False


def _checksum(file: BinaryIO, size: int) -> int:
    file.seek(0)
    checksum = 0
    while size > 0 and (part := file.read(min(_READ_BYTES, size))):
        checksum = zlib.crc32(part, checksum)
        size -= len(part)
    return checksum


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
