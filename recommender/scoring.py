"""From blocks of scores to ranked lists."""

import numpy as np

from recommender.domain import Csr, Floats, RankedList, Rows
from recommender.topk import EXCLUDED, Best, best_columns
from recommender.vocabulary import Vocabulary

__all__ = ["EXCLUDED", "block_size", "exclude_rows", "lists_of", "standardise", "top_lists"]

BLOCK_BYTES = 48_000_000  # one float32 block of scores; a handful live at a time
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
    return lists_of(best_columns(scores, k=k), papers)


def lists_of(best: Best, papers: Vocabulary) -> list[RankedList]:
    """The same with paper ids."""
    if len(papers) == 0:
        return [RankedList(papers.in_row_order, row) for row in best.scores]
    ids = papers.in_row_order[best.columns]
    return [
        RankedList(of_reader[:size], scores[:size])
        for of_reader, scores, size in zip(ids, best.scores, best.sizes.tolist(), strict=True)
    ]
