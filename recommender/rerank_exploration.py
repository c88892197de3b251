"""Places of a list that are drawn at random from new papers, with the probability of each draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from recommender.domain import Ids, RankedList, Times
from recommender.rerank_categories import Positions

Seed: TypeAlias = int | Sequence[int]
PAPERS_PER_SLOT = 5  # a pool of this many times the slots leaves each draw open without reaching for poor papers


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A list as it is shown, and what chance had to do with it."""

    ranked: RankedList
    slots: Positions  # (n,) positions filled by a draw, ascending
    propensities: Times  # (n,) probability of the drawn paper at its slot, given what stands above


def slot_places(share: float, *, k: int) -> Positions:
    """The positions among k that explore: evenly spread, so that any first n hold share * n of them within one."""
    if not 0 <= share <= 1:
        raise ValueError("the share that explores lies between 0 and 1")
    if share * (k + 1) < 0.5:  # not even one; a share next to nothing would overflow below
        return np.empty(0, dtype=np.intp)
    places = np.floor((np.arange(k) + 0.5) / share - 0.5)
    return np.asarray(places[places < k], dtype=np.intp)


def explore(ranked: RankedList, pool: Ids, *, share: float, k: int, seed: Seed) -> Arrangement:
    """The first k of the list with a share of the places drawn from the pool.

    At each slot every paper of the pool that does not stand above it is equally likely, so the propensity is one over
    their number; a drawn paper leaves its own place further down, and takes the score of the one it precedes. A slot
    without a paper left to draw is an ordinary place.
    """
    places = slot_places(share, k=k)
    if len(places) == 0 or len(pool) == 0 or len(ranked) == 0:
        none = np.empty(0, dtype=np.intp)
        return Arrangement(RankedList(ranked.paper_ids[:k], ranked.scores[:k]), none, np.empty(0))
    lots = dict(zip(places.tolist(), np.random.default_rng(seed).random(len(places)).tolist(), strict=True))
    ids, scores = ranked.paper_ids.tolist(), ranked.scores.tolist()
    waiting = dict.fromkeys(pool.tolist())
    is_drawn = set[object]()
    shown, slots = list[object](), list[int]()
    shown_scores, propensities = list[float](), list[float]()
    following = 0
    while len(shown) < k:
        while following < len(ids) and ids[following] in is_drawn:
            following += 1
        at = len(shown)
        if at in lots and waiting:
            paper = list(waiting)[int(lots[at] * len(waiting))]
            slots.append(at)
            propensities.append(1.0 / len(waiting))
            is_drawn.add(paper)
            shown_scores.append(scores[min(following, len(ids) - 1)])
        elif following < len(ids):
            paper = ids[following]
            shown_scores.append(scores[following])
            following += 1
        else:
            break
        shown.append(paper)
        waiting.pop(paper, None)
    kind = np.result_type(ranked.paper_ids, pool)
    mixed = RankedList(np.array(shown, dtype=kind), np.array(shown_scores, dtype=np.float32))
    return Arrangement(mixed, np.array(slots, dtype=np.intp), np.array(propensities))
