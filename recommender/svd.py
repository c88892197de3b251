"""Truncated singular vectors of a sparse matrix by random projection (Halko, Martinsson and Tropp 2011)."""

import numpy as np
from scipy.linalg import eigh, qr

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr

OVERSAMPLING = 16  # directions more than asked for, thrown away in the end
LEAST_SHARE = 1e-6  # of the largest singular value; below it a direction is noise


def leading_directions(matrix: Csr, count: int, *, passes: int, seed: int) -> Floats:
    """(columns, at most count) orthonormal right singular vectors, largest first, signs fixed.

    Each pass multiplies by the matrix and its transpose once more; rows are orthonormalised in between, so the
    long side of terms never is.
    """
    count = min(count, *matrix.shape)
    width = min(count + OVERSAMPLING, *matrix.shape)
    if width == 0:
        return np.zeros((matrix.shape[1], 0), dtype=np.float32)
    random = np.random.default_rng(seed).standard_normal((matrix.shape[1], width), dtype=np.float32)
    turned = as_csr(matrix.T)
    basis = _orthonormal(np.asarray(matrix @ random))
    for _ in range(passes):
        basis = _orthonormal(np.asarray(matrix @ (turned @ basis)))
    image = np.asarray(turned @ basis, dtype=np.float32)  # (columns, width)
    squares, turn = eigh((image.T @ image).astype(np.float64))
    order = np.argsort(-squares)[:count]
    order = order[squares[order] > LEAST_SHARE**2 * max(float(squares[-1]), 1e-30)]
    directions = image @ (turn[:, order] / np.sqrt(squares[order])).astype(np.float32)
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(len(order))]
    return np.ascontiguousarray(directions * np.where(largest < 0, -1, 1), dtype=np.float32)


def _orthonormal(columns: Floats) -> Floats:
    found, _ = qr(columns, mode="economic", overwrite_a=True, check_finite=False)
    return np.asarray(found, dtype=np.float32)
