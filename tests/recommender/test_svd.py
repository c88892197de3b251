"""Leading directions against the exact decomposition."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recommender.domain import Csr
from recommender.sparse import as_csr, empty_csr
from recommender.svd import leading_directions


def matrix() -> Csr:
    """Singular values that fall off, as those of text do."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(80, 30)) * 0.7 ** np.arange(30)
    rows[random.random(rows.shape) < 0.3] = 0
    return as_csr(csr_array(rows.astype(np.float32)))


def test_the_directions_carry_the_energy_of_the_largest_singular_values() -> None:
    exact = np.linalg.svd(matrix().toarray(), compute_uv=False)
    found = np.linalg.norm(matrix() @ leading_directions(matrix(), 6, passes=2, seed=0), axis=0)
    assert found == pytest.approx(exact[:6], rel=1e-3)


def test_the_directions_are_orthonormal_and_repeat() -> None:
    found = leading_directions(matrix(), 6, passes=1, seed=3)
    assert np.allclose(found.T @ found, np.eye(6), atol=1e-4)
    assert np.array_equal(found, leading_directions(matrix(), 6, passes=1, seed=3))


def test_there_are_no_more_directions_than_the_matrix_has() -> None:
    same = as_csr(csr_array(np.ones((5, 4), dtype=np.float32)))
    assert leading_directions(same, 3, passes=2, seed=0).shape == (4, 1)
    assert leading_directions(empty_csr(5, 0), 3, passes=2, seed=0).shape == (0, 0)
