"""The ranker: collaborative factors and words, blended per reader, as one frozen value."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from recommender import hybrid_artifact, hybrid_fit
from recommender.als import AlsFactors
from recommender.blend import Terms, blended_scores
from recommender.config import HybridConfig
from recommender.content import ContentMap
from recommender.dataset import Dataset, Profile
from recommender.domain import Csr, Explanation, Floats, Ids, PaperTexts, RankedList, Rows, Times
from recommender.explanation import explain_profile
from recommender.items import ItemWeights
from recommender.scoring import EXCLUDED, block_size, exclude_rows, top_lists
from recommender.sparse import as_csr, empty_csr, from_lists, row_sizes, rows_of, stacked
from recommender.text import TfidfEncoder, normalise
from recommender.threads import blas_threads
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

__all__ = ["Hybrid", "HybridConfig"]


@dataclass(frozen=True, slots=True)
class Hybrid:
    """A fitted model. Rows of the paper arrays follow `papers`; `warm_rows` are those with history."""

    config: HybridConfig
    papers: Vocabulary
    warm_rows: Rows  # (warm,) ascending
    factors: AlsFactors  # item_factors (warm, rank)
    items: ItemWeights | None
    encoder: TfidfEncoder | None
    content: ContentMap | None
    features: Csr  # (papers, terms) TF-IDF
    vectors: Floats  # (papers, dim) text vectors of length 1, or 0 without words
    reach: Floats  # (papers, dim) kernel products with the leading directions, see content.py
    text_factors: Floats  # (papers, rank) ALS factors predicted from words
    popularity: Floats  # (papers,) readers
    published_at: Times  # (papers,)
    weight_unit: float  # the confidence that counts as one save
    fingerprint: str
    notes: tuple[str, ...]  # where the data were too few and what was done instead

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        config: HybridConfig,
        *,
        seed: int,
        progress: Callable[[str, float], None] | None = None,
    ) -> Self:
        """The model of a dataset; the same seed gives the same bits on the same machine."""
        return cls(**hybrid_fit.fit_parts(dataset, config, seed=seed, progress=progress or _silent))

    def recommend(
        self,
        profiles: Sequence[Profile],
        *,
        k: int,
        exclude: Sequence[Ids] | None = None,
        candidates: Ids | None = None,
    ) -> list[RankedList]:
        """One list per reader, without their own, disliked and excluded papers; [] for an empty profile."""
        if exclude is not None and len(exclude) != len(profiles):
            raise ValueError("exclude needs one array per profile")
        size = block_size(len(self.papers))
        lists: list[RankedList] = []
        for start in range(0, len(profiles), size):
            block = profiles[start : start + size]
            left_out = [(profile.paper_ids, profile.disliked_paper_ids) for profile in block]
            if exclude is not None:
                more = exclude[start : start + size]
                left_out = [(*two, extra) for two, extra in zip(left_out, more, strict=True)]  # type: ignore[misc]
            lists += self._lists(
                self._liked(block),
                [profile.terms for profile in block],
                left_out=self._rows_named(left_out),
                k=k,
                candidates=candidates,
            )
        return lists

    def recommend_users(
        self, user_items: Csr, *, k: int, exclude: Csr | None = None, candidates: Ids | None = None
    ) -> Iterator[list[RankedList]]:
        """Lists of many readers in blocks of bounded memory; a reader without history gets [].

        Both matrices are (readers, papers), columns as in `papers`; a reader's own papers are always left out.
        """
        matrix = as_csr(user_items)
        if matrix.shape[1] != len(self.papers):
            raise ValueError(f"user_items has {matrix.shape[1]} columns, the model {len(self.papers)} papers")
        size = block_size(len(self.papers))
        for start in range(0, matrix.shape[0], size):
            block = slice(start, start + size)
            liked = rows_of(matrix, block)
            left_out = liked if exclude is None else as_csr(liked + rows_of(exclude, block))
            with blas_threads(self.config.num_threads):
                lists = self._lists(liked, None, left_out=left_out, k=k, candidates=candidates)
            yield lists

    def similar(self, paper_ids: Ids, *, k: int) -> list[RankedList]:
        """The papers most like each given one, by words and by factors; [] for an unknown paper."""
        rows = self.papers.rows(paper_ids)
        known = rows != UNKNOWN_ROW
        scores = np.full((len(rows), len(self.papers)), EXCLUDED, dtype=np.float32)
        if known.any():
            asked = self._evidence(rows[known])
            scores[known] = asked @ self._evidence(np.arange(len(self.papers), dtype=np.int32)).T
            scores[np.flatnonzero(known), rows[known]] = EXCLUDED
        return top_lists(scores, self.papers, k=k)

    def explain(self, profile: Profile, paper_ids: Ids) -> Explanation:
        """For each paper the history paper and the term of the reader that speak most for it."""
        return explain_profile(
            profile,
            paper_ids,
            papers=self.papers,
            evidence=self._evidence,
            text_vectors=self.text_vectors,
            encode=self.encode,
        )

    def extend(self, texts: PaperTexts) -> Self:
        """A model that also ranks these papers, by their words; known ids are left as they are."""
        first = np.sort(np.unique(texts.paper_ids, return_index=True)[1])
        fresh = texts.select(first[self.papers.rows(texts.paper_ids[first]) == UNKNOWN_ROW])
        if len(fresh) == 0:
            return self
        features, vectors = self._text_parts(fresh)
        content = self.content
        none = np.zeros((len(fresh), self.text_factors.shape[1]), np.float32)
        factors = none if content is None else content.factors(features, vectors)
        reach = np.zeros_like(vectors) if content is None else content.reach(features, vectors)
        return replace(
            self,
            papers=self.papers.extend(fresh.paper_ids),
            features=stacked(self.features, features),
            vectors=np.concatenate([self.vectors, vectors]),
            reach=np.concatenate([self.reach, reach]),
            text_factors=np.concatenate([self.text_factors, factors]),
            popularity=np.concatenate([self.popularity, np.zeros(len(fresh), np.float32)]),
            published_at=np.concatenate([self.published_at, fresh.published_at]),
        )

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, dim) float32 text vectors of length 1, zeros where no word is known."""
        if self.encoder is None:
            return np.zeros((len(texts), self.vectors.shape[1]), dtype=np.float32)
        return self.encoder.encode(texts)

    def text_vectors(self, rows: Rows) -> Floats:
        """(rows, dim) float32 text vectors of length 1 of papers in the model."""
        return np.asarray(self.vectors[rows], dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Write the model as .npy files and a manifest; the caller renames the directory into place."""
        hybrid_artifact.save(self, directory)

    @classmethod
    def load(cls, directory: Path, *, mmap: bool = True) -> Self:
        """The model of `save`; raises ArtifactError naming a missing or damaged file."""
        return cls(**hybrid_artifact.load_parts(directory, mmap=mmap))

    def _lists(
        self, liked: Csr, terms: Terms | None, *, left_out: Csr, k: int, candidates: Ids | None
    ) -> list[RankedList]:
        scores = blended_scores(self, liked, terms)
        has_terms = [any(t.strip() for t in of_reader) for of_reader in terms or [()] * liked.shape[0]]
        scores[(row_sizes(liked) == 0) & ~np.array(has_terms, dtype=bool)] = EXCLUDED
        exclude_rows(scores, left_out)
        if candidates is None:
            return top_lists(scores, self.papers, k=k)
        rows = self.papers.rows(candidates)
        rows = np.unique(rows[rows != UNKNOWN_ROW])
        among = Vocabulary.from_rows(self.papers.ids(rows))
        return top_lists(scores[:, rows], among, k=k)

    def _evidence(self, rows: Rows) -> Floats:
        """(rows, rank + dim) vectors of length 1 or less whose products say how alike papers are."""
        factors = self.text_factors[rows]
        if len(self.warm_rows):
            at = np.minimum(np.searchsorted(self.warm_rows, rows), len(self.warm_rows) - 1)
            is_warm = self.warm_rows[at] == rows
            factors[is_warm] = self.factors.item_factors[at[is_warm]]
        halves = [normalise(factors), self.text_vectors(rows)]
        return np.concatenate(halves, axis=1) * np.float32(np.sqrt(0.5))

    def _text_parts(self, texts: PaperTexts) -> tuple[Csr, Floats]:
        """Features and text vectors of papers outside the model."""
        if self.encoder is None:
            return empty_csr(len(texts), self.features.shape[1]), self.encode([""] * len(texts))
        features = self.encoder.features(texts.joined())
        return features, normalise(self.encoder.project(features))

    def _liked(self, profiles: Sequence[Profile]) -> Csr:
        rows = [self.papers.rows(profile.paper_ids) for profile in profiles]
        known = [of_reader != UNKNOWN_ROW for of_reader in rows]
        columns = [of_reader[mask] for of_reader, mask in zip(rows, known, strict=True)]
        weights = [np.asarray(profile.weights, np.float32)[mask] for profile, mask in zip(profiles, known, strict=True)]
        return from_lists(columns, weights, len(self.papers))

    def _rows_named(self, ids: Sequence[Sequence[Ids]]) -> Csr:
        """(readers, papers) with an entry wherever any of a reader's arrays names a paper."""
        rows = [np.unique(np.concatenate([self.papers.rows(part) for part in parts])) for parts in ids]
        return from_lists([row[row != UNKNOWN_ROW] for row in rows], None, len(self.papers))


def _silent(_stage: str, _done: float) -> None:
    return None
