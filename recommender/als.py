"""Alternating least squares by `implicit`, and the exact fold-in of readers it has not seen."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.linalg import lapack
from scipy.sparse import csr_matrix

from recommender.domain import Csr, Floats
from recommender.threads import blas_threads, workers

READERS_PER_BLOCK = 64  # folded in at the same time


@dataclass(frozen=True, slots=True)
class AlsFactors:
    """Item factors with what a fold-in needs."""

    item_factors: Floats  # (papers, rank)
    gram: Floats  # (rank, rank) item_factors.T @ item_factors
    l2: float
    alpha: float

    @classmethod
    def fit(
        cls, user_items: Csr, *, rank: int, l2: float, alpha: float, epochs: int, seed: int, threads: int = 0
    ) -> Self:
        """Factors of a confidence matrix; the same seed gives the same bits."""
        with blas_threads(1):
            # A fresh object for every fit: a second fit on one object warm-starts or crashes.
            model = AlternatingLeastSquares(
                factors=rank,
                regularization=l2,
                alpha=alpha,
                iterations=epochs,
                num_threads=threads,
                random_state=int(seed),
            )
            model.fit(_as_matrix(user_items), show_progress=False)
            return cls.of(np.asarray(model.item_factors, dtype=np.float32), l2=l2, alpha=alpha)

    @classmethod
    def of(cls, item_factors: Floats, *, l2: float, alpha: float) -> Self:
        """Factors that were made elsewhere."""
        return cls(item_factors, item_factors.T @ item_factors, l2, alpha)

    @property
    def rank(self) -> int:
        """Number of factors."""
        return int(self.item_factors.shape[1])

    def fold_in(self, user_items: Csr, *, threads: int = 0) -> Floats:
        """(readers, rank) exact least-squares factors; a reader without history gets zeros.

        Confidence is c = alpha * w with (c - 1) in the matrix and c on the right side.
        """
        readers = user_items.shape[0]
        folded = np.zeros((readers, self.rank), dtype=np.float32)
        if readers == 0 or self.rank == 0:
            return folded
        base = self.gram + np.float32(self.l2) * np.eye(self.rank, dtype=np.float32)

        def solve(start: int) -> None:
            block = slice(start, min(start + READERS_PER_BLOCK, readers))
            folded[block] = self._solved(user_items, block, base)

        starts = range(0, readers, READERS_PER_BLOCK)
        with blas_threads(1):
            if len(starts) == 1 or threads == 1:
                list(map(solve, starts))
            else:
                with ThreadPoolExecutor(workers(threads)) as pool:
                    list(pool.map(solve, starts))
        return folded

    def _solved(self, user_items: Csr, block: slice, base: Floats) -> Floats:
        """(readers, rank) factors of a block; products of whole histories are several times faster than pairs."""
        folded = np.zeros((block.stop - block.start, self.rank), dtype=np.float32)
        ends = user_items.indptr[block.start : block.stop + 1].tolist()
        for at, (start, end) in enumerate(pairwise(ends)):
            papers = self.item_factors[user_items.indices[start:end]]
            confidence = np.float32(self.alpha) * user_items.data[start:end]
            gram = (papers * (confidence - 1)[:, None]).T @ papers
            gram += base
            _, solution, failed = lapack.sposv(gram.T, confidence @ papers, lower=1, overwrite_a=1, overwrite_b=1)
            folded[at] = 0 if failed else solution
        return folded


def _as_matrix(user_items: Csr) -> csr_matrix[np.float32]:
    """implicit warns about anything but csr_matrix with 32-bit indices."""
    indices = user_items.indices.astype(np.int32, copy=False)
    indptr = user_items.indptr.astype(np.int32, copy=False)
    data = user_items.data.astype(np.float32, copy=False)
    return csr_matrix((data, indices, indptr), shape=user_items.shape)
