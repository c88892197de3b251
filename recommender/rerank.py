"""What happens to a list after ranking: freshness, hidden papers, diversity. Pure functions."""

import numpy as np

from recommender.domain import Floats, Ids, RankedList, Times

SECONDS_PER_DAY = 86_400.0


def drop(ranked: RankedList, hidden: Ids) -> RankedList:
    """The list without the hidden ids."""
    if len(hidden) == 0 or len(ranked) == 0:
        return ranked
    keep = ~np.isin(ranked.paper_ids, hidden)
    return RankedList(ranked.paper_ids[keep], ranked.scores[keep])


def truncate(ranked: RankedList, *, k: int) -> RankedList:
    """The first k of the list."""
    return RankedList(ranked.paper_ids[:k], ranked.scores[:k])


def freshen(
    ranked: RankedList, published_at: Times, *, now: float, half_life_days: float, strength: float = 1.0
) -> RankedList:
    """The list re-ordered with a bonus that halves with each half-life of age.

    `strength` is the bonus of a paper of today in standard deviations of the list's scores;
    a paper of unknown age gets none.
    """
    if len(ranked) == 0 or strength == 0:
        return ranked
    age_days = np.maximum(now - published_at, 0.0) / SECONDS_PER_DAY
    bonus = np.nan_to_num(np.exp2(-age_days / half_life_days), nan=0.0)
    spread = float(ranked.scores.std()) or 1.0
    return _ordered(ranked.paper_ids, ranked.scores + np.float32(strength * spread) * bonus)


def discount_popularity(ranked: RankedList, popularity: Floats, *, strength: float) -> RankedList:
    """The list re-ordered with a penalty that grows with the logarithm of a paper's readers."""
    if len(ranked) == 0 or strength == 0:
        return ranked
    logs = np.log1p(popularity)
    scale = float(logs.max()) or 1.0
    spread = float(ranked.scores.std()) or 1.0
    return _ordered(ranked.paper_ids, ranked.scores - np.float32(strength * spread) * (logs / scale))


def diversify(ranked: RankedList, vectors: Floats, *, diversity: float, k: int) -> RankedList:
    """The k papers that maximal marginal relevance picks; 0 keeps the order, 1 looks at diversity alone.

    `vectors` are (papers, dim) of length 1. The scores of the answer are its own, descending: the relevance
    of each place, so that a list stays sorted whatever was picked.
    """
    if not 0 <= diversity <= 1:
        raise ValueError("diversity lies between 0 and 1")
    count = min(k, len(ranked))
    if count == 0 or diversity == 0:
        return truncate(ranked, k=k)
    relevance = _to_unit(ranked.scores)
    nearest = np.zeros(len(ranked), dtype=np.float32)
    open_places = np.ones(len(ranked), dtype=bool)
    picked = np.empty(count, dtype=np.intp)
    for place in range(count):
        value = (1 - diversity) * relevance - diversity * nearest
        value[~open_places] = -np.inf
        best = int(value.argmax())
        picked[place] = best
        open_places[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return RankedList(ranked.paper_ids[picked], np.sort(ranked.scores[picked])[::-1].copy())


def _to_unit(scores: Floats) -> Floats:
    low, high = float(scores.min()), float(scores.max())
    return np.asarray((scores - low) / ((high - low) or 1.0), dtype=np.float32)


def _ordered(paper_ids: Ids, scores: Floats | Times) -> RankedList:
    order = np.argsort(-scores, kind="stable")
    return RankedList(paper_ids[order], scores[order].astype(np.float32))
