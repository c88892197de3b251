"""Random bytes in small portions, fetched from the system for many at a time: asking costs a tenth of a page's time."""

import os
from typing import Final

PORTIONS_AT_ONCE: Final = 512


class Entropy:
    """Portions of unpredictable bytes; safe to take from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left: list[bytes] = []

    def take(self) -> bytes:
        """Return a portion that nobody else in this process gets."""
        while True:
            try:
                return self._left.pop()
            except IndexError:
                fresh = os.urandom(PORTIONS_AT_ONCE * self._size)
                self._left += [fresh[at : at + self._size] for at in range(0, len(fresh), self._size)]
