"""What a ranker has to beat: popular, latest, words alone, ALS alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from recommender.config import HybridConfig
from recommender.dataset import Dataset, Profile
from recommender.domain import Csr, Floats, Ids, PaperTexts, RankedList
from recommender.hybrid import Hybrid
from recommender.scoring import EXCLUDED, block_size, exclude_rows, top_lists
from recommender.sparse import as_csr, empty_csr, from_lists, rows_of
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

Progress = Callable[[str, float], None]


class Recommender(Protocol):
    """What every ranker offers."""

    @property
    def papers(self) -> Vocabulary:
        """The papers that can be ranked."""
        ...

    def recommend(
        self,
        profiles: Sequence[Profile],
        *,
        k: int,
        exclude: Sequence[Ids] | None = None,
        candidates: Ids | None = None,
    ) -> list[RankedList]:
        """One list per reader."""
        ...

    def recommend_users(
        self, user_items: Csr, *, k: int, exclude: Csr | None = None, candidates: Ids | None = None
    ) -> Iterator[list[RankedList]]:
        """Lists of many readers, block by block."""
        ...


@dataclass(frozen=True, slots=True)
class FixedOrder:
    """The same scores for every reader, their own papers left out."""

    papers: Vocabulary
    scores: Floats  # (papers,)

    def recommend(
        self,
        profiles: Sequence[Profile],
        *,
        k: int,
        exclude: Sequence[Ids] | None = None,
        candidates: Ids | None = None,
    ) -> list[RankedList]:
        """One list per reader, an empty profile included: this ranking needs no history."""
        lists: list[RankedList] = []
        for at, profile in enumerate(profiles):
            more = [] if exclude is None else [exclude[at]]
            parts = [self.papers.rows(ids) for ids in (profile.paper_ids, profile.disliked_paper_ids, *more)]
            seen = np.unique(np.concatenate(parts))
            seen = seen[seen != UNKNOWN_ROW]
            row = from_lists([seen], None, len(self.papers))
            lists += self._block(row, k=k, candidates=candidates)
        return lists

    def recommend_users(
        self, user_items: Csr, *, k: int, exclude: Csr | None = None, candidates: Ids | None = None
    ) -> Iterator[list[RankedList]]:
        """Lists of many readers in blocks of bounded memory."""
        size = block_size(len(self.papers))
        matrix = as_csr(user_items)
        for start in range(0, matrix.shape[0], size):
            block = slice(start, start + size)
            seen = rows_of(matrix, block)
            if exclude is not None:
                seen = as_csr(seen + rows_of(exclude, block))
            yield self._block(seen, k=k, candidates=candidates)

    def _block(self, seen: Csr, *, k: int, candidates: Ids | None) -> list[RankedList]:
        scores = np.tile(self.scores, (seen.shape[0], 1))
        exclude_rows(scores, seen)
        if candidates is not None:
            outside = np.ones(len(self.papers), dtype=bool)
            rows = self.papers.rows(candidates)
            outside[rows[rows != UNKNOWN_ROW]] = False
            scores[:, outside] = EXCLUDED
        return top_lists(scores, self.papers, k=k)


class Popularity:
    """Papers by the number of readers who like them."""

    @classmethod
    def fit(cls, dataset: Dataset, *, progress: Progress | None = None) -> FixedOrder:
        """The fixed order of a dataset."""
        counts = np.bincount(dataset.user_items.indices, minlength=len(dataset.papers))
        if progress is not None:
            progress("done", 1.0)
        return FixedOrder(dataset.papers, counts.astype(np.float32))


class Latest:
    """Papers by publication time, unknown times last."""

    @classmethod
    def fit(cls, dataset: Dataset, *, progress: Progress | None = None) -> FixedOrder:
        """The fixed order of a dataset; scores are places from the end, as float32 cannot hold seconds."""
        times = np.where(np.isnan(dataset.texts.published_at), -np.inf, dataset.texts.published_at)
        _, places = np.unique(times, return_inverse=True)
        if progress is not None:
            progress("done", 1.0)
        return FixedOrder(dataset.papers, places.astype(np.float32))


class ContentOnly:
    """The hybrid without collaborative signal."""

    @classmethod
    def fit(cls, dataset: Dataset, config: HybridConfig, *, seed: int, progress: Progress | None = None) -> Hybrid:
        """A hybrid that knows papers by their words alone."""
        nobody = empty_csr(len(dataset.users), len(dataset.papers))
        silent = replace(dataset, user_items=nobody, times=dataset.times[:0])
        return Hybrid.fit(silent, config, seed=seed, progress=progress)


class AlsOnly:
    """The hybrid without words."""

    @classmethod
    def fit(cls, dataset: Dataset, config: HybridConfig, *, seed: int, progress: Progress | None = None) -> Hybrid:
        """A hybrid that knows papers by who liked them."""
        wordless = replace(dataset, texts=_wordless(dataset.texts))
        return Hybrid.fit(wordless, als_config(config), seed=seed, progress=progress)


def als_config(config: HybridConfig) -> HybridConfig:
    """The same tunables with nothing but ALS in the blend."""
    return replace(config, als_weight=1.0, item_weight=0.0, neighbour_weight=0.0, content_weight=0.0)


def _wordless(texts: PaperTexts) -> PaperTexts:
    return replace(PaperTexts.empty(texts.paper_ids), published_at=texts.published_at)
