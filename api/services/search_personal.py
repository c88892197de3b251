"""A search in the order of one reader: what fits their taste moves up among what fits the search."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from recommender.dataset import Profile
from recommender.hybrid import Hybrid

DEPTH: Final = 200  # papers of a search that are ranked anew; those behind them stay where they are
# Reciprocal ranks are added (Cormack, Clarke and Buettcher 2009): the two kinds of score have no common unit.
RANK_OFFSET: Final = 20
TASTE_SHARE: Final = 0.5  # what a place by taste counts beside one by the search


def rank_for_reader(
    model: Hybrid, profile: Profile, paper_ids: Sequence[int]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the papers of a search in the reader's order, with falling scores.

    What the model cannot rank for the reader (their own papers, those it does not know) keeps the place of the search.
    """
    head = np.array(paper_ids[:DEPTH], dtype=np.int64)
    places = np.arange(len(paper_ids), dtype=np.float64)
    tastes = places.copy()
    if len(head):
        [ranked] = model.recommend([profile], k=len(head), candidates=head)
        order = {int(paper_id): place for place, paper_id in enumerate(ranked.paper_ids)}
        tastes[: len(head)] = [order.get(int(paper_id), place) for place, paper_id in enumerate(head)]
    scores = 1 / (RANK_OFFSET + places) + TASTE_SHARE / (RANK_OFFSET + tastes)
    best = np.argsort(-scores[: len(head)], kind="stable")
    sequence = np.concatenate([best, np.arange(len(head), len(paper_ids))]).astype(np.int64)
    falling = np.minimum.accumulate(scores[sequence]) if len(sequence) else scores
    return tuple(paper_ids[at] for at in sequence.tolist()), tuple(falling.tolist())
