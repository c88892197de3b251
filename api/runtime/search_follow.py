"""The search index of this process: opened, followed from generation to generation, and kept like SQL by one of all."""

import logging
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.runtime.search_keep import IndexKeeper
from api.store.engine import Database
from api.store.search_errors import IndexBroken, IndexMissing, IndexUnusable
from api.store.search_files import current_generation, verify
from api.store.search_index import COUNTED, Counted, Counts, Hits, SearchIndex
from api.store.search_query import SearchQuery

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
REST_SECONDS: Final = 0.05  # at least, between two steps of a long way
REST_PER_STEP: Final = 3.0  # a long ingest takes at most a fourth of the time of the process that follows it
FAILURE_REST_SECONDS: Final = 5.0
STOP_SECONDS: Final = 3.0  # a stop waits for a step as long


class SearchFollower:
    """Answers from the index that is current; with none, IndexUnusable says so and SQL answers in its place."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._folder = folder
        self._keeper = IndexKeeper(db, folder)
        self._polling = threading.Lock()
        self._current: SearchIndex | None = None
        self._trouble: IndexUnusable | None = IndexMissing("the search index is not open yet")
        self._is_suspect = False
        self._writes_after = 0.0
        self._failure = ""
        self._stopping = threading.Event()
        self._waking = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> SearchIndex | None:
        """The index that answers now, None while there is none."""
        return self._current

    @property
    def failure(self) -> str:
        """Why the last look for an index failed or SQL could not be followed, empty when all is well."""
        return self._failure

    @property
    def is_writer(self) -> bool:
        """True while this process is the one that writes the index."""
        return self._keeper.is_writer

    def search(self, query: SearchQuery, *, limit: int, offset: int = 0) -> Hits:
        """Return the papers that match; IndexUnusable while there is no index."""
        index = self._opened()
        try:
            return index.search(query, limit=limit, offset=offset)
        except IndexUnusable:
            self._suspect()
            raise

    def counts(self, query: SearchQuery, *, of: Collection[Counted] = COUNTED) -> Counts:
        """Return how the papers that match spread over these filters; IndexUnusable while there is no index."""
        index = self._opened()
        try:
            return index.counts(query, of=of)
        except IndexUnusable:
            self._suspect()
            raise

    def poll(self) -> bool:
        """Take up what changed on disk and in SQL; True when there is more to do at once; never raises."""
        with self._polling:
            try:
                self._look()
                is_behind = self._write() if time.monotonic() >= self._writes_after else False
            except Exception as error:  # noqa: BLE001 - a thread's outermost call: the last good index keeps answering
                self._report(error)
                return False
            return is_behind

    def start(self, seconds: float = POLL_SECONDS) -> None:
        """Poll in a background thread from now on."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, args=(seconds,), name="search-index", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the background thread and let another process write."""
        self._stopping.set()
        self._waking.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():  # in the middle of a long step: it lets go of its locks when that ends
                return
            self._thread = None
        with self._polling:
            self._keeper.close()

    def _opened(self) -> SearchIndex:
        index = self._current
        if index is None:
            raise self._trouble or IndexMissing("the search index is not open yet")
        return index

    def _suspect(self) -> None:
        self._is_suspect = True
        self._waking.set()

    def _run(self, seconds: float) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            is_behind = self.poll()
            spent = time.monotonic() - started
            self._waking.wait(max(REST_SECONDS, REST_PER_STEP * spent) if is_behind else seconds)
            self._waking.clear()
        with self._polling:
            self._keeper.close()

    def _look(self) -> None:
        """Open the generation that is current, or read again what changed in it."""
        try:
            generation = current_generation(self._folder)
            if self._current is None or self._current.path != generation:
                verify(generation)
                self._current = SearchIndex.open(generation)
                extra = {"papers": self._current.num_papers, "generation": generation.name}
                log.info("search index opened", extra=extra)
            else:
                self._check(self._current)
            self._trouble = None
        except IndexUnusable as trouble:
            if str(trouble) != str(self._trouble) and not isinstance(trouble, IndexMissing):
                log.warning("the search index cannot be used", extra={"error": str(trouble)})
            self._trouble = trouble

    def _check(self, current: SearchIndex) -> None:
        try:
            is_suspect = not current.reload() and (self._is_suspect or current.is_touched())
        except IndexBroken:
            is_suspect = True
        if not is_suspect:
            return
        try:
            verify(current.path)
        except IndexBroken:
            self._current = None  # what it would answer cannot be trusted
            raise
        finally:
            self._is_suspect = False

    def _write(self) -> bool:
        try:
            is_behind = self._keeper.step(self._current, self._trouble)
            if self._current is not None and self._trouble is None:
                self._current.reload()
        except (IndexUnusable, OSError) as error:
            self._keeper.let_go_of_index()
            self._writes_after = time.monotonic() + FAILURE_REST_SECONDS
            self._is_suspect = True  # a full disk, or a broken file: the next look tells them apart
            self._report(error)
            return False
        except SQLAlchemyError as error:
            self._report(error)
            return False
        self._failure = self._keeper.problem = "" if self._trouble is None else str(self._trouble)
        return is_behind

    def _report(self, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}".splitlines()[0]
        if failure != self._failure:
            log.warning("the search index does not follow the database", extra={"error": failure})
        self._failure = self._keeper.problem = failure
