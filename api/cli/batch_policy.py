"""The ranking policy of the settings on lists made from files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from api.services.arranging import depth_of, likeness_of, policy_of, pool_size
from api.services.trending import FRESH_DAYS
from api.settings import read_settings
from api.sources.tables import read_categories
from recommender.dataset import Dataset
from recommender.domain import Csr, Floats, Ids, RankedList, Rows
from recommender.hybrid import Hybrid
from recommender.rerank import Policy, Traits, apply_policy, category_matrix, category_shares
from recommender.sparse import rows_of

SECONDS_PER_DAY: Final = 86_400.0
NOTHING: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before a model is fitted."""

    policy: Policy
    categories: list[tuple[str, ...]]  # by the code of each paper, empty where the policy does not ask


def read_plan(papers: Path, names: Sequence[str]) -> Plan:
    """The policy of the settings, with the categories of the papers where it asks for them; raises TableError."""
    policy = policy_of(read_settings())
    return Plan(policy, read_categories(papers, names) if policy.category_calibration else [])


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What re-ranking needs beside the lists. Papers without a date or a category are ranked without."""

    policy: Policy
    model: Hybrid
    now: float
    seed: int
    categories: Csr | None  # (papers, categories), rows of the model
    news: Ids  # what exploration draws from: papers of the last days that no interaction names

    @classmethod
    def of(
        cls,
        plan: Plan,
        model: Hybrid,
        dataset: Dataset,
        *,
        now: float,
        seed: int,
        candidates: Ids | None,
    ) -> Self:
        """The plan carried out on a dataset, whose paper ids are codes."""
        matrix = None
        if plan.policy.category_calibration:
            matrix = category_matrix([plan.categories[code] for code in dataset.papers.in_row_order.tolist()])
        return cls(plan.policy, model, now, seed, matrix, _news(dataset, now=now, candidates=candidates))

    def depth(self, k: int) -> int:
        """How many papers to rank for lists of k."""
        return depth_of(self.policy, size=k)

    def arrange(
        self, lists: Sequence[RankedList], liked: Csr, disliked: Csr, *, k: int, first: int
    ) -> list[RankedList]:
        """The lists of a chunk of readers, re-ranked; `first` numbers its first reader."""
        pools: list[Ids] = [NOTHING for _ in lists]
        wanted = pool_size(self.policy, size=k)
        if wanted and len(self.news):
            blocks = self.model.recommend_users(liked, k=wanted, exclude=disliked, candidates=self.news)
            pools = [ranked.paper_ids for block in blocks for ranked in block]
        return [
            apply_policy(
                ranked,
                self.policy,
                k=k,
                traits=self._traits(ranked, disliked.indices[disliked.indptr[at] : disliked.indptr[at + 1]]),
                now=self.now,
                shares=self._shares(liked, at),
                pool=pool,
                seed=(abs(self.seed), first + at),
            ).ranked
            for at, (ranked, pool) in enumerate(zip(lists, pools, strict=True))
        ]

    def _traits(self, ranked: RankedList, dismissed: Rows) -> Traits:
        rows = self.model.papers.rows(ranked.paper_ids)
        return Traits(
            self.model.published_at[rows],
            self.model.popularity[rows],
            self.model.text_vectors(rows) if self.policy.diversity else None,
            None if self.categories is None else rows_of(self.categories, rows),
            likeness_of(self.model, rows, dismissed=dismissed) if self.policy.dismiss_reach else None,
        )

    def _shares(self, liked: Csr, reader: int) -> Floats | None:
        if self.categories is None:
            return None
        own = slice(liked.indptr[reader], liked.indptr[reader + 1])
        return category_shares(rows_of(self.categories, liked.indices[own]), liked.data[own])


def _news(dataset: Dataset, *, now: float, candidates: Ids | None) -> Ids:
    age_days = (now - dataset.texts.published_at) / SECONDS_PER_DAY
    named = np.concatenate([dataset.user_items.indices, dataset.dislikes.indices])
    is_untouched = np.bincount(named, minlength=len(age_days)) == 0
    news = dataset.papers.ids(np.flatnonzero(is_untouched & (age_days >= 0) & (age_days <= FRESH_DAYS)))
    return news if candidates is None else news[np.isin(news, candidates)]
