"""Rows to which more are added without a copy of those that are there.

The first part is what was fitted or mapped from disk and is never copied: processes go on sharing its pages. Later
parts are merged whenever the newer one has caught up with the older, so n small additions leave log(n) parts and
each row is copied log(n) times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats
from recommender.sparse import columns_of, product, rows_of, stacked

Matrix = TypeVar("Matrix", Floats, Csr)


@dataclass(frozen=True, slots=True)
class Grown(Generic[Matrix]):
    """A matrix in parts, one under the other."""

    parts: tuple[Matrix, ...]  # at least one

    @classmethod
    def of(cls, rows: Matrix) -> Self:
        """The rows as the first part."""
        return cls((rows,))

    def __len__(self) -> int:
        return sum(part.shape[0] for part in self.parts)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (len(self), int(self.parts[0].shape[1]))

    def extended(self, more: Matrix) -> Self:
        """The same rows with more after them."""
        later = list(self.parts[1:])
        later.append(more)
        while len(later) > 1 and later[-1].shape[0] >= later[-2].shape[0]:
            newest = later.pop()
            later[-1] = _joined(later[-1], newest)
        return type(self)(self.parts[:1] + tuple(later))

    def spans(self) -> Iterator[tuple[slice, Matrix]]:
        """Each part with the rows it holds."""
        start = 0
        for part in self.parts:
            yield slice(start, start + part.shape[0]), part
            start += part.shape[0]

    def take(self, rows: NDArray[np.integer]) -> Matrix:
        """The chosen rows, in that order."""
        if len(self.parts) == 1 or len(rows) == 0:
            return _rows(self.parts[0], rows)
        starts = np.cumsum([0, *(part.shape[0] for part in self.parts)])
        part_of = np.searchsorted(starts, rows, side="right") - 1
        order = np.argsort(part_of, kind="stable")
        found = [
            _rows(self.parts[at], rows[order[part_of[order] == at]] - starts[at]) for at in np.unique(part_of).tolist()
        ]
        together = found[0]
        for more in found[1:]:
            together = _joined(together, more)
        return _rows(together, np.argsort(order, kind="stable"))

    def whole(self) -> Matrix:
        """All rows as one matrix: the first part itself while there is no other."""
        together = self.parts[0]
        for part in self.parts[1:]:
            together = _joined(together, part)
        return together


def weighted_rows(weights: Csr, rows: Grown[Matrix]) -> Matrix:
    """(readers, columns) the product, out of the rows that have weights alone."""
    used = np.unique(weights.indices)
    return _product(columns_of(weights, used), rows.take(used))


def _product(weights: Csr, rows: Matrix) -> Matrix:
    if isinstance(rows, np.ndarray):
        return np.asarray(weights @ rows, dtype=np.float32)
    return product(weights, rows)


def _rows(part: Matrix, rows: NDArray[np.integer]) -> Matrix:
    if isinstance(part, np.ndarray):
        return np.asarray(part[rows], dtype=np.float32)
    return rows_of(part, rows)


def _joined(first: Matrix, second: Matrix) -> Matrix:
    if isinstance(first, np.ndarray):
        return np.asarray(np.concatenate([first, second]), dtype=np.float32)
    return stacked(first, second)
