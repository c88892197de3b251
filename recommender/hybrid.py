"""The ranker: collaborative factors and words, blended per reader, as one frozen value."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Self

import numpy as np

from recommender import crowd, factor_shortlist, hybrid_artifact, hybrid_fit, hybrid_text, tuning
from recommender.als import AlsFactors
from recommender.blend import Terms, blended_scores, found_scores, is_unknown
from recommender.calibration import Calibration
from recommender.config import HybridConfig
from recommender.content import ContentMap, vectors_of
from recommender.dataset import Dataset, Profile
from recommender.domain import Ask, Csr, Explanation, Floats, Ids, PaperTexts, RankedList, Rows, Times
from recommender.explanation import explain_profile
from recommender.grown import Grown
from recommender.hybrid_fit import Corpus
from recommender.hybrid_profiles import liked_papers, own_papers
from recommender.items import ItemWeights
from recommender.neighbours import Neighbours
from recommender.scoring import EXCLUDED, block_size, exclude_rows, top_lists
from recommender.shortlist import shortlisted, summarise
from recommender.sparse import as_csr, rows_of
from recommender.summary import Summary
from recommender.text import TfidfEncoder
from recommender.text_outline import Outline
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
    neighbours: Neighbours | None
    encoder: TfidfEncoder | None
    content: ContentMap | None
    features: Grown[Csr]  # (papers, terms) TF-IDF
    coords: Grown[Floats]  # (papers, dim) of the kernel's low-rank part, see content.py
    text_factors: Grown[Floats]  # (papers, rank) ALS factors predicted from words
    shortlist: Summary | None  # None with few papers, see shortlist.py
    outline: Outline | None  # the same for searches, see text_search.py
    popularity: Floats  # (papers,) readers
    published_at: Times  # (papers,)
    weight_unit: float  # the confidence that counts as one save
    calibration: Calibration | None  # None with too few readers
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
        report = progress or _silent
        report("text", 0.0)
        corpus = hybrid_fit.fit_corpus(dataset, config, seed=seed)
        model = cls._fit(dataset, corpus, config, seed=seed, report=lambda stage, done: report(stage, 0.2 + 0.5 * done))
        if model.content is not None and tuning.is_worth_it(dataset.user_items, config):
            model = model._tuned(dataset, corpus, seed=seed, report=lambda stage, done: report(stage, 0.7 + 0.3 * done))
        report("done", 1.0)
        return model._with_shortlist()

    def recommend(
        self,
        profiles: Sequence[Profile],
        *,
        k: int,
        exclude: Sequence[Ids] | None = None,
        candidates: Ids | None = None,
    ) -> list[RankedList]:
        """One list per reader, without their own, disliked and excluded papers; [] for an empty profile."""
        [lists] = self.recommend_several(profiles, [Ask(k, candidates)], exclude=exclude)
        return lists

    def recommend_several(
        self, profiles: Sequence[Profile], asks: Sequence[Ask], *, exclude: Sequence[Ids] | None = None
    ) -> list[list[RankedList]]:
        """For each ask what `recommend` gives, all of them out of one scoring of the papers."""
        if exclude is not None and len(exclude) != len(profiles):
            raise ValueError("exclude needs one array per profile")
        size = block_size(len(self.papers))
        lists: list[list[RankedList]] = [[] for _ in asks]
        ranked = self._lists if self.shortlist is None else self._shortlisted
        for start in range(0, len(profiles), size):
            block = profiles[start : start + size]
            left_out = own_papers(self.papers, block, None if exclude is None else exclude[start : start + size])
            terms = [profile.terms for profile in block]
            found = ranked(liked_papers(self.papers, block), terms, left_out=left_out, asks=asks)
            for answers, more in zip(lists, found, strict=True):
                answers.extend(more)
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
        # Blocks side by side, one thread each: most of the work is no matrix product, which BLAS could share out.
        threads = self.config.num_threads or cpu_count() or 1
        items = None if self.items is None else self.items.for_many(matrix, budget_mb=self.config.memory_budget_mb)
        alone = replace(self, config=replace(self.config, num_threads=1), items=items)
        size = max(block_size(len(self.papers)) // threads, 1)

        def ranked(start: int) -> list[RankedList]:
            block = slice(start, start + size)
            liked = rows_of(matrix, block)
            left_out = liked if exclude is None else as_csr(liked + rows_of(exclude, block))
            if candidates is None and crowd.applies(alone, left_out, k=k):
                return crowd.crowd_lists(alone, liked, left_out=left_out, k=k)
            return alone._lists(liked, None, left_out=left_out, asks=[Ask(k, candidates)])[0]

        for start in range(0, matrix.shape[0], size * threads):
            starts = range(start, min(start + size * threads, matrix.shape[0]), size)
            with blas_threads(1), ThreadPoolExecutor(threads) as pool:
                blocks = list(pool.map(ranked, starts))
            yield from blocks

    def similar(self, paper_ids: Ids, *, k: int) -> list[RankedList]:
        """The papers most like each given one, by words and by factors; [] for an unknown paper."""
        return hybrid_text.similar(self, paper_ids, k=k)

    def explain(self, profile: Profile, paper_ids: Ids) -> Explanation:
        """For each paper the history paper and the term of the reader that speak most for it, if any clearly does."""
        return explain_profile(
            profile,
            paper_ids,
            papers=self.papers,
            evidence=partial(hybrid_text.evidence, self),
            text_vectors=self.text_vectors,
            encode=self.encode,
        )

    def explain_said(self, terms: Sequence[str], paper_ids: Ids) -> tuple[Rows, Floats]:
        """(papers,) of the terms all of whose words a paper has the most like it, -1 without any, and how like it."""
        return hybrid_text.said_terms(self, terms, paper_ids)

    def extend(self, texts: PaperTexts) -> Self:
        """A model that also ranks these papers, by their words; known ids are left as they are.

        Vectors have the dimension of the fit or are left out, else ValueError.
        """
        first = np.sort(np.unique(texts.paper_ids, return_index=True)[1])
        fresh = texts.select(first[self.papers.rows(texts.paper_ids[first]) == UNKNOWN_ROW])
        if len(fresh) == 0:
            return self
        features, coords = hybrid_text.paper_parts(self, fresh)
        none = np.zeros((len(fresh), self.text_factors.shape[1]), np.float32)
        factors = none if self.content is None else self.content.factors(features, coords)
        wider = self.shortlist
        if wider is not None and self.content is not None:
            wider = wider.extended(coords, factors)
        outline = self.outline
        if outline is not None and self.encoder is not None:
            outline = outline.extended(self.encoder, coords)
        extended = replace(
            self,
            papers=self.papers.extend(fresh.paper_ids),
            features=self.features.extended(features),
            coords=self.coords.extended(coords),
            text_factors=self.text_factors.extended(factors),
            shortlist=wider,
            outline=outline,
            popularity=np.concatenate([self.popularity, np.zeros(len(fresh), np.float32)]),
            published_at=np.concatenate([self.published_at, fresh.published_at]),
        )
        return extended._with_shortlist()

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, dim) float32 text vectors of length 1, zeros where no word is known."""
        if self.encoder is None:
            return np.zeros((len(texts), 0), dtype=np.float32)
        return self.encoder.encode(texts)

    def text_vectors(self, rows: Rows) -> Floats:
        """(rows, dim) float32 text vectors of length 1 of papers in the model."""
        return vectors_of(self.encoder, self.coords, rows)

    @property
    def sentence_dim(self) -> int:
        """Length of the sentence vectors of the fit, 0 without."""
        return int(self.coords.shape[1]) - hybrid_text.width_of_words(self)

    def text_parts(self, texts: Sequence[str]) -> tuple[Csr, Floats]:
        """(texts, terms) features and (texts, dim) coordinates of texts outside the model, by their words alone."""
        return hybrid_text.text_parts(self, texts)

    def save(self, directory: Path) -> None:
        """Write the model as .npy files and a manifest; the caller renames the directory into place."""
        hybrid_artifact.save(self, directory)

    @classmethod
    def load(cls, directory: Path, *, mmap: bool = True, verify: bool = False) -> Self:
        """The model of `save`; raises ArtifactError naming a missing or damaged file.

        Presence, size, type and shape of every file are always checked, its sha256 when `verify` is set:
        hashing reads everything, which is what mapping a file avoids.
        """
        return cls(**hybrid_artifact.load_parts(directory, mmap=mmap, verify=verify))

    @classmethod
    def _fit(
        cls, dataset: Dataset, corpus: Corpus, config: HybridConfig, *, seed: int, report: hybrid_fit.Report
    ) -> Self:
        return cls(**hybrid_fit.fit_parts(dataset, corpus, config, seed=seed, report=report))

    def _tuned(self, dataset: Dataset, corpus: Corpus, *, seed: int, report: hybrid_fit.Report) -> Self:
        """The same model with the calibration learned on a split of the papers with history."""
        inside = dataset.select(self.warm_rows)
        new_share = 1 - len(self.warm_rows) / len(self.papers)
        hidden = tuning.hide(inside.user_items, new_share=new_share, seed=seed)
        inner = self._fit(
            replace(inside, user_items=hidden.left),
            corpus.select(self.warm_rows),
            hybrid_fit.inner_config(self.config),
            seed=seed,
            report=report,
        )

        def score(liked: Csr) -> tuning.Found:
            return found_scores(inner, as_csr(liked / np.float32(inner.weight_unit)), None)

        with blas_threads(self.config.num_threads):
            learned = tuning.learn(
                hidden,
                score,
                warm_rows=inner.warm_rows,
                popularity=inner.popularity,
                readers=self.config.tuning_readers,
                arrival=tuning.arrival(dataset),
            )
        return self if learned is None else replace(self, calibration=learned)

    def _shortlisted(
        self, liked: Csr, terms: Terms | None, *, left_out: Csr, asks: Sequence[Ask]
    ) -> list[list[RankedList]]:
        if self.content is not None:
            return shortlisted(self, liked, terms, left_out=left_out, asks=asks)
        found = []
        for ask in asks:
            is_whole = ask.candidates is None
            lists = factor_shortlist.shortlisted(self, liked, left_out=left_out, k=ask.k) if is_whole else None
            found.append(self._lists(liked, terms, left_out=left_out, asks=[ask])[0] if lists is None else lists)
        return found

    def _with_shortlist(self) -> Self:
        """The same model with summaries of its papers where there are many."""
        if self.outline is None and self.encoder is not None and len(self.papers) >= self.config.outline_papers:
            return replace(self, outline=Outline.fit(self.encoder, self.coords))._with_shortlist()
        if self.shortlist is None and factor_shortlist.is_worth_it(self):
            return replace(self, shortlist=factor_shortlist.summarise(self))
        if self.shortlist is not None or self.content is None or len(self.papers) < self.config.shortlist_papers:
            return self
        return replace(self, shortlist=summarise(self, self.content))

    def _lists(self, liked: Csr, terms: Terms | None, *, left_out: Csr, asks: Sequence[Ask]) -> list[list[RankedList]]:
        scores = blended_scores(self, liked, terms)
        scores[is_unknown(liked, terms)] = EXCLUDED
        exclude_rows(scores, left_out)
        return [self._best(scores, ask) for ask in asks]

    def _best(self, scores: Floats, ask: Ask) -> list[RankedList]:
        if ask.candidates is None:
            return top_lists(scores, self.papers, k=ask.k)
        rows = self.papers.rows(ask.candidates)
        rows = np.unique(rows[rows != UNKNOWN_ROW])
        among = Vocabulary.from_rows(self.papers.ids(rows))
        return top_lists(scores[:, rows], among, k=ask.k)


def _silent(_stage: str, _done: float) -> None:
    return None
