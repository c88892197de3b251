"""Papers like a paper, for pages: found once, kept for a while, and never while many others wait for theirs."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from api.runtime.serving import Served, ServingModel
from recommender.dataset import Profile

MOST_SIMILAR: Final = 12  # a page shows fewer: some may have gone since
MOST_KEPT: Final = 8_192  # papers of a process; about 600 bytes each
KEEP_SECONDS: Final = 3_600.0  # papers that came since then may be nearer
PATIENCE_SECONDS: Final = 0.3  # one look takes 0.05 to 0.1 s of a core at 200,000 papers; one goes on at a time


@dataclass(frozen=True, slots=True)
class _Found:
    version: str
    paper_ids: tuple[int, ...]
    until: float


class SimilarPapers:
    """Answers from memory where it can; the model's list of a reader who has liked this one paper, which is bounded.

    Comparing a paper with all others exactly, as `GET /v1/papers/{id}/similar` does, takes 2 s at 200,000 papers.
    """

    def __init__(self, serving: ServingModel, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._serving = serving
        self._clock = clock
        self._looking = threading.Lock()
        self._kept: OrderedDict[int, _Found] = OrderedDict()

    def find(self, paper_id: int) -> tuple[int, ...] | None:
        """Return papers like this one, nearest first; none without a model; None when others are being looked for."""
        served = self._serving.current
        if served is None:
            return ()
        kept = self._read(paper_id, served)
        if kept is not None:
            return kept
        if not self._looking.acquire(timeout=PATIENCE_SECONDS):
            return None
        try:
            kept = self._read(paper_id, served)  # somebody may have looked meanwhile
            return self._look(paper_id, served) if kept is None else kept
        finally:
            self._looking.release()

    def _read(self, paper_id: int, served: Served) -> tuple[int, ...] | None:
        found = self._kept.get(paper_id)
        is_good = found is not None and found.version == served.version and self._clock() < found.until
        return found.paper_ids if found is not None and is_good else None

    def _look(self, paper_id: int, served: Served) -> tuple[int, ...]:
        liked = np.array([paper_id], dtype=np.int64)
        profile = Profile(liked, np.ones(1, dtype=np.float32), liked[:0])
        [ranked] = served.model.recommend([profile], k=MOST_SIMILAR)
        found = tuple(ranked.paper_ids.tolist())
        self._kept.pop(paper_id, None)
        if not found:  # a paper that the model does not know yet: it will within seconds
            return found
        self._kept[paper_id] = _Found(served.version, found, self._clock() + KEEP_SECONDS)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found
