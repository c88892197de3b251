"""Byte streams cut into pieces that are parsed on their own, so that a bad one does not spoil its neighbours."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_PIECE: Final = 4 * 2**20  # bytes; the longest author lists take a tenth of it
SNIFFED_BYTES: Final = 8  # enough to tell JSON lines, a JSON array and XML apart
SHOWN_BYTES: Final = 2_000  # of a piece that is too long to keep

_TOO_LONG: Final = f"longer than {LONGEST_PIECE:,} bytes"

_SPACE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
# A string, perhaps cut off by the end of what has been read (then without `end`), or a bracket.
_JSON_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:(?P<end>")|\\?\Z)|[\[\]{}]', re.DOTALL)
_DEPTH: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_BARE_VALUE: Final = re.compile(rb"[^,\]\s]+")
_ENTRY: Final = re.compile(rb"<entry[\s>]")
_ENTRY_END: Final = b"</entry>"


@dataclass(frozen=True, slots=True)
class Piece:
    """One record's bytes and the number of the line on which it starts; `problem` says why it cannot be parsed."""

    line: int
    data: bytes
    problem: str | None = None


class Window:
    """A view on a stream that moves forward and counts lines; it never holds much more than one piece."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.data = b""
        self.line = 1
        self.is_ended = False

    def more(self) -> bool:
        """Read on; False at the end of the stream."""
        for chunk in self._chunks:
            if chunk:
                self.data += chunk
                return True
        self.is_ended = True
        return False

    def skip(self, count: int) -> bytes:
        """Move forward by `count` bytes and return them."""
        taken, self.data = self.data[:count], self.data[count:]
        self.line += taken.count(b"\n")
        return taken

    def skip_any(self, characters: bytes) -> bytes:
        """Move to the first byte that is none of `characters` and return it, empty at the end of the stream."""
        while True:
            self.skip(len(self.data) - len(self.data.lstrip(characters)))
            if self.data or not self.more():
                return self.data[:1]

    def start(self) -> bytes:
        """Move to the first byte that is neither space nor byte order mark and return what stands there."""
        while len(self.data) < SNIFFED_BYTES and self.more():
            pass
        self.data = self.data.removeprefix(_BOM)
        self.skip_any(_SPACE)
        return self.data[:SNIFFED_BYTES]


def split_lines(window: Window) -> Iterator[Piece]:
    """Give each line that is not blank."""
    while window.data or window.more():
        lines = window.data.split(b"\n")
        window.data = lines.pop()
        for line in lines:
            if stripped := line.strip():
                yield Piece(window.line, stripped, _too_long(line))
            window.line += 1
        if len(window.data) > LONGEST_PIECE:
            yield _shown(window.line, window.data)
            _drop_line(window)
        elif not window.more():
            break
    if stripped := window.data.strip():
        yield Piece(window.line, stripped, _too_long(stripped))
    window.data = b""


def split_array(window: Window) -> Iterator[Piece]:
    """Give each element of the JSON array at the start of the window, which is behind the array afterwards."""
    window.skip(1)
    while True:
        first = window.skip_any(_SPACE + b",")
        if not first:
            yield Piece(window.line, b"", "the JSON array is not closed: the file may have been cut off")
            return
        if first == b"]":
            window.skip(1)
            return
        line = window.line
        end = _end_of_element(window)
        if end == 0:
            yield _shown(line, window.data, problem="the JSON array ends within this element")
            window.data = b""
            return
        yield Piece(line, window.skip(end))


def split_entries(window: Window) -> Iterator[tuple[bytes, Piece]]:
    """Give each `<entry>` of an Atom feed together with what stood before the first one."""
    head: bytes | None = None
    while True:
        start = _find(window, _ENTRY)
        if start < 0:
            return
        before = window.skip(start)
        head = before if head is None else head
        line = window.line
        end = _find_bytes(window, _ENTRY_END)
        if end < 0:
            yield head, _shown(line, window.data, problem="the feed ends within this entry")
            return
        yield head, Piece(line, window.skip(end + len(_ENTRY_END)))


def _end_of_element(window: Window) -> int:
    """Return the length of the JSON value at the start of the window, 0 if the stream ends before it does."""
    if window.data[:1] not in {b"{", b"[", b'"'}:
        return _end_of_bare_value(window)
    depth = at = 0
    while True:
        for token in _JSON_TOKEN.finditer(window.data, at):
            if token.group()[:1] == b'"' and token["end"] is None:
                at = token.start()
                break
            at = token.end()
            depth += _DEPTH.get(token.group(), 0)
            if depth <= 0:
                return at
        if len(window.data) > LONGEST_PIECE or not window.more():
            return 0


def _end_of_bare_value(window: Window) -> int:
    while True:
        found = _BARE_VALUE.match(window.data)
        end = found.end() if found else 1
        if end < len(window.data) or end > LONGEST_PIECE or not window.more():
            return end


def _find(window: Window, pattern: re.Pattern[bytes]) -> int:
    while True:
        if found := pattern.search(window.data):
            return found.start()
        if len(window.data) > LONGEST_PIECE:
            window.skip(len(window.data) - len(b"<entry "))
        if not window.more():
            return -1


def _find_bytes(window: Window, wanted: bytes) -> int:
    searched = 0
    while True:
        if (found := window.data.find(wanted, searched)) >= 0:
            return found
        searched = max(0, len(window.data) - len(wanted))
        if len(window.data) > LONGEST_PIECE or not window.more():
            return -1


def _drop_line(window: Window) -> None:
    while True:
        at = window.data.find(b"\n")
        if at >= 0:
            window.skip(at + 1)
            return
        window.data = b""
        if not window.more():
            return


def _too_long(line: bytes) -> str | None:
    return _TOO_LONG if len(line) > LONGEST_PIECE else None


def _shown(line: int, data: bytes, *, problem: str | None = _TOO_LONG) -> Piece:
    return Piece(line, data[:SHOWN_BYTES], problem if len(data) <= LONGEST_PIECE else _TOO_LONG)
