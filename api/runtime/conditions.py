"""What every page says about the state of the service, looked up every few seconds in each process."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.store.digests import bounced_readers
from api.store.engine import Database
from api.store.feeds import FeedStore
from api.store.papers import has_papers, newest_paper_id
from api.store.readers import recent_reader_names
from api.store.registry import read_serving
from api.store.state import read_state
from api.store.writable import is_writable

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 2.0  # a page says what was true this long ago at most, while pages are asked for
OLD_SECONDS: Final = 30.0  # older than this, a page waits for the look
WRITABLE_SECONDS: Final = 10.0  # how often the database is asked whether it takes writes
MOST_READERS: Final = 50
DEMONSTRATION: Final = "demonstration"


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of the service as far as it is worth a line on a page."""

    is_cache_up: bool = True
    is_database_up: bool = True
    is_writable: bool = True
    has_papers: bool = True
    has_promoted: bool = False  # a version answers, though perhaps not in this process yet
    is_demonstration: bool = False
    newest_paper_id: int = 0
    bounced: frozenset[int] = frozenset()  # readers whose digest stopped: their address refuses mails
    readers: tuple[str, ...] = ()  # names to pick from, most recently active first; only where they are asked for


class Conditions:
    """Answers from what was looked up a moment ago; the next look runs beside the page that asks for it."""

    def __init__(
        self,
        db: Database,
        feeds: FeedStore,
        *,
        names_readers: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._feeds = feeds
        self._most_readers = MOST_READERS if names_readers else 0
        self._clock = clock
        self._looking = threading.Lock()
        self._known = Condition()
        self._looked_at = float("-inf")
        self._asked_at = float("-inf")

    def read(self) -> Condition:
        """Return the state of the service; never raises."""
        age = self._clock() - self._looked_at
        if age > OLD_SECONDS:
            self.look()
        elif age > FRESH_SECONDS and self._looking.acquire(blocking=False):
            self._looked_at = self._clock()
            try:
                threading.Thread(target=self._look_and_release, name="conditions", daemon=True).start()
            except RuntimeError:  # no thread to be had: whoever asks next tries again
                self._looking.release()
        return self._known

    def distrust(self) -> None:
        """Look anew before the next answer: the database has just failed somebody."""
        self._looked_at = self._asked_at = float("-inf")

    def look(self) -> Condition:
        """Look now and return what is found."""
        with self._looking:
            self._look()
        return self._known

    def _look_and_release(self) -> None:
        try:
            self._look()
        finally:
            self._looking.release()

    def _look(self) -> None:
        is_cache_up = self._feeds.ping()
        try:
            with self._db.read() as session:
                found = Condition(
                    is_cache_up=is_cache_up,
                    has_papers=has_papers(session),
                    has_promoted=read_serving(session) is not None,
                    newest_paper_id=newest_paper_id(session),
                    bounced=bounced_readers(session),
                    readers=tuple(self._read_names(session)),
                    is_demonstration=bool((read_state(session, DEMONSTRATION) or {}).get("loaded")),
                )
            self._known = replace(found, is_writable=self._ask_writable())
        except SQLAlchemyError as error:
            log.warning("state of the service unknown", extra={"error": type(error).__name__})
            self._known = replace(self._known, is_cache_up=is_cache_up, is_database_up=False)
        self._looked_at = self._clock()

    def _read_names(self, session: Session) -> list[str]:
        return recent_reader_names(session, limit=self._most_readers) if self._most_readers else []

    def _ask_writable(self) -> bool:
        if self._clock() - self._asked_at < WRITABLE_SECONDS:
            return self._known.is_writable
        self._asked_at = self._clock()
        return is_writable(self._db)
