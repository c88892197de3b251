"""What the commands that load large files share: the database, the stream, the size of chunks, rejects, progress."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from sqlalchemy.orm import Session

from api.settings import Settings
from api.store.bulk import begin_bulk, checkpoint
from api.store.engine import Database
from api.store.migrate import upgrade

STDIN: Final = Path("-")
READ_BYTES: Final = 256 * 1024
FIRST_CHUNK: Final = 100  # records, before anything is known about the machine
SMALLEST_CHUNK: Final = 10
LARGEST_CHUNK: Final = 2_000
CHUNK_SECONDS: Final = 0.06  # of one write transaction: well under the 200 ms after which intake would feel it
REST_SHARE: Final = 0.5  # of that time is left to other writers of SQLite, which has no queue for them
LONGEST_REST: Final = 0.05  # seconds
CHECKPOINT_SECONDS: Final = 1.0  # between moves of SQLite's log into the database: it stays at some dozens of MB
REPORT_SECONDS: Final = 5.0  # between progress lines where there is no terminal


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database with the tables of this version, made on first use."""
    is_new = False
    if settings.database_url is None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not Path(settings.resolved_database_url.removeprefix("sqlite:///")).exists()
    database = Database(settings.resolved_database_url)
    try:
        upgrade(database)
        yield database
        if is_new:  # a failure stays one line
            print(f"made a new database in {settings.data_dir} (PAPERFEED_DATA_DIR names another)", file=sys.stderr)
    finally:
        database.engine.dispose()


def next_chunk_size(size: int, *, seconds: float) -> int:
    """Return how many records the next chunk shall have when one of `size` took `seconds` to write."""
    fitting = round(size * CHUNK_SECONDS / max(seconds, 1e-6))
    return max(SMALLEST_CHUNK, min(fitting, size * 2, LARGEST_CHUNK))


class Pace:
    """Write transactions one after another that leave other writers of the database their share."""

    def __init__(self, database: Database) -> None:
        begin_bulk(database)
        self.seconds = 0.0  # that the latest transaction held the lock
        self._database = database
        self._ended = self._moved = time.perf_counter()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction as soon as the others had their share since the one before."""
        if self._database.is_sqlite:
            passed = time.perf_counter() - self._ended
            time.sleep(max(0.0, min(self.seconds * REST_SHARE, LONGEST_REST) - passed))
        with self._database.write() as session:
            session.connection()  # begins here: waiting for the lock is not holding it
            started = time.perf_counter()
            yield session
        self._ended = time.perf_counter()
        self.seconds = self._ended - started
        if self._ended - self._moved > CHECKPOINT_SECONDS:
            checkpoint(self._database)
            self._moved = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            checkpoint(self._database)


@contextmanager
def open_input(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or standard input for `-`."""
    if path == STDIN:
        yield sys.stdin.buffer
        return
    with path.open("rb") as stream:
        yield stream


def size_of(path: Path) -> int | None:
    """Return the bytes of a regular file, None where they are unknown."""
    return path.stat().st_size if path.is_file() else None


class Rejects:
    """A file of JSON lines with line number, reason and text, made when the first line is rejected."""

    def __init__(self, path: Path, *, after_line: int = 0) -> None:
        self.path = path
        self.count = 0
        self._after_line = after_line  # of an earlier run, whose rejects up to there are kept
        self._file: IO[bytes] | None = None

    def write(self, *, line: int, reason: str, text: str) -> None:
        """Keep one rejected line."""
        if self._file is None:
            self._file = self._open()
        self._file.write(orjson.dumps({"line": line, "reason": reason, "text": text}) + b"\n")
        self.count += 1

    def flush(self) -> None:
        """Let no kept line be lost with this process."""
        if self._file is not None:
            self._file.flush()

    def _open(self) -> IO[bytes]:
        try:
            return self._opened()
        except OSError:  # the input may lie where nobody can write
            self.path = Path.cwd() / self.path.name
            return self._opened()

    def _opened(self) -> IO[bytes]:
        if not self._after_line or not self.path.exists():
            return self.path.open("wb")
        file = self.path.open("r+b")
        while line := file.readline():
            if not line.endswith(b"\n") or orjson.loads(line)["line"] > self._after_line:
                file.seek(-len(line), os.SEEK_CUR)
                break
        file.truncate()
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def rejects_path(source: Path, *, command: str) -> Path:
    """Return where rejects go unless told otherwise: beside the input, or into this folder for standard input."""
    if source == STDIN:
        return Path.cwd() / f"{command}.rejects.jsonl"
    return source.with_name(f"{source.name}.rejects.jsonl")


class Meter:
    """Progress on standard error: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self, *, total_bytes: int | None) -> None:
        console = Console(stderr=True)
        lines = TextColumn("{task.fields[lines]:,} lines")
        columns = (lines, BarColumn(), DownloadColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._total_bytes = total_bytes
        self._first_byte = self._bytes = 0
        self._task: TaskID = self._bar.add_task("", total=total_bytes, lines=0)
        self._is_terminal = console.is_terminal
        self._started = self._reported = time.monotonic()
        self.lines = self._first_line = 0

    def chunks(self, stream: IO[bytes]) -> Iterator[bytes]:
        """Give the bytes of `stream` as they arrive and count them."""
        read = getattr(stream, "read1", stream.read)  # a pipe gives what it has and does not wait for more
        while chunk := read(READ_BYTES):
            self.reach(self._bytes + len(chunk))
            yield chunk

    def begin_at(self, position: int, *, lines: int) -> None:
        """Let the count begin where an earlier run ended."""
        self._first_byte, self._first_line, self.lines = position, lines, lines
        self.reach(position)

    def reach(self, position: int) -> None:
        """Note that the input is read up to this byte."""
        self._bytes = position
        self._bar.update(self._task, completed=position)

    def add(self, lines: int) -> None:
        """Count lines that are dealt with."""
        self.lines += lines
        self._bar.update(self._task, lines=self.lines)
        now = time.monotonic()
        if not self._is_terminal and now - self._reported >= REPORT_SECONDS:
            self._reported = now
            rate = (self.lines - self._first_line) / (now - self._started)
            print(f"{self.lines:,} lines, {rate:,.0f} a second{self._rest(now)}", file=sys.stderr, flush=True)

    def _rest(self, now: float) -> str:
        done = self._bytes - self._first_byte
        if self._total_bytes is None or done <= 0:
            return ""
        seconds = (self._total_bytes - self._bytes) * (now - self._started) / done
        return f", {timedelta(seconds=round(seconds))} left"

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
