"""The model that answers in this process: the promoted version, kept up with papers newer than it."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from api.runtime.repeating import Repeating
from api.store.engine import Database
from api.store.papers import newest_paper_id, read_created_at
from api.store.registry import read_encoder, read_serving
from api.store.vectors import load_texts_with_vectors, paper_ids_with_vector
from recommender.dataset import Profile
from recommender.hybrid import Hybrid
from recommender.vocabulary import UNKNOWN_ROW

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
# Writers commit out of the order of their ids: papers this far below the newest known one are looked at again.
OVERLAP: Final = 200
# A model is extended by as many at a time: texts on their way into it take about 30 kB a paper.
MOST_PAPERS: Final = 10_000
REST_PER_STEP: Final = 1.0  # between them half of the time belongs to readers
# During a long ingest the model is extended for at most a tenth of the time.
REST_PER_EXTENSION: Final = 9.0
# By then every process ranks new papers, and those who rebuild lists in the background had their time.
NEWS_SETTLES: Final = timedelta(seconds=45)
LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
LATE_SECONDS: Final = 10.0  # between looks for sentence vectors that came after their papers


@dataclass(frozen=True, slots=True)
class Served:
    """A model version in memory."""

    version: str
    model: Hybrid


@dataclass(frozen=True, slots=True)
class _Step:
    """A model with papers that came after its fit."""

    model: Hybrid
    bare: list[int]  # papers without a sentence vector
    newest: int  # the highest id that was looked at
    is_last: bool  # no more papers are waiting


class ServingModel:
    """Follows the serving row; a failed look keeps the last good model."""

    def __init__(self, db: Database, models_dir: Path) -> None:
        self._db = db
        self._models_dir = models_dir
        self._polling = threading.Lock()
        self._current: Served | None = None
        self._fitted: Hybrid | None = None  # the version as it was loaded
        self._encoder = ""  # of the sentence vectors it was fitted with
        self._bare: list[int] = []  # papers it was extended with before their sentence vector was there
        self._late_at = 0.0
        self._newest_paper_id = 0
        self._rests_until = 0.0
        self._looked_at = 0.0  # epoch seconds
        self._news_settle_at: datetime | None = None  # of papers that came a moment ago
        self._settled_at = LONG_AGO
        self._last_failure = ""
        self._following = Repeating(self.poll, name="serving-model")

    @property
    def current(self) -> Served | None:
        """The model that answers now, None before the first promotion."""
        return self._current

    @property
    def failure(self) -> str:
        """Why the last look for a model failed, empty when it did not."""
        return self._last_failure

    @property
    def looked_at(self) -> float:
        """Epoch seconds of the last look for new papers: those that were there then are ranked, if any model ranks."""
        return self._looked_at

    def is_outdated(self, built_at: datetime) -> bool:
        """True for a list built before papers came that this model ranks, once these have been there for a while."""
        return built_at < self._settled_at

    def poll(self) -> Served | None:
        """Look for a newly promoted version and for new papers, and return what answers now; never raises."""
        with self._polling:
            try:
                self._follow_version()
                self._follow_papers()
                self._settle_news()
                self._last_failure = ""
            except Exception as error:  # noqa: BLE001 - a thread's outermost call: the last good model keeps answering
                self._report(error)
            return self._current

    def start(self, seconds: float = POLL_SECONDS) -> None:
        """Poll in a background thread from now on."""
        self._following.start(seconds)

    def stop(self) -> None:
        """End the background thread."""
        self._following.stop()

    def _follow_version(self) -> None:
        with self._db.read() as session:
            row = read_serving(session)
            if row is None or (self._current is not None and self._current.version == row.version):
                return
            encoder = read_encoder(session, row.version)
        started = time.monotonic()
        model = Hybrid.load(self._models_dir / row.version, mmap=True)
        _warm_up(model)
        self._newest_paper_id = int(model.papers.in_row_order.max()) if len(model.papers) else 0
        self._rests_until = self._late_at = 0.0
        self._fitted, self._encoder, self._bare = model, encoder, []
        self._current = Served(row.version, model)
        model.encode([""])  # the first reader with words of their own would wait for scikit-learn to be imported
        seconds = round(time.monotonic() - started, 3)
        log.info("model loaded", extra={"version": row.version, "papers": len(model.papers), "seconds": seconds})

    def _follow_papers(self) -> None:
        served, fitted = self._current, self._fitted
        if served is None or fitted is None or time.monotonic() < self._rests_until:
            return
        looked_at = time.time()
        with self._db.read() as session:
            newest = newest_paper_id(session)
            is_late = self._are_vectors_late(session, fitted)
            if newest <= self._newest_paper_id and not is_late:
                self._looked_at = looked_at
                return
            started = time.monotonic()
            if is_late:  # the papers that came after the fit once more, now with their vectors
                after = min(served.model.papers.in_row_order[len(fitted.papers) :].tolist()) - 1
                step = self._extended(session, fitted, after=after, bare=[])
                while not step.is_last:
                    step = self._extended(session, step.model, after=step.newest, bare=step.bare)
            else:
                after = max(self._newest_paper_id - OVERLAP, 0)
                step = self._extended(session, served.model, after=after, bare=self._bare)
            newest = max(newest, step.newest) if step.is_last else step.newest  # the newest of all may not be listed
            arrived_at = read_created_at(session, newest)
        if newest > self._newest_paper_id and arrived_at is not None and self._news_settle_at is None:
            self._news_settle_at = arrived_at + NEWS_SETTLES
        more = len(step.model.papers) - len(served.model.papers)
        if step.model is not served.model:
            self._current = replace(served, model=step.model)
        self._bare = step.bare
        self._newest_paper_id = max(newest, self._newest_paper_id)
        if step.is_last:
            self._looked_at = looked_at
        seconds = time.monotonic() - started
        self._rests_until = time.monotonic() + (REST_PER_EXTENSION if step.is_last else REST_PER_STEP) * seconds
        extra = {"version": served.version, "papers": more, "without_vector": len(step.bare)}
        log.info("model extended", extra=extra | {"seconds": round(seconds, 3)})

    def _extended(self, session: Session, known: Hybrid, *, after: int, bare: list[int]) -> "_Step":
        """A model with the next papers above an id, as many as go into memory at a time."""
        dim = known.sentence_dim
        texts = load_texts_with_vectors(session, self._encoder, after_paper_id=after, dim=dim, most=MOST_PAPERS)
        fresh = np.flatnonzero(known.papers.rows(texts.paper_ids) == UNKNOWN_ROW)
        bare = bare + self._without_vector(session, dim, texts.paper_ids[fresh].tolist())
        model = known.extend(texts.select(fresh)) if len(fresh) else known
        newest = int(texts.paper_ids[-1]) if len(texts) else after
        return _Step(model, bare, newest, is_last=len(texts) < MOST_PAPERS)

    def _settle_news(self) -> None:
        """Let lists count as outdated by the papers of a while ago; papers that came since then have their own time."""
        if self._news_settle_at is not None and self._news_settle_at <= datetime.now(UTC):
            self._settled_at, self._news_settle_at = self._news_settle_at, None

    def _are_vectors_late(self, session: Session, fitted: Hybrid) -> bool:
        """True when at least half of the vectors that were missing are there: few extensions, however they come."""
        if not self._bare or time.monotonic() < self._late_at:
            return False
        self._late_at = time.monotonic() + LATE_SECONDS
        return 2 * len(self._without_vector(session, fitted.sentence_dim, self._bare)) <= len(self._bare)

    def _without_vector(self, session: Session, dim: int, paper_ids: list[int]) -> list[int]:
        if not self._encoder or not dim:
            return []
        found = paper_ids_with_vector(session, self._encoder, among=paper_ids, dim=dim)
        return [paper_id for paper_id in paper_ids if paper_id not in found]

    def _report(self, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"
        if failure != self._last_failure:
            meanwhile = "trending and latest papers" if self._current is None else "the last good one keeps answering"
            log.warning("the promoted model cannot be used", extra={"meanwhile": meanwhile, "error": failure})
        self._last_failure = failure


def _warm_up(model: Hybrid) -> None:
    """Do once what costs most the first time (imports, first touch of mapped arrays), before a reader waits for it."""
    model.encode(["papers"])
    if len(model.papers):
        papers = model.papers.in_row_order[:1].astype(np.int64)
        profile = Profile(papers, np.ones(1, dtype=np.float32), papers[:0])
        model.recommend([profile], k=1)
        model.explain(profile, papers)
