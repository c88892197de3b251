"""Readers like this one: cosine of histories in which rare papers count more."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, csr_of, product
from recommender.text import Arrays

NEAREST = 100
FEW = 8  # readers that are compared one by one
SHARPNESS = 1.5  # exponent of the similarity
SAME_HISTORY = 0.9999  # a reader with the same papers, oneself for one, has nothing to add


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Histories of the readers of the fit."""

    histories: Csr  # (readers, warm) rows of length 1
    rarity: Floats  # (warm,)

    @classmethod
    def fit(cls, history: Csr) -> Self:
        """From (readers, warm) confidence; how much somebody liked a paper does not count."""
        readers, papers = history.shape
        counts = np.bincount(history.indices, minlength=papers)
        rarity = np.log(1 + readers / (1 + counts)).astype(np.float32)
        return cls(_weighted(history, rarity), rarity)

    def scores(self, history: Csr) -> Floats:
        """(readers, warm) float32 summed similarity of the nearest readers who have each paper."""
        asked = _weighted(history, self.rarity)
        if history.shape[0] <= FEW:  # the other way every entry of all histories is sorted by paper first
            alike = np.ascontiguousarray((self.histories @ asked.toarray().T).T)
        else:
            alike = product(asked, as_csr(self.histories.T)).toarray()
        alike[alike > SAME_HISTORY] = 0
        if alike.shape[1] > NEAREST:
            border = np.partition(alike, -NEAREST, axis=1)[:, -NEAREST, None]
            alike[alike < border] = 0
        alike **= np.float32(SHARPNESS)
        ones = csr_of(np.ones_like(self.histories.data), self.histories.indices, self.histories.indptr, self._shape)
        return np.asarray(product(as_csr(csr_array(alike)), ones).toarray(), dtype=np.float32)

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild it."""
        return {
            "neighbours_data": self.histories.data,
            "neighbours_indices": self.histories.indices.astype(np.int32),
            "neighbours_indptr": self.histories.indptr.astype(np.int32),
            "neighbours_rarity": self.rarity,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The value of `to_arrays`."""
        rarity = arrays["neighbours_rarity"].view(np.float32)
        indices, indptr = arrays["neighbours_indices"].view(np.int32), arrays["neighbours_indptr"].view(np.int32)
        shape = (len(indptr) - 1, len(rarity))
        return cls(csr_of(arrays["neighbours_data"], indices, indptr, shape), rarity)

    @property
    def _shape(self) -> tuple[int, int]:
        return (self.histories.shape[0], self.histories.shape[1])


def _weighted(history: Csr, rarity: Floats) -> Csr:
    """The same entries with the rarity of their paper, rows scaled to length 1."""
    data = rarity[history.indices]
    ends = np.concatenate([[0.0], np.cumsum(np.square(data, dtype=np.float64))])
    squares = ends[history.indptr[1:]] - ends[history.indptr[:-1]]
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    data = (data / np.repeat(lengths, np.diff(history.indptr))).astype(np.float32)
    return csr_of(data, history.indices, history.indptr, (history.shape[0], history.shape[1]))
