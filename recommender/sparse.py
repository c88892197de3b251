"""The few sparse-matrix moves the library makes, with their types said once."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, sparray, spmatrix, vstack

from recommender.domain import Csr, Floats


def as_csr(matrix: sparray | spmatrix) -> Csr:
    """Any two-dimensional sparse matrix as float32 csr_array; entries that are already so are shared."""
    converted = csr_array(matrix)  # type: ignore[call-overload]  # the stubs want a dtype-exact overload
    if converted.dtype != np.float32:
        converted = converted.astype(np.float32)
    return cast(Csr, converted)


def csr_of(
    data: NDArray[np.generic], indices: NDArray[np.integer], indptr: NDArray[np.integer], shape: tuple[int, int]
) -> Csr:
    """A csr_array from its three arrays."""
    parts = (data.astype(np.float32, copy=False), indices, indptr)
    return cast(Csr, csr_array(parts, shape=shape))


def empty_csr(rows: int, columns: int) -> Csr:
    """A matrix without entries."""
    return cast(Csr, csr_array((rows, columns), dtype=np.float32))


def from_lists(rows: Sequence[NDArray[np.integer]], data: Sequence[Floats] | None, columns: int) -> Csr:
    """One row per list of column indices; entries are 1 where no data is given."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    indices = np.concatenate([*rows, np.empty(0, np.int32)]).astype(np.int32)
    if data is None:
        return csr_of(np.ones(len(indices), np.float32), indices, indptr, (len(rows), columns))
    return csr_of(np.concatenate([*data, np.empty(0, np.float32)]), indices, indptr, (len(rows), columns))


def columns_of(matrix: Csr, columns: NDArray[np.integer]) -> Csr:
    """The chosen columns, in that order."""
    return as_csr(matrix[:, columns])


def rows_of(matrix: Csr, rows: NDArray[np.integer] | slice) -> Csr:
    """The chosen rows, in that order."""
    return as_csr(matrix[rows])


def holds_all(matrix: Csr, columns: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(rows,) which rows have an entry in each of these distinct columns."""
    is_wanted = np.zeros(matrix.shape[1], dtype=bool)
    is_wanted[columns] = True
    held = np.concatenate([[0], np.cumsum(is_wanted[matrix.indices])])
    return np.asarray(np.diff(held[matrix.indptr]) == len(columns))


def stacked(first: Csr, second: Csr) -> Csr:
    """The rows of both, one under the other."""
    return as_csr(vstack([first, second], format="csr"))


def hstacked(first: Csr, second: Csr) -> Csr:
    """The columns of both, side by side."""
    return as_csr(hstack([first, second], format="csr"))


def product(left: Csr, right: Csr) -> Csr:
    """The sparse product of two sparse matrices."""
    return as_csr(left @ right)


def row_sizes(matrix: Csr) -> NDArray[np.int64]:
    """Stored entries per row."""
    return np.diff(matrix.indptr).astype(np.int64)
