"""Hints to the workers that never keep a request waiting: a periodic task makes up for every lost one."""

import threading
import time
from typing import Final

from api.store.pending import Change, PendingReaders

MOST_WAITING: Final = 10_000  # readers, while the broker is away
PAUSE_SECONDS: Final = 1.0  # after a failure: a dead broker is asked once a second, not once an event
CLOSE_SECONDS: Final = 1.0
GATHER_SECONDS: Final = 0.02  # after a success: commits follow each other faster, and each message costs as much as all


class Hints:
    """One thread that tells the broker whose lists have to change."""

    def __init__(self, pending: PendingReaders) -> None:
        self._pending = pending
        self._lock = threading.Lock()
        self._readers: dict[int, Change] = {}
        self._awake = threading.Event()
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is waiting, for a second at most; the thread ends with the process anyway."""
        self._is_closing.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
            self._thread = None
        self._pending.close()

    def refresh(self, user_id: int, *, is_active: bool, committed_at: float | None = None) -> None:
        """Have the reader's list rebuilt soon; call it after the commit of what changed it.

        `is_active`: something happened within `PAPERFEED_REFRESH_ACTIVE_MINUTES`; these readers come first.
        `committed_at`: epoch seconds of the commit, for the metric; now unless told.
        """
        change = Change(time.time() if committed_at is None else committed_at, is_active)
        with self._lock:
            known = self._readers.get(user_id)
            if known is None and len(self._readers) >= MOST_WAITING:
                return
            self._readers[user_id] = change if known is None else known.joined(change)
        self._awake.set()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self._awake.wait()
            self._awake.clear()
            if self._send():
                self._is_closing.wait(GATHER_SECONDS)
            else:
                self._is_closing.wait(PAUSE_SECONDS)
                self._awake.set()
        self._send()

    def _send(self) -> bool:
        """Hand over all that waits; False, and everything waits on, when the broker is away."""
        with self._lock:
            readers, self._readers = self._readers, {}
        if not self._pending.add(readers):
            with self._lock:  # what came meanwhile is later than what goes back
                for user_id, change in self._readers.items():
                    readers[user_id] = change.joined(readers.get(user_id, change))
                self._readers = dict(list(readers.items())[:MOST_WAITING])
            return False
        return True
