"""Large files of lines, plain or gzipped, that can be read on from where an earlier reading ended."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from api.sources.framing import LONGEST_PIECE

GZIP_START: Final = b"\x1f\x8b"
SAMPLES: Final = 16  # parts of the file, evenly spread, that its fingerprint looks at
SAMPLE_BYTES: Final = 64 * 1024
BUFFER_BYTES: Final = 256 * 1024
SKIPPED_BYTES: Final = 4 * 2**20  # at a time

_DAMAGE: Final = (EOFError, zlib.error, gzip.BadGzipFile)


class CutOff(ValueError):
    """A compressed file that ends too early or is damaged."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line and the place behind it, in bytes of the text."""

    number: int
    data: bytes
    end: int
    problem: str | None = None


def fingerprint_of(path: Path) -> str:
    """Return what tells this file from others and from itself after a change: its size and samples of its bytes."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for part in range(SAMPLES):
            file.seek(part * max(0, size - SAMPLE_BYTES) // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


class Archive:
    """The lines of a file from a place on; memory stays constant whatever its length."""

    def __init__(self, path: Path) -> None:
        self.total_bytes = path.stat().st_size
        self._raw = path.open("rb", buffering=BUFFER_BYTES)
        self._is_packed = self._raw.read(len(GZIP_START)) == GZIP_START
        self._raw.seek(0)
        self._text: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=self._raw) if self._is_packed else self._raw

    @property
    def bytes_read(self) -> int:
        """How far into the file on the disk the reading is."""
        return self._raw.tell()

    def lines(self, *, offset: int = 0, number: int = 0) -> Iterator[Line]:
        """Move to `offset`, behind the line of this `number`, and give the lines from there; raises CutOff."""
        try:
            self._skip_to(offset)
        except _DAMAGE as error:
            raise CutOff(f"the compressed file is cut off or damaged: {error}") from error
        return self._rest(offset, number)

    def _rest(self, offset: int, number: int) -> Iterator[Line]:
        try:
            while data := self._text.readline(LONGEST_PIECE):
                number += 1
                offset += len(data)
                if data.endswith(b"\n") or len(data) < LONGEST_PIECE:
                    yield Line(number, data, offset)
                    continue
                while (more := self._text.readline(LONGEST_PIECE)) and not more.endswith(b"\n"):
                    offset += len(more)
                offset += len(more)
                yield Line(number, data[:BUFFER_BYTES], offset, f"longer than {LONGEST_PIECE:,} bytes")
        except _DAMAGE as error:
            raise CutOff(f"the compressed file is cut off or damaged: {error}") from error

    def _skip_to(self, offset: int) -> None:
        if not self._is_packed:
            self._text.seek(offset)
            return
        while offset > 0:  # what is packed has to be unpacked to be counted
            skipped = len(self._text.read(min(offset, SKIPPED_BYTES)))
            if not skipped:
                raise EOFError("it ends before the place that was reached")
            offset -= skipped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._text.close()
        self._raw.close()
