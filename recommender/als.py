"""Alternating least squares by `implicit`, and the exact fold-in of readers it has not seen."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recommender.domain import Csr, Floats


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
        with threadpool_limits(limits=1, user_api="blas"):
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
        if readers == 0 or self.rank == 0:
            return np.zeros((readers, self.rank), dtype=np.float32)
        with threadpool_limits(limits=1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=self.rank, regularization=self.l2, alpha=self.alpha, num_threads=threads
            )
            model.item_factors = self.item_factors
            model._YtY = self.gram  # would be recomputed for every call
            factors = model.recalculate_user(np.arange(readers), _as_matrix(user_items))
        return np.asarray(factors, dtype=np.float32)


def _as_matrix(user_items: Csr) -> csr_matrix[np.float32]:
    """implicit warns about anything but csr_matrix with 32-bit indices."""
    indices = user_items.indices.astype(np.int32, copy=False)
    indptr = user_items.indptr.astype(np.int32, copy=False)
    data = user_items.data.astype(np.float32, copy=False)
    return csr_matrix((data, indices, indptr), shape=user_items.shape)
