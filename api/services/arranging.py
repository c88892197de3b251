"""The ranking policy in readers' lists: what the settings say, applied to what the model ranked."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from api.settings import Settings
from recommender.dataset import Profile
from recommender.domain import Floats, Ids, RankedList
from recommender.hybrid import Hybrid
from recommender.rerank import Policy, Traits, apply_policy, category_matrix, category_shares
from recommender.rerank_exploration import PAPERS_PER_SLOT, slot_places
from recommender.sparse import rows_of

DEPTH: Final = 2  # papers ranked per place of a list, for the policy to choose from
Categories = Mapping[int, Sequence[str]]


def policy_of(settings: Settings) -> Policy:
    """Return the policy that the settings describe."""
    return Policy(
        freshness=settings.freshness,
        freshness_half_life_days=settings.freshness_half_life_days,
        popularity_discount=settings.popularity_discount,
        diversity=settings.diversity,
        category_calibration=settings.category_calibration,
        exploration_share=settings.exploration_share,
    )


def depth_of(policy: Policy, *, size: int) -> int:
    """Return how many papers must be ranked for a list of this size."""
    return size if replace(policy, exploration_share=0.0).is_neutral else size * DEPTH


def pool_size(policy: Policy, *, size: int) -> int:
    """Return how many new papers exploration draws from: the reader's most fitting, a few for each slot."""
    return len(slot_places(policy.exploration_share, k=size)) * PAPERS_PER_SLOT


def seed_of(user_id: int, *, seq: int, version: str) -> tuple[int, int, int]:
    """Return the seed of a list's draws: the same list is drawn again for the same reader, change and model."""
    return user_id, seq, zlib.crc32(version.encode())


def arrange(
    model: Hybrid,
    ranked: RankedList,
    policy: Policy,
    *,
    k: int,
    now: datetime,
    hidden: Ids,
    profile: Profile,
    categories: Categories,
) -> RankedList:
    """Return the k papers that the policy picks, before any exploration.

    `categories` are needed for calibration alone: those of the list's papers and of the reader's.
    """
    rows = model.papers.rows(ranked.paper_ids)
    traits = Traits(
        model.published_at[rows],
        model.popularity[rows],
        model.text_vectors(rows) if policy.diversity else None,
    )
    shares: Floats | None = None
    if policy.category_calibration:
        papers = [*ranked.paper_ids.tolist(), *profile.paper_ids.tolist()]
        matrix = category_matrix([categories.get(paper_id, ()) for paper_id in papers])
        traits = replace(traits, categories=rows_of(matrix, slice(0, len(ranked))))
        shares = category_shares(rows_of(matrix, slice(len(ranked), None)), np.asarray(profile.weights, np.float32))
    lasting = replace(policy, exploration_share=0.0)
    at = now.timestamp()
    return apply_policy(ranked, lasting, k=k, traits=traits, now=at, hidden=hidden, shares=shares).ranked


def followed_by_rest(picked: RankedList, ranked: RankedList) -> RankedList:
    """Return the picked papers and, after them, those of the list that were not picked."""
    left = ~np.isin(ranked.paper_ids, picked.paper_ids)
    return RankedList(
        np.concatenate([picked.paper_ids, ranked.paper_ids[left]]),
        np.concatenate([picked.scores, ranked.scores[left]]),
    )
