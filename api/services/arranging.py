"""The ranking policy in readers' lists: what the settings say, applied to what the model ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from api.settings import Settings
from recommender.dataset import Profile
from recommender.domain import Floats, Ids, RankedList, Rows
from recommender.hybrid import Hybrid
from recommender.rerank import (
    Policy,
    Traits,
    apply_policy,
    category_matrix,
    category_shares,
    lower_alike,
    truncate,
)
from recommender.rerank_dismissed import likeness_to_dismissed
from recommender.rerank_exploration import PAPERS_PER_SLOT, slot_places
from recommender.slate_randomisation import Randomisation
from recommender.sparse import rows_of
from recommender.vocabulary import UNKNOWN_ROW

MOST_NEWS: Final = 256  # papers of a pool, unless there are more slots: they travel with the list
DEPTH: Final = 2  # papers ranked per place of a list, for the policy to choose from
MOST_DISMISSED: Final = 500  # a product of them with a list's papers takes a few milliseconds
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
        dismiss_reach=settings.dismiss_reach,
    )


def randomisation_of(settings: Settings) -> Randomisation:
    """Return how much chance the settings let into what is shown."""
    return Randomisation(settings.swap_probability, settings.exploration_share)


def depth_of(policy: Policy, *, size: int) -> int:
    """Return how many papers must be ranked for a list of this size."""
    return size if replace(policy, exploration_share=0.0).is_neutral else size * DEPTH


def pool_size(policy: Policy, *, size: int) -> int:
    """Return how many new papers exploration draws from: the reader's most fitting, a few for each slot."""
    slots = len(slot_places(policy.exploration_share, k=size))
    return min(slots * PAPERS_PER_SLOT, max(slots, MOST_NEWS))


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
    dismissed = model.papers.rows(profile.disliked_paper_ids)
    likeness = likeness_of(model, rows, dismissed=dismissed) if policy.dismiss_reach else None
    vectors = model.text_vectors(rows) if policy.diversity else None
    traits = Traits(model.published_at[rows], model.popularity[rows], vectors, likeness=likeness)
    shares: Floats | None = None
    if policy.category_calibration:
        papers = [*ranked.paper_ids.tolist(), *profile.paper_ids.tolist()]
        matrix = category_matrix([categories.get(paper_id, ()) for paper_id in papers])
        traits = replace(traits, categories=rows_of(matrix, slice(0, len(ranked))))
        shares = category_shares(rows_of(matrix, slice(len(ranked), None)), np.asarray(profile.weights, np.float32))
    lasting = replace(policy, exploration_share=0.0)
    at = now.timestamp()
    return apply_policy(ranked, lasting, k=k, traits=traits, now=at, hidden=hidden, shares=shares).ranked


def likeness_of(model: Hybrid, rows: Rows, *, dismissed: Rows) -> Floats | None:
    """Return how like the dismissed papers these are by their words, None where none is dismissed.

    Of the dismissed papers that the model knows, the last `MOST_DISMISSED` are looked at.
    """
    known = dismissed[dismissed != UNKNOWN_ROW][-MOST_DISMISSED:]
    if len(known) == 0:
        return None
    return likeness_to_dismissed(model.text_vectors(rows), model.text_vectors(known))


def without_alike(model: Hybrid, ranked: RankedList, profile: Profile, *, reach: float, k: int) -> RankedList:
    """Return the k papers of a deeper list that come first once those like dismissed ones were lowered."""
    dismissed = model.papers.rows(profile.disliked_paper_ids)
    likeness = likeness_of(model, model.papers.rows(ranked.paper_ids), dismissed=dismissed) if reach else None
    return truncate(ranked if likeness is None else lower_alike(ranked, likeness, strength=reach), k=k)


def followed_by_rest(picked: RankedList, ranked: RankedList) -> RankedList:
    """Return the picked papers and, after them, those of the list that were not picked."""
    left = ~np.isin(ranked.paper_ids, picked.paper_ids)
    return RankedList(
        np.concatenate([picked.paper_ids, ranked.paper_ids[left]]),
        np.concatenate([picked.scores, ranked.scores[left]]),
    )
