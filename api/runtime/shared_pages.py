"""Pages made of lists that are the same for everybody, kept until papers or votes change, and never for long."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from api.runtime.answers import Answers
from api.runtime.key_locks import KeyLocks

MOST_PAGES: Final = 200  # of a process, about 150 kB each
LONGEST_KEY: Final = 300  # characters: what nobody but its sender asks for again is not kept

Key: TypeAlias = tuple[str, str]  # path, and what of the query it listens to
Page = TypeVar("Page")


@dataclass(frozen=True, slots=True)
class _Entry:
    page: object
    generation: int
    until: float


class SharedPages:
    """A few pages of any kind, the last made last; they end as answers do."""

    def __init__(
        self, answers: Answers, *, most: int = MOST_PAGES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._answers = answers
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._building: KeyLocks[Key] = KeyLocks()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Key, kind: type[Page]) -> Page | None:
        """Return a page that is surely as it was; never asks SQL in the caller's time."""
        entry = self._entries.get(key)
        if entry is None or self._clock() >= entry.until or not self._answers.is_surely(entry.generation):
            return None
        return entry.page if isinstance(entry.page, kind) else None

    def build(self, key: Key, make: Callable[[], Page], kind: type[Page], *, keep_seconds: float) -> Page:
        """Return the page, made anew where it is not there; who asks for the same meanwhile waits for it."""
        with self._building.hold(key):
            generation, until = self._answers.look_if_long_ago(), self._clock() + keep_seconds
            found = self.find(key, kind)
            if found is not None:
                return found
            page = make()
            if len(key[0]) + len(key[1]) <= LONGEST_KEY:
                self._keep(key, _Entry(page, generation, until))
            return page

    def _keep(self, key: Key, entry: _Entry) -> None:
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
