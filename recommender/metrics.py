"""How good lists are. A truth row is a boolean per position of a list: was that paper held out?"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Rows

Hits: TypeAlias = NDArray[np.bool_]  # (readers, k) position by position
Counts: TypeAlias = NDArray[np.integer]  # (readers,) held-out papers of each reader
Values: TypeAlias = NDArray[np.float64]  # (readers,)
RESAMPLES = 1000
CONFIDENCE = 0.95


def hits_of(lists: Rows, held_out: Csr) -> Hits:
    """(readers, k) whether the paper row at each position is held out; row -1 (list ended) never is."""
    truth = held_out.tocsr()
    columns = max(truth.shape[1], 1)
    readers = np.repeat(np.arange(truth.shape[0], dtype=np.int64), np.diff(truth.indptr))
    keys = np.sort(readers * columns + truth.indices)
    wanted = np.arange(len(lists), dtype=np.int64)[:, None] * columns + lists
    if len(keys) == 0:
        return np.zeros(lists.shape, dtype=bool)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.asarray((keys[at] == wanted) & (lists >= 0))


def recall_at_k(hits: Hits, held_out: Counts, *, k: int) -> Values:
    """Held-out papers found in the first k, as a share of all held out; 0 where nothing is held out."""
    found = hits[:, :k].sum(axis=1)
    return np.asarray(found / np.maximum(held_out, 1), dtype=np.float64)


def ndcg_at_k(hits: Hits, held_out: Counts, *, k: int) -> Values:
    """Discounted gain of the first k over that of an ideal list of min(k, held-out) hits."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    found = hits[:, :k]
    gain: Values = found.astype(np.float64) @ discounts[: found.shape[1]]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(held_out, k)]
    return np.asarray(gain / np.where(held_out > 0, ideal, 1.0), dtype=np.float64)


def mrr(hits: Hits, *, k: int) -> Values:
    """One over the position of the first hit in the first k, 0 without one."""
    found = hits[:, :k]
    if found.shape[1] == 0:
        return np.zeros(len(hits))
    first = found.argmax(axis=1)
    return np.where(found.any(axis=1), 1.0 / (first + 1.0), 0.0).astype(np.float64)


def hit_rate(hits: Hits, *, k: int) -> Values:
    """1 where the first k hold a hit."""
    return np.where(hits[:, :k].any(axis=1), 1.0, 0.0)


def coverage(lists: Rows, *, papers: int) -> float:
    """The share of all papers that stand in somebody's list."""
    shown = np.unique(lists[lists >= 0])
    return len(shown) / papers if papers else 0.0


def gini(lists: Rows, *, papers: int) -> float:
    """How unequally the places are spread over papers: 0 all alike, near 1 a few papers take all."""
    counts = np.sort(np.bincount(lists[lists >= 0].ravel(), minlength=papers)).astype(np.float64)
    total = counts.sum()
    if total == 0 or papers == 0:
        return 0.0
    order = np.arange(1, papers + 1)
    return float((2 * order - papers - 1) @ counts / (papers * total))


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: Values, *, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of the values and its percentile bootstrap interval over readers."""
    if len(values) == 0:
        return Interval(0.0, 0.0, 0.0)
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    for at in range(resamples):  # one row at a time keeps memory at one reader array
        means[at] = values[random.integers(0, len(values), len(values))].mean()
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def paired_bootstrap(
    a: Values, b: Values, *, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of a - b over the same readers with its interval; 0 inside it is a tie."""
    if len(a) != len(b):
        raise ValueError("a paired comparison needs the same readers on both sides")
    return bootstrap_interval(a - b, seed=seed, resamples=resamples, confidence=confidence)
