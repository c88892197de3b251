"""Rows to which more are added without a copy of those that are there.

The first part is what was fitted or mapped from disk and is never copied: processes go on sharing its pages. Later
parts are merged whenever the newer one has caught up with the older, so n small additions leave log(n) parts and
each row is copied log(n) times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, columns_of, csr_of, product, rows_of, stacked

Matrix = TypeVar("Matrix", Floats, Csr)
Chosen: TypeAlias = NDArray[np.integer]
DENSE_ROWS, SPARSE_ROWS = 256, 2048  # that are copied at a time for a product, and stay in the cache of the processor
EVERY_COLUMN = slice(None)
MOST_PASSED_OVER = 2  # rows read in one stretch, in units of those that were chosen


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

    def take(self, rows: Chosen, *, columns: slice = EVERY_COLUMN) -> Matrix:
        """The chosen rows, in that order, of all columns or of some next to each other."""
        if len(self.parts) == 1 or len(rows) == 0:
            return _rows(self.parts[0], rows, columns)
        found = [(places, _rows(part, inside, columns)) for places, part, inside in self._within(rows)]
        order, together = found[0]
        for places, more in found[1:]:
            order, together = np.concatenate([order, places]), _joined(together, more)
        return _rows(together, np.argsort(order, kind="stable"), EVERY_COLUMN)

    def times(self, weights: Floats, *, rows: Chosen) -> Floats:
        """(rows, columns) the product of the chosen rows with dense weights; most rows are never copied."""
        if len(self.parts) == 1:
            return _times(self.parts[0], rows, weights)
        out = np.empty((len(rows), weights.shape[1]), dtype=np.float32)
        for places, part, inside in self._within(rows):
            out[places] = _times(part, inside, weights)
        return out

    def _within(self, rows: Chosen) -> Iterator[tuple[Chosen, Matrix, Chosen]]:
        """Of each part that is asked for anything: which of the rows, and where in the part they are."""
        starts = np.cumsum([0, *(part.shape[0] for part in self.parts)])
        part_of = np.searchsorted(starts, rows, side="right") - 1
        for at in np.unique(part_of).tolist():
            places = np.flatnonzero(part_of == at)
            yield places, self.parts[at], rows[places] - starts[at]

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


def _times(part: Matrix, rows: Chosen, weights: Floats) -> Floats:
    out = np.empty((len(rows), weights.shape[1]), dtype=np.float32)
    is_dense = isinstance(part, np.ndarray)
    step = DENSE_ROWS if is_dense else SPARSE_ROWS
    buffer = np.empty((step, part.shape[1] if is_dense else 0), dtype=np.float32)
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        first, end = int(chosen.min()), int(chosen.max()) + 1
        if end - first <= MOST_PASSED_OVER * len(chosen):
            out[start : start + step] = (_stretch(part, first, end) @ weights)[chosen - first]
        elif isinstance(part, np.ndarray):
            # Any mode but the default writes into the buffer at once.
            out[start : start + step] = part.take(chosen, axis=0, out=buffer[: len(chosen)], mode="clip") @ weights
        else:
            out[start : start + step] = rows_of(part, chosen) @ weights
    return out


def _stretch(part: Matrix, first: int, end: int) -> Matrix:
    """Neighbouring rows, without a copy."""
    if isinstance(part, np.ndarray):
        return part[first:end]
    entries = slice(int(part.indptr[first]), int(part.indptr[end]))
    indptr = part.indptr[first : end + 1] - part.indptr[first]
    return csr_of(part.data[entries], part.indices[entries], indptr, (end - first, part.shape[1]))


def _rows(part: Matrix, rows: Chosen, columns: slice) -> Matrix:
    if isinstance(part, np.ndarray):
        return np.asarray(part[:, columns][rows], dtype=np.float32)
    return rows_of(as_csr(part[:, columns]), rows) if columns != EVERY_COLUMN else rows_of(part, rows)


def _joined(first: Matrix, second: Matrix) -> Matrix:
    if isinstance(first, np.ndarray):
        return np.asarray(np.concatenate([first, second]), dtype=np.float32)
    return stacked(first, second)
