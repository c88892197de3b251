"""Hints to the workers that never keep a request waiting: a periodic task makes up for every lost one."""

import logging
import queue
import threading
import time
from typing import Final

from api import queue as broker

log = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
PAUSE_SECONDS: Final = 1.0  # after a failure: a dead broker is asked once a second, not once an event


class Hints:
    """One thread that hands tasks to the broker, in order."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[str, int] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is waiting, for a second at most; the thread ends with the process anyway."""
        if self._thread is not None:
            try:
                self._waiting.put(None, timeout=PAUSE_SECONDS)
            except queue.Full:
                return
            self._thread.join(PAUSE_SECONDS)
            self._thread = None

    def offer(self, task: str, argument: int) -> bool:
        """Queue `task` soon; False when too many hints wait already."""
        try:
            self._waiting.put_nowait((task, argument))
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        paused_until = 0.0
        while (hint := self._waiting.get()) is not None:
            if time.monotonic() >= paused_until and not broker.send(*hint):
                paused_until = time.monotonic() + PAUSE_SECONDS
