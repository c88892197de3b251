"""Item-to-item weights: which saved paper speaks for which other, by regression (EASE, Steck 2019).

Words take part as further readers: each leading direction of the text vectors is a reader who "likes" papers
by their coordinate. The penalty of a paper grows with its readers, which acts like dropout. Only the largest
weights of each paper are kept, so a model stays small and a fold-in is one sparse product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, lapack, solve_triangular
from scipy.sparse import coo_array, csr_array, vstack

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, columns_of, csr_of, empty_csr, product, rows_of
from recommender.text import Arrays

PAPERS_PER_BLOCK = 1024
BYTES_PER_ENTRY = 4
DENSE_COPIES = 3  # dense square matrices that live at the same time while fitting
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class ItemWeights:
    """Sparse weights between papers with history; papers beyond the memory budget have none."""

    weights: Csr  # (warm, warm) row: paper in the history, column: paper to be scored

    @classmethod
    def fit(
        cls,
        history: Csr,
        directions: Floats,
        *,
        l2: float,
        l2_per_reader: float,
        text_weight: float,
        keep: int,
        budget_mb: float,
    ) -> Self:
        """Weights from (readers, warm) confidence and (warm, dim) unit text vectors.

        Head rule: when the dense matrices would pass the budget, only the papers with most readers take part.
        """
        head = _head(history, budget_mb=budget_mb)
        inner = columns_of(history, head)
        penalty = l2 + l2_per_reader * np.asarray(inner.sum(axis=0), dtype=np.float32).ravel()
        pseudo = text_weight * directions[head].T
        is_dual = inner.shape[0] + len(pseudo) < len(head)
        blocks = _dual_blocks if is_dual else _primal_blocks
        kept = [_largest(block, keep) for block in blocks(inner, pseudo, penalty)]
        return cls(_spread(kept, head, history.shape[1]))

    def scores(self, history: Csr) -> Floats:
        """(readers, warm) float32 summed weights of what each reader has."""
        return as_csr(history @ self.weights).toarray()

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the weights."""
        return {
            "items_data": self.weights.data,
            "items_indices": self.weights.indices.astype(np.int32),
            "items_indptr": self.weights.indptr.astype(np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The weights of `to_arrays`."""
        indices, indptr = arrays["items_indices"].view(np.int32), arrays["items_indptr"].view(np.int64)
        papers = len(indptr) - 1
        return cls(csr_of(arrays["items_data"], indices, indptr, (papers, papers)))


def _head(history: Csr, *, budget_mb: float) -> NDArray[np.intp]:
    """Columns that take part, ascending: all, or the most read ones that fit the budget."""
    papers = history.shape[1]
    most = int(np.sqrt(budget_mb * MEGABYTE / BYTES_PER_ENTRY / DENSE_COPIES))
    if papers <= most:
        return np.arange(papers)
    counts = np.bincount(history.indices, minlength=papers)
    return np.sort(np.argsort(-counts, kind="stable")[:most])


def _dual_blocks(history: Csr, pseudo: Floats, penalty: Floats) -> Iterator[Floats]:
    """Weights, one row per scored paper, when readers are fewer than papers, by the identity of Woodbury."""
    root = np.sqrt(penalty)
    rows = np.concatenate([history.toarray(), pseudo]).astype(np.float32)
    rows /= root
    gram = rows @ rows.T
    gram[np.diag_indices_from(gram)] += 1
    lower = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    half = solve_triangular(lower, rows, lower=True, overwrite_b=True, check_finite=False)
    diagonal = (1 - np.einsum("ij,ij->j", half, half)) / penalty
    inner = half.T @ half  # numpy computes one triangle of a matrix times its own transpose
    del half, rows
    for start in range(0, len(penalty), PAPERS_PER_BLOCK):
        papers = slice(start, start + PAPERS_PER_BLOCK)
        block = np.asarray(inner[papers] / root, dtype=np.float32)
        block /= (root * diagonal)[papers, None]
        yield _without_self(block, start)


def _primal_blocks(history: Csr, pseudo: Floats, penalty: Floats) -> Iterator[Floats]:
    """Weights, one row per scored paper, when papers are fewer than readers."""
    gram = pseudo.T @ pseudo
    transposed = as_csr(history.T)
    for start in range(0, len(penalty), PAPERS_PER_BLOCK):  # the whole product would be a full sparse matrix
        papers = slice(start, start + PAPERS_PER_BLOCK)
        gram[papers] += product(rows_of(transposed, papers), history).toarray()
    gram[np.diag_indices_from(gram)] += penalty
    lower, _ = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(lower, lower=1, overwrite_c=1)
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    diagonal = inverse.diagonal().copy()
    for start in range(0, len(penalty), PAPERS_PER_BLOCK):
        papers = slice(start, start + PAPERS_PER_BLOCK)
        block = np.asarray(inverse[papers] / -diagonal[papers, None], dtype=np.float32)
        yield _without_self(block, start)


def _without_self(block: Floats, start: int) -> Floats:
    papers = np.arange(len(block))
    block[papers, start + papers] = 0
    return block


def _largest(block: Floats, keep: int) -> Csr:
    """The `keep` entries of each row with the largest absolute value."""
    if keep < block.shape[1]:
        sizes = np.abs(block)
        sizes.partition(block.shape[1] - keep, axis=1)
        border = sizes[:, block.shape[1] - keep, None]
        block[np.abs(block) < border] = 0
    return as_csr(csr_array(block))


def _spread(kept: list[Csr], head: NDArray[np.intp], papers: int) -> Csr:
    """From weights (scored, history) among the head to (history, scored) among all papers with history."""
    if not kept:
        return empty_csr(papers, papers)
    among = as_csr(vstack(kept, format="csr")).tocoo()
    scored, liked = among.coords
    return as_csr(coo_array((among.data, (head[liked], head[scored])), shape=(papers, papers)))
