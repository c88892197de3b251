"""The best columns of each row of scores, and of products of factors, without sorting what cannot win."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats
from recommender.threads import blas_threads, workers

EXCLUDED = np.float32(-np.inf)
NO_COLUMN = -1
GROUPS_PER_PLACE = 5  # with five groups to a place one in ten that pass the threshold is too many
LEAST_DEPTH = 4  # columns per group below which their maxima save nothing
MOST_SURVIVORS = 8  # times k; a row with more (ties, mostly) is ranked on its own
READERS_PER_BLOCK = 100  # as many as implicit takes at once, so the products have the same bits
NOTHING = np.uint64(np.iinfo(np.uint64).max)  # sorts behind every key


@dataclass(frozen=True, slots=True)
class Best:
    """The best columns of a block of rows, best first; rows with fewer end in NO_COLUMN."""

    columns: NDArray[np.int32]  # (rows, k)
    scores: Floats  # (rows, k) EXCLUDED where there is no column
    sizes: NDArray[np.int64]  # (rows,) columns found


def best_columns(scores: Floats, *, k: int) -> Best:
    """The k best columns per row, ties in column order; neither -inf nor NaN ever ranks.

    The k-th best of the maxima of groups of columns is a threshold that at least k columns reach and few others
    do: one pass for the maxima and one to compare replace the selection among all columns. Exact for any scores.
    """
    rows, count = scores.shape
    k = min(k, count)
    if k <= 0 or rows == 0:
        nothing = np.empty((rows, max(k, 0)), np.int32)
        return Best(nothing, nothing.astype(np.float32), np.zeros(rows, np.int64))
    threshold = _thresholds(scores, k)
    if np.isnan(threshold).any():
        return _row_by_row(scores, k)
    finite = np.maximum(threshold, np.finfo(np.float32).min)
    flat = np.flatnonzero(scores >= finite[:, None])
    counts = np.diff(np.searchsorted(flat, np.arange(rows + 1, dtype=np.int64) * count))
    if counts.max(initial=0) > MOST_SURVIVORS * k:
        return _row_by_row(scores, k)
    return _sorted(scores, flat, counts, k)


def factor_lists(
    readers: Floats, papers: Floats, seen: Csr, *, k: int, threads: int = 0
) -> Iterator[tuple[slice, Best]]:
    """The best papers (papers, rank) of each reader (readers, rank) by dot product, without those they have seen.

    Blocks in order of readers; a few of them, one for each thread, are all that is in memory.
    """
    count = workers(threads)
    turned = np.ascontiguousarray(papers.T)
    starts = range(0, len(readers), READERS_PER_BLOCK)

    def ranked(start: int, buffer: Floats) -> tuple[slice, Best]:
        block = slice(start, min(start + READERS_PER_BLOCK, len(readers)))
        rows = block.stop - start
        # The copy is faster; the last, shorter block takes the way of implicit, for other kernels round otherwise.
        scores = np.dot(readers[block], turned if rows == READERS_PER_BLOCK else papers.T, out=buffer[:rows])
        exclude_entries(scores, seen, block)
        return block, best_columns(scores, k=k)

    buffers = [np.empty((READERS_PER_BLOCK, len(papers)), np.float32) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        for first in range(0, len(starts), count):
            with blas_threads(1):
                found = list(pool.map(ranked, starts[first : first + count], buffers))
            yield from found


def exclude_entries(scores: Floats, seen: Csr, block: slice) -> None:
    """Mark what the readers of the block have stored in `seen` (readers, papers), in place."""
    ends = seen.indptr[block.start : block.stop + 1]
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    scores[rows, seen.indices[ends[0] : ends[-1]]] = EXCLUDED


def _thresholds(scores: Floats, k: int) -> Floats:
    """(rows,) a score that at least k columns of the row reach; NaN when one of them is NaN."""
    rows, count = scores.shape
    depth = count // (GROUPS_PER_PLACE * k)
    maxima = scores
    if depth >= LEAST_DEPTH:
        groups = count // depth  # column j is in group j modulo groups, so that maxima are taken of whole stretches
        maxima = scores[:, : depth * groups].reshape(rows, depth, groups).max(axis=1)
    place = maxima.shape[1] - k
    best = np.partition(maxima, place, axis=1)[:, place:]  # NaN count as the largest
    return np.where(np.isnan(best).any(axis=1), np.float32(np.nan), best[:, 0])


def _sorted(scores: Floats, flat: NDArray[np.int64], counts: NDArray[np.int64], k: int) -> Best:
    """Survivors (positions in the flattened block) in order of score, then column."""
    rows, count = scores.shape
    row_of = np.repeat(np.arange(rows), counts)
    columns = flat - row_of * count
    width = max(int(counts.max(initial=0)), 1)
    keys = np.full((rows, width), NOTHING)
    place = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts)
    keys[row_of, place] = _keys(scores.reshape(-1)[flat], columns)
    keys.sort(axis=1)
    keys = keys[:, :k]
    sizes = np.minimum(counts, k)
    best = np.full((rows, k), NO_COLUMN, dtype=np.int32)
    best[:, : keys.shape[1]] = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32)
    is_empty = np.arange(k) >= sizes[:, None]
    best[is_empty] = NO_COLUMN
    found = np.take_along_axis(scores, np.maximum(best, 0), axis=1)
    found[is_empty] = EXCLUDED
    return Best(best, found, sizes)


def _keys(scores: Floats, columns: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Numbers that ascend as scores descend, then by column."""
    bits = (scores + np.float32(0)).view(np.uint32)  # the sum makes -0 the same as 0
    descending = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
    return (descending.astype(np.uint64) << np.uint64(32)) | columns.astype(np.uint64)


def _row_by_row(scores: Floats, k: int) -> Best:
    """The same for rows with so many ties, or NaN, that the threshold is of no use."""
    rows = len(scores)
    best = np.full((rows, k), NO_COLUMN, dtype=np.int32)
    found = np.full((rows, k), EXCLUDED, dtype=np.float32)
    sizes = np.zeros(rows, dtype=np.int64)
    for at, row in enumerate(scores):
        usable = np.flatnonzero(row > EXCLUDED)
        if len(usable) > k:
            border = np.partition(row[usable], len(usable) - k)[len(usable) - k]
            usable = usable[row[usable] >= border]
        order = usable[np.argsort(-row[usable], kind="stable")[:k]]
        sizes[at] = len(order)
        best[at, : len(order)] = order
        found[at, : len(order)] = row[order]
    return Best(best, found, sizes)
