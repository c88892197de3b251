"""Finished answers that are the same for everybody, kept until papers or votes change, and never for long."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from api.runtime.key_locks import KeyLocks
from api.store.daily import Marks, read_marks
from api.store.engine import Database
from api.store.votes import has_votes_between

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0  # how often changes are looked for, while answers are asked for
SURE_SECONDS: Final = 5.0  # a look longer ago says nothing about now; on a busy machine one may wait that long
MOST_BYTES: Final = 64 * 2**20  # of a process
ENTRY_BYTES: Final = 1_000  # of what stands around a body and its address
LONGEST_ADDRESS: Final = 500  # bytes of path and query: what nobody but its sender asks for again is not kept
SWEPT: Final = 8  # oldest entries that are looked at when one is kept: more end so than come

Key: TypeAlias = tuple[str, bytes]  # path and query string


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route found, ready to be sent."""

    body: bytes
    etag: bytes
    content_type: bytes
    vary: bytes
    route: str  # as figures name it
    next_query: bytes | None = None  # of the next page, where there is one
    last_modified: str = ""  # for answers that are asked for by time, too


@dataclass(slots=True)
class _Entry:
    answer: Answer
    generation: int
    until: float


class Answers:
    """A bounded cache of answers; a change by any process ends what it knows within five seconds, mostly one.

    What moves no mark, such as a paper that is taken out of the database, ends with the time an answer is kept for.
    """

    def __init__(
        self, db: Database, *, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._building: KeyLocks[Key] = KeyLocks()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._bytes = 0
        self._generation = 0
        self._marks: Marks | None = None
        self._looked_at = float("-inf")
        self._next_look = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def generation(self) -> int:
        """How often papers or votes were found changed."""
        return self._generation

    def find(self, key: Key) -> Answer | None:
        """Return an answer that is surely as it was; never asks SQL in the caller's time."""
        now = self._clock()
        entry = self._entries.get(key)
        if entry is None or not self._is_good(entry, now):
            return None
        self._look_when_due(now)
        if 2 * self._bytes > self._most_bytes:  # nothing is dropped soon: no need to know what was used last
            with self._lock:
                if key in self._entries:
                    self._entries.move_to_end(key)
        return entry.answer

    def build(self, key: Key, make: Callable[[], Answer], *, keep_seconds: float) -> Answer:
        """Return the answer, made anew where it is not there; who asks for the same meanwhile waits for it."""
        with self._building.hold(key):
            self.look_if_long_ago()
            entry = self._entries.get(key)
            if entry is not None and self._is_good(entry, self._clock()):
                return entry.answer
            generation, until = self._generation, self._clock() + keep_seconds
            answer = make()
            self._keep(key, _Entry(answer, generation, until))
            return answer

    def is_surely(self, generation: int) -> bool:
        """True when nothing has changed since a generation began, as far as a look of lately says; never asks SQL."""
        now = self._clock()
        if generation != self._generation or now - self._looked_at > SURE_SECONDS:
            return False
        self._look_when_due(now)
        return True

    def look_if_long_ago(self) -> int:
        """Return the generation as it is now, after a look where the last one says nothing any more."""
        if self._clock() - self._looked_at > LOOK_SECONDS:
            with self._looking:
                if self._clock() - self._looked_at > LOOK_SECONDS:  # else somebody looked while this thread waited
                    self._look()
        return self._generation

    def look(self) -> None:
        """Find out whether papers or votes have changed since the last look."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        began = self._clock()
        with self._db.read() as session:
            marks, before = read_marks(session), self._marks
            is_changed = before is None or marks[:3] != before[:3]
            if before is not None and not is_changed and marks.newest_event_pk != before.newest_event_pk:
                is_changed = has_votes_between(session, before.newest_event_pk, marks.newest_event_pk)
        self._marks = marks
        if is_changed:
            self._generation += 1
        self._looked_at, self._next_look = began, began + LOOK_SECONDS

    def _is_good(self, entry: _Entry, now: float) -> bool:
        is_current = entry.generation == self._generation and now - self._looked_at <= SURE_SECONDS
        return is_current and now < entry.until

    def _look_when_due(self, now: float) -> None:
        if now >= self._next_look:
            self._look_in_background(now)

    def _look_in_background(self, now: float) -> None:
        if not self._looking.acquire(blocking=False):
            return
        self._next_look = now + LOOK_SECONDS
        try:
            threading.Thread(target=self._look_once, name="answers", daemon=True).start()
        except RuntimeError as error:  # no thread to be had: whoever asks in a second tries again
            self._looking.release()
            log.warning("changes not looked for", extra={"error": type(error).__name__})

    def _look_once(self) -> None:
        try:
            self._look()
        except SQLAlchemyError as error:  # whoever asks next meets the same
            log.warning("changes not looked for", extra={"error": type(error).__name__})
        finally:
            self._looking.release()

    def _keep(self, key: Key, entry: _Entry) -> None:
        if _address_bytes(key) > LONGEST_ADDRESS:
            return
        with self._lock:
            self._drop(key)
            self._sweep()
            self._entries[key] = entry
            self._bytes += _weight(key, entry)
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._entries)))

    def _sweep(self) -> None:
        """Drop those of the oldest entries that nobody will be given any more."""
        now = self._clock()
        for key, entry in list(islice(self._entries.items(), SWEPT)):
            if entry.generation != self._generation or now >= entry.until:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _weight(key, entry)


def _weight(key: Key, entry: _Entry) -> int:
    return len(entry.answer.body) + len(entry.answer.next_query or b"") + _address_bytes(key) + ENTRY_BYTES


def _address_bytes(key: Key) -> int:
    path, query = key
    return len(path.encode("utf-8", "replace")) + len(query)
