"""From blocks of scores to ranked lists."""

import numpy as np

from recommender.domain import Csr, Floats, RankedList, Rows
from recommender.vocabulary import Vocabulary

BLOCK_BYTES = 48_000_000  # one float32 block of scores; a handful live at a time
EXCLUDED = np.float32(-np.inf)
LEAST_SAMPLE = 100  # columns from which a mean and a deviation say something about the others


def block_size(papers: int) -> int:
    """Readers per block so that one block of scores stays within BLOCK_BYTES."""
    return int(np.clip(BLOCK_BYTES // (4 * max(papers, 1)), 1, 1024))


def standardise(scores: Floats, *, among: Rows | None = None) -> Floats:
    """Scores minus their mean, in standard deviations, per reader; both taken among some columns or all.

    All when `among` are few: with one, all scores would be 0, and with some that are alike they would be huge.
    """
    over = scores if among is None or len(among) < LEAST_SAMPLE else scores[:, among]
    mean = over.mean(axis=1, keepdims=True)
    deviation = over.std(axis=1, keepdims=True)
    out = scores - mean
    # A reader about whom a part knows nothing has constant scores there: all zero, not noise.
    np.divide(out, deviation, out=out, where=deviation > 1e-12)
    out[np.broadcast_to(deviation <= 1e-12, out.shape)] = 0.0
    return np.asarray(out, dtype=np.float32)


def exclude_rows(scores: Floats, seen: Csr) -> None:
    """Mark every stored entry of `seen` (readers, papers) as not to be ranked, in place."""
    readers = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    scores[readers, seen.indices] = EXCLUDED


def top_lists(scores: Floats, papers: Vocabulary, *, k: int) -> list[RankedList]:
    """The k best papers per reader, ties in row order; excluded ones never appear."""
    readers, count = scores.shape
    k = min(k, count)
    if k <= 0:
        return [RankedList(papers.in_row_order[:0], np.empty(0, np.float32)) for _ in range(readers)]
    if k < count:
        # Ties at the border are settled by the threshold, not by the order argpartition happens to leave.
        threshold = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
    else:
        threshold = np.full(readers, -np.inf, dtype=np.float32)
    return [_top(row, float(least), papers, k) for row, least in zip(scores, threshold, strict=True)]


def _top(row: Floats, least: float, papers: Vocabulary, k: int) -> RankedList:
    rows = np.flatnonzero((row >= least) & (row > EXCLUDED))
    best = rows[np.argsort(-row[rows], kind="stable")[:k]]
    return RankedList(papers.in_row_order[best], row[best].astype(np.float32))
