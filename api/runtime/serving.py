"""The model that answers in this process: the promoted version, kept up with papers newer than it."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from api.store.engine import Database
from api.store.papers import load_texts, newest_paper_id
from api.store.registry import read_serving
from recommender.dataset import Profile
from recommender.hybrid import Hybrid
from recommender.vocabulary import UNKNOWN_ROW

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
# Writers commit out of the order of their ids: papers this far below the newest known one are looked at again.
OVERLAP: Final = 200
# During a long ingest the model is extended for at most a tenth of the time.
REST_PER_EXTENSION: Final = 9.0


@dataclass(frozen=True, slots=True)
class Served:
    """A model version in memory."""

    version: str
    model: Hybrid


class ServingModel:
    """Follows the serving row; a failed look keeps the last good model."""

    def __init__(self, db: Database, models_dir: Path) -> None:
        self._db = db
        self._models_dir = models_dir
        self._polling = threading.Lock()
        self._current: Served | None = None
        self._newest_paper_id = 0
        self._rests_until = 0.0
        self._last_failure = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> Served | None:
        """The model that answers now, None before the first promotion."""
        return self._current

    @property
    def failure(self) -> str:
        """Why the last look for a model failed, empty when it did not."""
        return self._last_failure

    def poll(self) -> Served | None:
        """Look for a newly promoted version and for new papers, and return what answers now; never raises."""
        with self._polling:
            try:
                self._follow_version()
                self._follow_papers()
                self._last_failure = ""
            except Exception as error:  # noqa: BLE001 - a thread's outermost call: the last good model keeps answering
                self._report(error)
            return self._current

    def start(self, seconds: float = POLL_SECONDS) -> None:
        """Poll in a background thread from now on."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, args=(seconds,), name="serving-model", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the background thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, seconds: float) -> None:
        while not self._stopping.is_set():
            self.poll()
            self._stopping.wait(seconds)

    def _follow_version(self) -> None:
        with self._db.read() as session:
            row = read_serving(session)
        if row is None or (self._current is not None and self._current.version == row.version):
            return
        started = time.monotonic()
        model = Hybrid.load(self._models_dir / row.version, mmap=True)
        _warm_up(model)
        self._newest_paper_id = int(model.papers.in_row_order.max()) if len(model.papers) else 0
        self._rests_until = 0.0
        self._current = Served(row.version, model)
        model.encode([""])  # the first reader with words of their own would wait for scikit-learn to be imported
        seconds = round(time.monotonic() - started, 3)
        log.info("model loaded", extra={"version": row.version, "papers": len(model.papers), "seconds": seconds})

    def _follow_papers(self) -> None:
        served = self._current
        if served is None or time.monotonic() < self._rests_until:
            return
        with self._db.read() as session:
            newest = newest_paper_id(session) or 0
            if newest <= self._newest_paper_id:
                return
            texts = load_texts(session, after_paper_id=max(self._newest_paper_id - OVERLAP, 0))
        started = time.monotonic()
        fresh = np.flatnonzero(served.model.papers.rows(texts.paper_ids) == UNKNOWN_ROW)
        if len(fresh):
            self._current = replace(served, model=served.model.extend(texts.select(fresh)))
        self._newest_paper_id = max(newest, self._newest_paper_id)
        seconds = time.monotonic() - started
        self._rests_until = time.monotonic() + REST_PER_EXTENSION * seconds
        log.info(
            "model extended", extra={"version": served.version, "papers": len(fresh), "seconds": round(seconds, 3)}
        )

    def _report(self, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"
        if failure != self._last_failure:
            log.warning("model not followed, the last good one keeps answering", extra={"error": failure})
        self._last_failure = failure


def _warm_up(model: Hybrid) -> None:
    """Do once what costs most the first time (imports, first touch of mapped arrays), before a reader waits for it."""
    model.encode(["papers"])
    if len(model.papers):
        papers = model.papers.in_row_order[:1].astype(np.int64)
        profile = Profile(papers, np.ones(1, dtype=np.float32), papers[:0])
        model.recommend([profile], k=1)
        model.explain(profile, papers)
