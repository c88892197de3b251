"""What happens to a list after ranking: freshness, popularity, diversity, categories, new papers. Pure functions.

`apply_policy` composes them in this order, each on what the one before left:

1. hidden, dismissed and saved papers go, also from the pool of new ones;
2. freshness, the popularity discount and likeness to dismissed papers change scores, all in standard deviations of
   the list's, outliers aside;
3. diversity orders the list anew by maximal marginal relevance;
4. calibration picks in that order so that categories follow the reader's;
5. exploration gives a share of the places to a draw from the pool.
"""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from recommender.domain import Csr, Floats, Ids, RankedList, Times
from recommender.rerank_categories import Positions, calibrated_positions, category_matrix, category_shares
from recommender.rerank_exploration import Arrangement, Seed, explore
from recommender.rerank_scale import ordinary_spread, to_relevance
from recommender.sparse import rows_of

__all__ = [
    "Arrangement",
    "Policy",
    "Traits",
    "apply_policy",
    "calibrate",
    "category_matrix",
    "category_shares",
    "discount_popularity",
    "diversify",
    "drop",
    "explore",
    "freshen",
    "lower_alike",
    "mmr_positions",
    "truncate",
]

SECONDS_PER_DAY = 86_400.0
Known = TypeVar("Known", Floats, Times)
NO_WORDS = 1e-12  # square length of a vector that says nothing
NOTHING_HIDDEN = np.empty(0, dtype=np.int64)
_UNIT = ("diversity", "category_calibration", "exploration_share")
_POSITIVE = ("freshness", "popularity_discount", "dismiss_reach")


