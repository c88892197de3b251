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
from os import cpu_count
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, columns_of, product, rows_of
from recommender.text import Arrays

PAPERS_PER_BLOCK = 1024
PANEL = 256  # columns that are summed at a time: their rows stay in the cache
INVERSE_BYTES = 12  # per entry of the matrix that is inverted: three float32 copies live at the same time
HALF_BYTES = 8  # per entry of the product that the dual form keeps beside it
WEIGHT_BYTES = 2
MEGABYTE = 1_000_000
SCALE = 256.0  # lifts small weights out of the coarse end of half precision
ROWS_PER_UNPACKING = 2  # rows read by the readers, in units of all rows, from which unpacking everything is cheaper


@dataclass(frozen=True, slots=True)
class ItemWeights:
    """Weights between papers with history; those beyond the memory budget have none."""

    weights: NDArray[np.float16]  # (head, head) row: paper in the history, column: paper scored; times SCALE
    head: NDArray[np.int32]  # (head,) ascending columns of the history that take part
    panels: tuple[Floats, ...] = ()  # (head, PANEL) each: the same at their true size, where many readers are scored

    @classmethod
    def fit(
        cls,
        history: Csr,
        directions: Floats,
        *,
        l2: float,
        l2_per_reader: float,
        text_weight: float,
        budget_mb: float,
        most: int = 0,
    ) -> Self:
        """Weights from (readers, warm) confidence and (warm, dim) unit text vectors.

        Head rule: when the dense matrices would pass the budget, or the papers are more than `most` (0: any number),
        only those with most readers take part.
        """
        fitting = largest_head(history.shape, directions.shape[1], budget_mb=budget_mb)
        head = most_read(history, min(fitting, most) if most else fitting)
        inner = columns_of(history, head)
        penalty = l2 + l2_per_reader * np.asarray(inner.sum(axis=0), dtype=np.float32).ravel()
        pseudo = np.ascontiguousarray(text_weight * directions[head].T, dtype=np.float32)
        blocks = _dual_blocks if is_dual(inner.shape[0], len(pseudo), len(head)) else _primal_blocks
        weights = np.empty((len(head), len(head)), dtype=np.float16)
        start = 0
        for block in blocks(inner, pseudo, penalty):
            weights[:, start : start + len(block)] = (SCALE * block).T
            start += len(block)
        return cls(weights, head)

    def scores(self, history: Csr) -> Floats:
        """(readers, warm) float32 summed weights of what each reader has."""
        of_head = self.head_scores(history)
        if len(self.head) == history.shape[1]:
            return of_head
        out = np.zeros(history.shape, dtype=np.float32)
        out[:, self.head] = of_head
        return out

    def head_scores(self, history: Csr) -> Floats:
        """(readers, head) the same for the papers that take part."""
        inner = columns_of(history, self.head)
        out = np.zeros((inner.shape[0], len(self.head)), dtype=np.float32)
        if self.panels:
            for start, panel in zip(range(0, len(self.head), PANEL), self.panels, strict=True):
                out[:, start : start + PANEL] = inner @ panel
        else:
            for reader, (start, end) in enumerate(pairwise(inner.indptr.tolist())):
                rows = unpacked(self.weights[inner.indices[start:end]])
                np.dot(inner.data[start:end], rows, out=out[reader])
        return out

    def for_many(self, history: Csr, *, budget_mb: float) -> Self:
        """The weights unpacked, where that pays for this many readers and fits the budget; else as they are."""
        head = len(self.head)
        if history.nnz < ROWS_PER_UNPACKING * head or 4 * head * head > budget_mb * MEGABYTE:
            return self
        return replace(self, panels=tuple(unpacked(self.weights[:, at : at + PANEL]) for at in range(0, head, PANEL)))

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the weights."""
        return {"items_weights": self.weights, "items_head": self.head}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The weights of `to_arrays`."""
        return cls(arrays["items_weights"].view(np.float16), arrays["items_head"].view(np.int32))


def unpacked(weights: NDArray[np.float16]) -> Floats:
    """The same weights in single precision at their true size; several times faster than numpy's own conversion."""
    bits = weights.view(np.int16).astype(np.int32, order="C")
    bits <<= 13
    bits &= np.int32(-0x70002000)  # sign, exponent and mantissa in their places, the smeared sign taken out
    floats = bits.view(np.float32)
    floats *= np.float32(2.0**112 / SCALE)  # the exponents differ by 112
    return floats


def is_dual(readers: int, dim: int, head: int) -> bool:
    """True where the square of readers and directions is smaller than that of papers."""
    return readers + dim < head


def largest_head(shape: tuple[int, ...], dim: int, *, budget_mb: float) -> int:
    """How many of the papers of (readers, papers) can take part within the budget."""
    readers, papers = shape
    low, high = 0, papers
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fit_bytes(readers, dim, middle) <= budget_mb * MEGABYTE else (low, middle - 1)
    return low


def fit_bytes(readers: int, dim: int, head: int) -> float:
    """Bytes of the dense matrices that a fit with so many papers needs at the same time."""
    if not is_dual(readers, dim, head):
        return (INVERSE_BYTES + WEIGHT_BYTES) * head**2
    side = readers + dim
    return INVERSE_BYTES * side**2 + HALF_BYTES * side * head + WEIGHT_BYTES * head**2


def most_read(history: Csr, count: int) -> NDArray[np.int32]:
    """(at most count,) ascending columns with most readers."""
    papers = history.shape[1]
    if papers <= count:
        return np.arange(papers, dtype=np.int32)
    counts = np.bincount(history.indices, minlength=papers)
    return np.sort(np.argsort(-counts, kind="stable")[:count]).astype(np.int32)


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


def _primal_blocks(history: Csr, pseudo: Floats, penalty: Floats) -> Iterator[Floats]:
    """Weights, one row per scored paper, when papers are fewer than readers."""
    gram = pseudo.T @ pseudo
    transposed = as_csr(history.T)

    def add(start: int) -> None:  # the whole product would be a full sparse matrix
        papers = slice(start, start + PAPERS_PER_BLOCK // 4)
        gram[papers] += product(rows_of(transposed, papers), history).toarray()

    with ThreadPoolExecutor(cpu_count()) as pool:
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
