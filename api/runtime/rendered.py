"""Papers as ready JSON bytes, so that a page is assembled without SQL."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from sqlalchemy.exc import SQLAlchemyError

from api.schemas.papers import paper_json
from api.store.comments import load_commented_papers
from api.store.engine import Database
from api.store.paper_changes import changed_paper_ids, existing_paper_ids

log = logging.getLogger(__name__)

MOST_PAPERS: Final = 20_000  # about 2 kB each
LOOK_SECONDS: Final = 5.0  # how often changed papers are looked for, while pages are asked for
LOOK_OVERLAP: Final = timedelta(seconds=30)  # a writer's `updated_at` is older than its commit
CHECKED_PER_LOOK: Final = 2_000  # cached papers whose existence is checked at each look


@dataclass(frozen=True, slots=True)
class Rendered:
    """One paper as JSON, with what pages need apart."""

    json: bytes
    title: str


class RenderedPapers:
    """A bounded cache of rendered papers, newest use last; a changed paper is rendered anew within seconds."""

    def __init__(self, db: Database, *, capacity: int = MOST_PAPERS) -> None:
        self._db = db
        self._capacity = capacity
        self._lock = threading.Lock()
        self._papers: OrderedDict[int, Rendered] = OrderedDict()
        self._looking = threading.Lock()
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._looked_at = datetime.now(UTC)
        self._checked_to = 0

    def get_cached(self, paper_ids: Collection[int]) -> dict[int, Rendered] | None:
        """Return the papers when all of them are cached, None otherwise; never asks SQL in the caller's time."""
        self._look_when_due()
        with self._lock:
            try:
                found = {paper_id: self._papers[paper_id] for paper_id in paper_ids}
            except KeyError:
                return None
            if 2 * len(self._papers) > self._capacity:  # nothing is dropped soon: no need to know what was used last
                for paper_id in found:
                    self._papers.move_to_end(paper_id)
        return found

    def load(self, paper_ids: Collection[int]) -> dict[int, Rendered]:
        """Return the papers that exist, in any order; SQL only for those that are not cached."""
        self._look_when_due()  # a process may show papers without ever showing a feed
        found = self._cached_part(paper_ids)
        missing = [paper_id for paper_id in paper_ids if paper_id not in found]
        if missing:
            with self._db.read() as session:
                rows = load_commented_papers(session, missing)
            fresh = {
                paper_id: Rendered(orjson.dumps(paper_json(row, comments=comments)), row.title)
                for paper_id, (row, comments) in rows.items()
            }
            self._keep(fresh)
            found |= fresh
        return found

    def get_many(self, paper_ids: Sequence[int]) -> dict[int, bytes]:
        """Return the JSON of the papers that exist."""
        return {paper_id: rendered.json for paper_id, rendered in self.load(paper_ids).items()}

    def forget(self, paper_ids: Collection[int]) -> None:
        """Drop papers from the cache."""
        with self._lock:
            for paper_id in paper_ids:
                self._papers.pop(paper_id, None)

    def look(self) -> None:
        """Drop papers that changed since the last look, and those of a share of the cache that are gone."""
        started = datetime.now(UTC)
        with self._lock:
            cached = sorted(self._papers)
        part = [paper_id for paper_id in cached if paper_id > self._checked_to][:CHECKED_PER_LOOK]
        with self._db.read() as session:
            changed = changed_paper_ids(session, since=self._looked_at - LOOK_OVERLAP, among=cached)
            there = existing_paper_ids(session, part)
        self.forget([*changed, *(paper_id for paper_id in part if paper_id not in there)])
        self._checked_to = part[-1] if len(part) == CHECKED_PER_LOOK else 0
        self._looked_at = started

    def _look_when_due(self) -> None:
        if time.monotonic() >= self._next_look:
            self._look_in_background()

    def _look_in_background(self) -> None:
        if not self._looking.acquire(blocking=False):
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            threading.Thread(target=self._look_once, name="rendered-papers", daemon=True).start()
        except RuntimeError as error:  # no thread to be had: whoever asks in a few seconds tries again
            self._looking.release()
            log.warning("changed papers not looked for", extra={"error": type(error).__name__})

    def _look_once(self) -> None:
        try:
            self.look()
        except SQLAlchemyError as error:
            log.warning("changed papers not looked for", extra={"error": type(error).__name__})
        finally:
            self._looking.release()

    def _cached_part(self, paper_ids: Collection[int]) -> dict[int, Rendered]:
        with self._lock:
            return {paper_id: self._papers[paper_id] for paper_id in paper_ids if paper_id in self._papers}

    def _keep(self, fresh: dict[int, Rendered]) -> None:
        with self._lock:
            self._papers.update(fresh)
            while len(self._papers) > self._capacity:
                self._papers.popitem(last=False)