@dataclass(frozen=True, slots=True)
class Policy:
    """What re-ranking weighs; the defaults leave a list as it is."""

    freshness: float = 0.0  # bonus of a paper of today, in standard deviations of the list's scores
    freshness_half_life_days: float = 30.0  # age at which half of the bonus is left
    popularity_discount: float = 0.0  # penalty of the most read paper of the list, in the same unit
    diversity: float = 0.0  # 0: by score alone, 1: by distance from the papers above alone
    category_calibration: float = 0.0  # 1 minus the distance allowed from the reader's category shares
    exploration_share: float = 0.0  # of the places
    dismiss_reach: float = 0.0  # penalty of a paper that is a dismissed one word by word, in the unit of freshness

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _UNIT and not 0 <= value <= 1:
                raise ValueError(f"{field.name} lies between 0 and 1, not at {value}")
            if field.name in _POSITIVE and not 0 <= value < np.inf:
                raise ValueError(f"{field.name} is 0 or more, not {value}")
        if not self.freshness_half_life_days > 0:
            raise ValueError(f"freshness_half_life_days is more than 0, not {self.freshness_half_life_days}")

    @property
    def is_neutral(self) -> bool:
        """True when a list stays as it is."""
        return not any(getattr(self, name) for name in (*_UNIT, *_POSITIVE))


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known about the papers of a list, aligned to it; only what the policy uses is needed."""

    published_at: Times | None = None  # (papers,)
    popularity: Floats | None = None  # (papers,) readers
    vectors: Floats | None = None  # (papers, dim) of length 1, or 0 for a paper without words
    categories: Csr | None = None  # (papers, categories), see category_matrix
    likeness: Floats | None = None  # (papers,) to dismissed papers, see likeness_to_dismissed; None: none dismissed

    def select(self, positions: Positions) -> "Traits":
        """The traits of the papers at these positions."""
        return Traits(
            None if self.published_at is None else self.published_at[positions],
            None if self.popularity is None else self.popularity[positions],
            None if self.vectors is None else self.vectors[positions],
            None if self.categories is None else rows_of(self.categories, positions),
            None if self.likeness is None else self.likeness[positions],
        )


def apply_policy(
    ranked: RankedList,
    policy: Policy,
    *,
    k: int,
    traits: Traits,
    now: float,
    hidden: Ids = NOTHING_HIDDEN,
    shares: Floats | None = None,
    pool: Ids | None = None,
    seed: Seed = 0,
) -> Arrangement:
    """The first k papers under the policy, none of them hidden.

    `ranked` should be deeper than k, or diversity and calibration have nothing to choose from. `shares` are the
    reader's over the columns of `traits.categories`, None or zeros where nothing is known; `pool` holds the papers that
    exploration draws from. The same arguments give the same list.
    """
    kept = _kept(ranked.paper_ids, hidden)
    papers, known = _select(ranked, kept), traits.select(kept)
    scores = _rescored(papers.scores, policy, known, now=now)
    order = _descending(scores)
    categories = known.categories if shares is not None and policy.category_calibration else None
    if policy.diversity:
        vectors = _needed(known.vectors, "diversity", "vectors")[order]
        reach = k if categories is None else len(order)  # what is calibrated next needs a choice, too
        order = order[_diverse(scores[order], vectors, diversity=policy.diversity, k=reach)]
    if categories is not None and shares is not None:
        tolerance = 1 - policy.category_calibration
        order = order[calibrated_positions(rows_of(categories, order), shares, tolerance=tolerance, k=k)]
    arranged = _placed(papers.paper_ids, scores, order[:k])
    news = arranged.paper_ids[:0] if pool is None else pool[_kept(pool, hidden)]
    return explore(arranged, news, share=policy.exploration_share, k=k, seed=seed)


def drop(ranked: RankedList, hidden: Ids) -> RankedList:
    """The list without the hidden ids."""
    if len(hidden) == 0 or len(ranked) == 0:
        return ranked
    return _select(ranked, _kept(ranked.paper_ids, hidden))


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
    gain = strength * _freshness(published_at, now=now, half_life_days=half_life_days)
    return _ordered(ranked, gain)


def discount_popularity(ranked: RankedList, popularity: Floats, *, strength: float) -> RankedList:
    """The list re-ordered with a penalty that grows with the logarithm of a paper's readers.

    `strength` is the penalty of the most read paper of the list in standard deviations of its scores.
    """
    if len(ranked) == 0 or strength == 0:
        return ranked
    return _ordered(ranked, -strength * _renown(popularity))


def lower_alike(ranked: RankedList, likeness: Floats, *, strength: float) -> RankedList:
    """The list re-ordered with a penalty for likeness to dismissed papers, see `likeness_to_dismissed`.

    `strength` is the penalty of a paper of likeness 1 in standard deviations of the list's scores.
    """
    if len(ranked) == 0 or strength == 0:
        return ranked
    return _ordered(ranked, -strength * likeness.astype(np.float64))


def diversify(ranked: RankedList, vectors: Floats, *, diversity: float, k: int) -> RankedList:
    """The k papers that maximal marginal relevance picks; 0 keeps the order, 1 looks at diversity alone.

    `vectors` are (papers, dim) of length 1, or 0 for a paper without words, which counts as near as the others are
    on average. The scores of the answer are its own, descending: the relevance of each place, so that a list stays
    sorted whatever was picked.
    """
    if not 0 <= diversity <= 1:
        raise ValueError("diversity lies between 0 and 1")
    if diversity == 0:
        return truncate(ranked, k=k)
    return _placed(ranked.paper_ids, ranked.scores, _diverse(ranked.scores, vectors, diversity=diversity, k=k))


def calibrate(ranked: RankedList, categories: Csr, shares: Floats, *, calibration: float, k: int) -> RankedList:
    """The k papers, best first, whose category shares differ from the reader's by at most 1 - calibration.

    The difference is the total variation, up to whole papers, and only where the list holds what it takes; see
    `calibrated_positions` for the rule. 0 keeps the order.
    """
    if not 0 <= calibration <= 1:
        raise ValueError("calibration lies between 0 and 1")
    picked = calibrated_positions(categories, shares, tolerance=1 - calibration, k=k)
    return _placed(ranked.paper_ids, ranked.scores, picked)


def mmr_positions(relevance: Floats, alike: Floats, *, diversity: float, k: int) -> Positions:
    """Positions of k papers, each the best by (1 - diversity) * relevance - diversity * likeness to a paper above.

    `relevance` is (papers,), see `to_relevance`, `alike` (papers, papers), with a row of NaN for a paper of which
    nothing is known.
    """
    count = min(k, len(relevance))
    picked = np.empty(count, dtype=np.intp)
    worth = ((1 - diversity) * relevance).astype(np.float32)
    nearest = np.zeros(len(relevance), dtype=np.float32)
    value = np.empty_like(worth)
    unknown = np.isnan(np.diagonal(alike))
    known, has_unknown = ~unknown, bool(unknown.any() and not unknown.all())
    for place in range(count):
        if has_unknown:
            nearest[unknown] = nearest[known].mean()
        np.multiply(nearest, -diversity, out=value)
        value += worth
        best = int(value.argmax())
        picked[place] = best
        worth[best] = -np.inf
        np.fmax(nearest, alike[best], out=nearest)
    return picked


def _diverse(scores: Floats, vectors: Floats, *, diversity: float, k: int) -> Positions:
    alike = vectors @ vectors.T  # once: a product per pick would read all vectors again
    silent = np.flatnonzero(np.diagonal(alike) < NO_WORDS)
    alike[silent] = np.nan
    return mmr_positions(to_relevance(scores), alike, diversity=diversity, k=k)


def _rescored(scores: Floats, policy: Policy, traits: Traits, *, now: float) -> Floats:
    gain = np.zeros(len(scores))
    if policy.freshness:
        published_at = _needed(traits.published_at, "freshness", "published_at")
        half_life = policy.freshness_half_life_days
        gain += policy.freshness * _freshness(published_at, now=now, half_life_days=half_life)
    if policy.popularity_discount:
        gain -= policy.popularity_discount * _renown(_needed(traits.popularity, "popularity_discount", "popularity"))
    if policy.dismiss_reach and traits.likeness is not None:
        gain -= policy.dismiss_reach * traits.likeness
    return _with_gain(scores, gain)


def _freshness(published_at: Times, *, now: float, half_life_days: float) -> Times:
    """(papers,) 1 today, half of it each half-life; 0 for an unknown age."""
    age_days = np.maximum(now - published_at, 0.0) / SECONDS_PER_DAY
    return np.asarray(np.nan_to_num(np.exp2(-age_days / half_life_days), nan=0.0), dtype=np.float64)


def _renown(popularity: Floats) -> Times:
    """(papers,) from 0 to 1: the logarithm of readers beside that of the most read one."""
    logs = np.log1p(popularity.astype(np.float64))
    return np.asarray(logs / (float(logs.max(initial=0.0)) or 1.0), dtype=np.float64)


def _with_gain(scores: Floats, gain: Times) -> Floats:
    if not gain.any():
        return scores
    return np.asarray(scores + gain * ordinary_spread(scores), dtype=np.float32)


def _ordered(ranked: RankedList, gain: Times) -> RankedList:
    scores = _with_gain(ranked.scores, gain)
    return _placed(ranked.paper_ids, scores, _descending(scores))


def _placed(paper_ids: Ids, scores: Floats, order: Positions) -> RankedList:
    """The papers in this order with their own scores, sorted: a score says what its place is worth."""
    return RankedList(paper_ids[order], np.sort(scores[order])[::-1].copy())


def _descending(scores: Floats) -> Positions:
    return np.argsort(-scores, kind="stable").astype(np.intp)


def _kept(paper_ids: Ids, hidden: Ids) -> Positions:
    return np.flatnonzero(~np.isin(paper_ids, hidden)) if len(hidden) else np.arange(len(paper_ids), dtype=np.intp)


def _select(ranked: RankedList, positions: Positions) -> RankedList:
    return RankedList(ranked.paper_ids[positions], ranked.scores[positions])


def _needed(values: Known | None, setting: str, name: str) -> Known:
    if values is None:
        raise ValueError(f"{setting} is set, so Traits.{name} is needed")
    return values
