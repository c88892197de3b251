"""Events that wait in memory: where there is no folder for them, or no room in it."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

MOST_LINES_TAKEN: Final = 1000  # as many as a few batches


@dataclass(frozen=True, slots=True)
class Taken:
    """Some of what waits, oldest first, with its taker alone until it is finished or put back."""

    name: str
    lines: tuple[bytes, ...]
    descriptor: int = -1  # holds the lock of a file


@dataclass(slots=True)
class MemoryBuffer:
    """A bounded queue of lines; the oldest give way, and are counted."""

    most_lines: int
    dropped: int = 0
    _lines: deque[bytes] = field(default_factory=deque)
    _sealed: int = 0  # of them may be taken
    _taken: int = 0  # are in somebody's hands
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, line: bytes) -> None:
        """Keep a line."""
        with self._lock:
            self._lines.append(line)
            self._bound()

    def seal(self) -> None:
        """Let everything that waits now be taken."""
        with self._lock:
            self._sealed = len(self._lines)

    def take(self) -> Taken | None:
        """Return the oldest sealed lines; None when there are none."""
        with self._lock:
            count = min(self._sealed, MOST_LINES_TAKEN)
            lines = tuple(self._lines.popleft() for _ in range(count))
            self._sealed -= count
            self._taken = count
        return Taken("memory", lines) if lines else None

    def finish(self, _taken: Taken) -> None:
        """Forget what was taken."""
        self._taken = 0

    def put_back(self, taken: Taken) -> None:
        """Let what was taken wait again, before what came since."""
        with self._lock:
            self._lines.extendleft(reversed(taken.lines))
            self._taken = 0
            self._bound()

    def waiting(self) -> int:
        """Return the number of lines that wait, those that are on their way included."""
        return len(self._lines) + self._taken

    def _bound(self) -> None:
        while len(self._lines) > self.most_lines:
            self._lines.popleft()
            self._sealed = max(self._sealed - 1, 0)
            self.dropped += 1
