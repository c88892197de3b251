"""What every page says about the state of the service, looked up every few seconds in each process."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
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
LONGEST_WAIT_SECONDS: Final = 1.0  # and then says what was known: a database that does not answer holds up no page
STUCK_SECONDS: Final = 15.0  # a look takes milliseconds, and ten seconds where SQLite's writer is busy all the time
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
    """Answers from what was looked up a moment ago; the next look runs in a thread beside the page that asks for it."""

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
        self._turning = threading.Lock()  # for an instant, around the next two
        self._under_way: Future[None] | None = None
        self._following: Future[None] | None = None  # for those whose trouble came after that one had begun
        self._began_at: float | None = None  # of the look under way
        self._known = Condition()
        self._looked_at = float("-inf")
        self._asked_at = float("-inf")

    def read(self) -> Condition:
        """Return the state of the service as it is known; never waits and never raises."""
        now, began_at = self._clock(), self._began_at
        if now - self._looked_at > FRESH_SECONDS:
            self._begin()
        if began_at is not None and now - began_at > STUCK_SECONDS:
            return replace(self._known, is_database_up=False)
        return self._known

    async def ready(self) -> None:
        """Wait for a look where the last one was long ago, but no longer than a reader puts up with."""
        if self._clock() - self._looked_at <= OLD_SECONDS:
            return
        look = self._begin()
        if look is not None and not self._takes_long():
            await asyncio.wait([asyncio.wrap_future(look)], timeout=LONGEST_WAIT_SECONDS)

    def distrust(self) -> None:
        """Look anew, because the database has just failed somebody, and wait a moment for what is found.

        Not on an event loop: whoever met the failure waits, so that the next page tells of it.
        """
        self._looked_at = self._asked_at = float("-inf")
        look = self._begin(anew=True)
        if look is not None and not self._takes_long():
            wait([look], timeout=LONGEST_WAIT_SECONDS)

    def look(self) -> Condition:
        """Look now and return what is found."""
        with self._looking:
            self._began_at = self._clock()
            try:
                self._look()
            finally:
                self._began_at = None
        return self._known

    def _takes_long(self) -> bool:
        """True when others have waited for the look under way and gave up."""
        began_at = self._began_at
        return began_at is not None and self._clock() - began_at > LONGEST_WAIT_SECONDS

    def _begin(self, *, anew: bool = False) -> "Future[None] | None":
        """Return a look that has begun, or one that begins after now; None where there is no thread to be had."""
        with self._turning:
            if self._under_way is None:
                self._under_way = self._start()
                return self._under_way
            if not anew:
                return self._under_way
            self._following = self._following or Future()
            return self._following

    def _start(self, look: "Future[None] | None" = None) -> "Future[None] | None":
        started = look or Future()
        try:
            threading.Thread(target=self._look_and_tell, args=(started,), name="conditions", daemon=True).start()
        except RuntimeError:  # no thread to be had: whoever asks next tries again
            started.set_result(None)
            return None
        return started

    def _look_and_tell(self, look: "Future[None]") -> None:
        try:
            self.look()
        finally:
            with self._turning:
                following, self._following = self._following, None
                self._under_way = None if following is None else self._start(following)
            look.set_result(None)

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
