"""A thread in the background that does one thing again and again."""

import threading
from collections.abc import Callable


class Repeating:
    """Does something at once and then after each rest, from `start` to `stop`; what it does must not raise."""

    def __init__(self, act: Callable[[], object], *, name: str) -> None:
        self._act = act
        self._name = name
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, seconds: float) -> None:
        """Begin, with rests of so many seconds; nothing where it has begun."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, args=(seconds,), name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, after what is being done."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, seconds: float) -> None:
        while not self._stopping.is_set():
            self._act()
            self._stopping.wait(seconds)
