"""A lock for each key, there only while somebody holds it or waits for it."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0  # who holds it and who waits for it


class KeyLocks(Generic[K]):
    """Locks by key, as many as there are threads at them: who is at another key never waits."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[K, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def hold(self, key: K) -> Iterator[None]:
        """Hold the lock of a key."""
        with self._guard:
            held = self._held.setdefault(key, _Held())
            held.users += 1
        try:
            with held.lock:
                yield
        finally:
            with self._guard:
                held.users -= 1
                if held.users == 0:
                    del self._held[key]
