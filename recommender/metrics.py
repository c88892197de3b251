"""How good lists are. A truth row is a boolean per position of a list: was that paper held out?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recommender.domain import Csr, Floats, Rows

Hits: TypeAlias = NDArray[np.bool_]  # (readers, k) position by position
Counts: TypeAlias = NDArray[np.integer]  # (readers,) held-out papers of each reader
Values: TypeAlias = NDArray[np.float64]  # (readers,)
RESAMPLES = 1000
CONFIDENCE = 0.95
PAIRED_RESAMPLES = 10_000
SPREAD_ROWS = 50  # resamples counted at a time: a few MB for some ten thousand papers
BLOCK_BYTES = 32_000_000  # of resamples, or of vectors, that are worked on at a time


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


def reader_shares(user_items: Csr) -> Values:
    """(papers,) the share of readers who have each paper; one that nobody has counts as if one reader had it."""
    readers, papers = user_items.shape
    counts = np.bincount(user_items.indices, minlength=papers)
    return np.asarray(np.maximum(counts, 1) / max(readers, 1), dtype=np.float64)


def novelty(lists: Rows, shares: Values, *, k: int) -> Values:
    """How surprising the first k are, in bits: the mean of -log2 of the share of readers who have the paper."""
    shown = lists[:, :k]
    bits = np.where(shown >= 0, -np.log2(shares)[shown], 0.0)
    return np.asarray(bits.sum(axis=1) / np.maximum((shown >= 0).sum(axis=1), 1), dtype=np.float64)


def intra_list_diversity(lists: Rows, vectors: Floats, *, k: int) -> Values:
    """One minus the mean cosine of all pairs in the first k; 0 for lists of fewer than two papers.

    `vectors` are (papers, dim) of length 1 or 0: a paper without words is like no other.
    """
    shown = lists[:, :k]
    out = np.zeros(len(shown))
    block = max(1, BLOCK_BYTES // max(4 * shown.shape[1] * vectors.shape[1], 1))
    for start in range(0, len(shown), block):
        rows = shown[start : start + block]
        of_papers = vectors[rows] * (rows >= 0)[:, :, None]
        lengths = np.square(of_papers, dtype=np.float64).sum(axis=(1, 2))
        alike = np.square(of_papers.sum(axis=1), dtype=np.float64).sum(axis=1) - lengths
        count = (rows >= 0).sum(axis=1)
        pairs = count * (count - 1)
        out[start : start + block] = np.where(pairs > 0, 1 - alike / np.maximum(pairs, 1), 0.0)
    return out


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


def draws(readers: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """Blocks (resamples, readers) of how often each resample draws each reader, those of `bootstrap_interval`."""
    random = np.random.default_rng(seed)
    size = int(np.clip(BLOCK_BYTES // (8 * max(readers, 1)), 1, resamples))
    for start in range(0, resamples, size):
        block = min(size, resamples - start)
        drawn = random.integers(0, readers, (block, readers)) + readers * np.arange(block)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=block * readers)
        yield counts.reshape(block, readers).astype(np.float32)


def bootstrap_intervals(
    columns: Values, *, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> list[Interval]:
    """`bootstrap_interval` of every column of (readers, columns), all from the same resamples."""
    if len(columns) == 0:
        return [Interval(0.0, 0.0, 0.0)] * columns.shape[1]
    means = np.concatenate([block @ columns for block in draws(len(columns), seed=seed, resamples=resamples)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(means / len(columns), [tail, 1 - tail], axis=0)
    return [Interval(*three) for three in zip(columns.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)]


def spread_intervals(
    lists: Rows, *, papers: int, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> tuple[Interval, Interval]:
    """Coverage and Gini of lists of any rows among so many papers, with intervals from resampled readers.

    A resample holds some readers twice and so shows fewer papers than all of them do: the quantiles are taken
    around the mean of the resamples and moved onto the figure.
    """
    shown, places = np.unique(lists[lists >= 0], return_inverse=True)
    if len(shown) == 0:
        return Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 0.0)
    figures = (len(shown) / papers, gini(places.astype(np.int32), papers=papers))
    readers = np.broadcast_to(np.arange(len(lists))[:, None], lists.shape)[lists >= 0]
    ones = np.ones(len(places), dtype=np.float32)
    paper_readers = csr_array((ones, (places, readers)), shape=(len(shown), len(lists)))
    covered, unequal = [], []
    for block in draws(len(lists), seed=seed, resamples=resamples):
        for start in range(0, len(block), SPREAD_ROWS):
            counts = np.asarray(paper_readers @ block[start : start + SPREAD_ROWS].T).T
            covered.append((counts > 0).sum(axis=1) / papers)
            unequal.append(_gini_of_rows(counts, papers=papers))
    samples = (np.concatenate(covered), np.concatenate(unequal))
    return _around(figures[0], samples[0], confidence), _around(figures[1], samples[1], confidence)


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one side is ahead of the other on the same readers."""

    interval: Interval  # of a - b
    p_value: float  # of the claim that they are alike, two-sided


def paired_tests(
    a: Values, b: Values, *, seed: int, resamples: int = PAIRED_RESAMPLES, confidence: float = CONFIDENCE
) -> list[Difference]:
    """The paired bootstrap of every column of (readers, columns); a p-value is never below 1 / (resamples + 1)."""
    if a.shape != b.shape or len(a) == 0:
        raise ValueError("a paired comparison needs the same readers on both sides, and one at least")
    apart = a - b
    means = np.concatenate([block @ apart for block in draws(len(a), seed=seed, resamples=resamples)]) / len(a)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    rare = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p_values = np.minimum(2 * (rare + 1) / (resamples + 1), 1.0)
    middle = apart.mean(axis=0)
    return [
        Difference(Interval(float(middle[at]), float(low[at]), float(high[at])), float(p_values[at]))
        for at in range(apart.shape[1])
    ]


def paired_bootstrap(
    a: Values, b: Values, *, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of a - b over the same readers with its interval; 0 inside it is a tie."""
    if len(a) != len(b):
        raise ValueError("a paired comparison needs the same readers on both sides")
    return bootstrap_interval(a - b, seed=seed, resamples=resamples, confidence=confidence)


def _gini_of_rows(counts: Floats, *, papers: int) -> Values:
    """`gini` of each row of counts; papers that have no column are never shown."""
    ordered = np.sort(counts.astype(np.int32), axis=1).astype(np.float64)
    shown = ordered.shape[1]
    order = np.arange(papers - shown + 1, papers + 1)
    return np.asarray(ordered @ (2.0 * order - papers - 1) / (papers * ordered.sum(axis=1)), dtype=np.float64)


def _around(figure: float, sample: Values, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = (np.quantile(sample, [tail, 1 - tail]) - sample.mean() + figure).tolist()
    return Interval(figure, min(max(low, 0.0), figure), max(min(high, 1.0), figure))
