"""Item-to-item weights: which saved paper speaks for which other, by regression (EASE, Steck 2019).

Words take part as further readers: each leading direction of the text vectors is a reader who "likes" papers
by their coordinate. The penalty of a paper grows with its readers, which acts like dropout. All weights are
kept, in half precision: the many small ones together matter (the largest 500 per paper alone lose 9% of NDCG).
A fold-in reads one row per paper of the history; many readers at once take the weights unpacked.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, product, rows_of
from recommender.text import Arrays
from recommender.threads import workers

PAPERS_PER_BLOCK = 1024
ROWS_AT_ONCE = 32  # of packed weights, which stay in the cache
PANEL = 256  # columns that are summed at a time: their rows stay in the cache
INVERSE_BYTES = 12  # per entry of the matrix that is inverted: three float32 copies live at the same time
HALF_BYTES = 8  # per entry of the product that the dual form keeps beside it
WEIGHT_BYTES = 2
MEGABYTE = 1_000_000
SCALE = 256.0  # lifts small weights out of the coarse end of half precision
ROWS_PER_UNPACKING = 2  # rows read by the readers, in units of all rows, from which unpacking everything is cheaper


@dataclass(frozen=True, slots=True)
class ItemWeights:
    """Weights between all papers with history: with some left out, those sink, and none at all rank better."""

    weights: NDArray[np.float16]  # (warm, warm) row: paper in the history, column: paper scored; times SCALE
    panels: tuple[Floats, ...] = ()  # (warm, PANEL) each: the same at their true size, where many readers are scored

    @classmethod
    def fit(
        cls, history: Csr, directions: Floats, *, l2: float, l2_per_reader: float, text_weight: float, threads: int = 0
    ) -> Self:
        """Weights from (readers, warm) confidence and (warm, dim) unit text vectors; see `fit_bytes` for the memory."""
        readers, papers = history.shape
        penalty = l2 + l2_per_reader * np.asarray(history.sum(axis=0), dtype=np.float32).ravel()
        pseudo = np.ascontiguousarray(text_weight * directions.T, dtype=np.float32)
        if is_dual(readers, len(pseudo), papers):
            blocks = _dual_blocks(history, pseudo, penalty)
        else:
            blocks = _primal_blocks(history, pseudo, penalty, threads=threads)
        weights = np.empty((papers, papers), dtype=np.float16)
        start = 0
        for block in blocks:
            weights[:, start : start + len(block)] = (SCALE * block).T
            start += len(block)
        return cls(weights)

    def scores(self, history: Csr) -> Floats:
        """(readers, warm) float32 summed weights of what each reader has."""
        out = np.zeros(history.shape, dtype=np.float32)
        if self.panels:
            for start, panel in zip(range(0, len(self.weights), PANEL), self.panels, strict=True):
                out[:, start : start + PANEL] = history @ panel
        else:
            for reader, (start, end) in enumerate(pairwise(history.indptr.tolist())):
                for first in range(start, end, ROWS_AT_ONCE):
                    some = slice(first, min(first + ROWS_AT_ONCE, end))
                    out[reader] += history.data[some] @ unpacked(self.weights[history.indices[some]])
        return out

    def for_many(self, history: Csr, *, budget_mb: float) -> Self:
        """The weights unpacked, where that pays for this many readers and fits the budget; else as they are."""
        papers = len(self.weights)
        if history.nnz < ROWS_PER_UNPACKING * papers or 4 * papers**2 > budget_mb * MEGABYTE:
            return self
        return replace(self, panels=tuple(unpacked(self.weights[:, at : at + PANEL]) for at in range(0, papers, PANEL)))

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the weights."""
        return {"items_weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The weights of `to_arrays`."""
        return cls(arrays["items_weights"].view(np.float16))


def unpacked(weights: NDArray[np.float16]) -> Floats:
    """The same weights in single precision at their true size; several times faster than numpy's own conversion."""
    bits = weights.view(np.int16).astype(np.int32, order="C")
    bits <<= 13
    bits &= np.int32(-0x70002000)  # sign, exponent and mantissa in their places, the smeared sign taken out
    floats = bits.view(np.float32)
    floats *= np.float32(2.0**112 / SCALE)  # the exponents differ by 112
    return floats


def is_dual(readers: int, dim: int, papers: int) -> bool:
    """True where the square of readers and directions is smaller than that of papers."""
    return readers + dim < papers


def fit_bytes(readers: int, dim: int, papers: int) -> float:
    """Bytes of the dense matrices that a fit needs at the same time."""
    if not is_dual(readers, dim, papers):
        return float(INVERSE_BYTES + WEIGHT_BYTES) * papers**2
    side = readers + dim
    return float(INVERSE_BYTES) * side**2 + HALF_BYTES * side * papers + WEIGHT_BYTES * papers**2


def _dual_blocks(history: Csr, pseudo: Floats, penalty: Floats) -> Iterator[Floats]:
    """Weights, one row per scored paper, when readers are fewer than papers, by the identity of Woodbury.

    Only the square of the readers is inverted; every product with the history stays sparse.
    """
    readers = history.shape[0]
    lean = as_csr(history / penalty)
    lean_pseudo = pseudo / penalty
    middle = _inverse(_reader_gram(history, pseudo, lean, lean_pseudo))
    half = np.asarray(as_csr(lean.T) @ middle[:readers], dtype=np.float32)  # (papers, readers + dim)
    half += lean_pseudo.T @ middle[readers:]
    del middle
    turned = as_csr(lean.T)
    diagonal = 1 / penalty - _own_products(turned, lean_pseudo, half)
    for start in range(0, len(penalty), PAPERS_PER_BLOCK):
        papers = slice(start, start + PAPERS_PER_BLOCK)
        block = np.asarray(turned @ half[papers, :readers].T, dtype=np.float32).T
        block = np.ascontiguousarray(block)
        block += half[papers, readers:] @ lean_pseudo
        block /= diagonal[papers, None]
        yield _without_self(block, start)


def _reader_gram(history: Csr, pseudo: Floats, lean: Csr, lean_pseudo: Floats) -> Floats:
    """(readers + dim, readers + dim) products of the rows over the penalty, plus one on the diagonal."""
    readers = history.shape[0]
    gram = np.empty((readers + len(pseudo),) * 2, dtype=np.float32)
    for start in range(0, readers, PAPERS_PER_BLOCK):
        rows = slice(start, min(start + PAPERS_PER_BLOCK, readers))
        gram[rows, :readers] = product(rows_of(lean, rows), as_csr(history.T)).toarray()
    gram[:readers, readers:] = history @ np.ascontiguousarray(lean_pseudo.T)
    gram[readers:, :readers] = gram[:readers, readers:].T
    gram[readers:, readers:] = lean_pseudo @ pseudo.T
    gram[np.diag_indices_from(gram)] += 1
    return gram


def _inverse(gram: Floats) -> Floats:
    """The inverse of a symmetric positive matrix, which is overwritten."""
    # The transpose of a C-ordered matrix is Fortran-ordered, and here the same matrix: LAPACK works in place.
    lower, _ = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(lower, lower=1, overwrite_c=1)
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    return np.asarray(inverse, dtype=np.float32)


def _own_products(turned: Csr, pseudo: Floats, half: Floats) -> Floats:
    """(papers,) each paper's row of `half` times its own column of the readers' rows."""
    readers = turned.shape[1]
    papers = np.repeat(np.arange(turned.shape[0]), np.diff(turned.indptr))
    products = turned.data * half[papers, turned.indices]
    sparse = np.bincount(papers, weights=products, minlength=turned.shape[0])
    dense = np.einsum("ij,ji->i", half[:, readers:], pseudo)
    return np.asarray(sparse + dense, dtype=np.float32)


def _primal_blocks(history: Csr, pseudo: Floats, penalty: Floats, *, threads: int) -> Iterator[Floats]:
    """Weights, one row per scored paper, when papers are fewer than readers."""
    gram = pseudo.T @ pseudo
    transposed = as_csr(history.T)

    def add(start: int) -> None:  # the whole product would be a full sparse matrix
        papers = slice(start, start + PAPERS_PER_BLOCK // 4)
        gram[papers] += product(rows_of(transposed, papers), history).toarray()

    with ThreadPoolExecutor(workers(threads)) as pool:
        list(pool.map(add, range(0, len(penalty), PAPERS_PER_BLOCK // 4)))
    gram[np.diag_indices_from(gram)] += penalty
    inverse = _inverse(gram)
    diagonal = inverse.diagonal().copy()
    for start in range(0, len(penalty), PAPERS_PER_BLOCK):
        papers = slice(start, start + PAPERS_PER_BLOCK)
        block = np.asarray(inverse[papers] / -diagonal[papers, None], dtype=np.float32)
        yield _without_self(block, start)


def _without_self(block: Floats, start: int) -> Floats:
    papers = np.arange(len(block))
    block[papers, start + papers] = 0
    return block
