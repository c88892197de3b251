"""The traps of implicit, each held."""

import os
import subprocess
import sys

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_info, threadpool_limits

from recommender.als import AlsFactors
from recommender.sparse import empty_csr
from tests.planted import plant

L2, ALPHA = 0.5, 7.0


def fitted(*, seed: int = 0) -> AlsFactors:
    return AlsFactors.fit(plant().dataset().user_items, rank=6, l2=L2, alpha=ALPHA, epochs=4, seed=seed, threads=1)


def test_fold_in_equals_the_recalculation_of_implicit() -> None:
    items = plant().dataset().user_items
    with threadpool_limits(1, user_api="blas"):
        bare = AlternatingLeastSquares(factors=6, regularization=L2, alpha=ALPHA, random_state=0)
        bare.item_factors = fitted().item_factors
        expected = bare.recalculate_user(np.arange(items.shape[0]), csr_matrix(items))
    assert np.abs(fitted().fold_in(items, threads=1) - expected).max() < 1e-4


def test_fold_in_solves_the_stated_equations() -> None:
    items = plant().dataset().user_items
    factors = fitted()
    start, end = items.indptr[:2]
    liked = factors.item_factors[items.indices[start:end]].astype(np.float64)
    confidence = ALPHA * items.data[start:end].astype(np.float64)
    left = factors.gram + liked.T @ ((confidence - 1)[:, None] * liked) + L2 * np.eye(6)
    expected = np.linalg.solve(left, liked.T @ confidence)
    assert np.abs(factors.fold_in(items[:1], threads=1)[0] - expected).max() < 1e-4


def test_a_second_fit_does_not_start_from_the_first() -> None:
    assert np.array_equal(fitted().item_factors, fitted().item_factors)
    assert not np.array_equal(fitted(seed=1).item_factors, fitted().item_factors)


def test_more_threads_give_the_same_bits() -> None:
    items = plant().dataset().user_items
    two = AlsFactors.fit(items, rank=6, l2=L2, alpha=ALPHA, epochs=4, seed=0, threads=2)
    assert np.array_equal(two.item_factors, fitted().item_factors)


def test_a_reader_without_history_folds_in_to_zeros() -> None:
    items = plant().dataset().user_items
    nobody = empty_csr(1, items.shape[1])
    assert not fitted().fold_in(nobody, threads=1).any()
    assert fitted().fold_in(items[:0]).shape == (0, 6)


def test_importing_the_library_first_puts_blas_at_one_thread() -> None:
    script = (
        "import recommender, numpy, scipy.linalg; from threadpoolctl import threadpool_info as info; "
        "print({lib['num_threads'] for lib in info() if lib['user_api'] == 'blas'})"
    )
    unset = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    out = subprocess.run([sys.executable, "-c", script], env=unset, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "{1}"


def test_a_fit_leaves_the_thread_settings_as_they_were() -> None:
    before = threadpool_info()
    fitted()
    assert threadpool_info() == before
