"""Item weights against their definition."""

import numpy as np
import pytest

from recommender.domain import Csr, Floats
from recommender.items import ItemWeights
from tests.planted import plant

L2, PER_READER, TEXT = 2.0, 0.5, 1.5


def world() -> tuple[Csr, Floats]:
    history = plant(readers=40, papers=60).dataset().user_items
    random = np.random.default_rng(0)
    return history, random.normal(size=(60, 5)).astype(np.float32)


def by_definition(history: Csr, directions: Floats) -> Floats:
    """Ridge regression of every paper on all others, one at a time."""
    rows = np.concatenate([history.toarray(), TEXT * directions.T]).astype(np.float64)
    penalty = L2 + PER_READER * history.toarray().sum(axis=0)
    weights = np.zeros((rows.shape[1], rows.shape[1]))
    for paper in range(rows.shape[1]):
        others = np.delete(np.arange(rows.shape[1]), paper)
        left = rows[:, others]
        gram = left.T @ left + np.diag(penalty[others])
        weights[others, paper] = np.linalg.solve(gram, left.T @ rows[:, paper])
    return weights.astype(np.float32)


def fit(history: Csr, directions: Floats, *, keep: int = 60, budget_mb: float = 100.0) -> ItemWeights:
    return ItemWeights.fit(
        history,
        directions,
        l2=L2,
        l2_per_reader=PER_READER,
        text_weight=TEXT,
        keep=keep,
        budget_mb=budget_mb,
    )


@pytest.mark.parametrize("readers", [20, 40, 400])
def test_both_forms_give_the_regression_of_each_paper_on_the_others(readers: int) -> None:
    _, directions = world()
    history = plant(readers=readers, papers=60).dataset().user_items
    expected = by_definition(history, directions)
    assert np.abs(fit(history, directions).weights.toarray() - expected).max() < 2e-3


def test_only_the_largest_weights_are_kept() -> None:
    history, directions = world()
    full = fit(history, directions).weights.toarray()
    few = fit(history, directions, keep=7).weights.toarray()
    assert np.all((few != 0).sum(axis=0) <= 7)
    for column in range(60):
        assert np.abs(few[:, column]).sum() == pytest.approx(np.sort(np.abs(full[:, column]))[-7:].sum(), rel=1e-4)


def test_beyond_the_budget_only_the_most_read_papers_take_part() -> None:
    history, directions = world()
    small = fit(history, directions, budget_mb=20 * 20 * 4 * 3 / 1e6).weights.toarray()
    counts = np.bincount(history.indices, minlength=60)
    part = np.flatnonzero(small.any(axis=0))
    assert 0 < len(part) <= 20
    assert counts[part].min() >= np.sort(counts)[-20]


def test_a_reader_is_scored_by_the_sum_of_what_they_have() -> None:
    history, directions = world()
    weights = fit(history, directions)
    expected = history.toarray() @ weights.weights.toarray()
    assert np.allclose(weights.scores(history), expected, atol=1e-4)
