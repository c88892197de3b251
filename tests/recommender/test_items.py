"""Item weights against their definition."""

import numpy as np
import pytest

from recommender.domain import Csr, Floats
from recommender.items import SCALE, ItemWeights
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


def fit(history: Csr, directions: Floats, *, budget_mb: float = 100.0) -> ItemWeights:
    return ItemWeights.fit(
        history,
        directions,
        l2=L2,
        l2_per_reader=PER_READER,
        text_weight=TEXT,
        budget_mb=budget_mb,
    )


def dense(items: ItemWeights) -> Floats:
    """The weights among all papers, at their true size."""
    out = np.zeros((60, 60), dtype=np.float32)
    out[np.ix_(items.head, items.head)] = items.weights.astype(np.float32) / SCALE
    return out


@pytest.mark.parametrize("readers", [20, 40, 400])
def test_both_forms_give_the_regression_of_each_paper_on_the_others(readers: int) -> None:
    _, directions = world()
    history = plant(readers=readers, papers=60).dataset().user_items
    expected = by_definition(history, directions)
    assert np.abs(dense(fit(history, directions)) - expected).max() < 2e-3


def test_beyond_the_budget_only_the_most_read_papers_take_part() -> None:
    history, directions = world()
    small = dense(fit(history, directions, budget_mb=20 * 20 * 4 * 3 / 1e6))
    counts = np.bincount(history.indices, minlength=60)
    part = np.flatnonzero(small.any(axis=0))
    assert 0 < len(part) <= 20
    assert counts[part].min() >= np.sort(counts)[-20]


def test_a_reader_is_scored_by_the_sum_of_what_they_have() -> None:
    history, directions = world()
    weights = fit(history, directions)
    expected = history.toarray() @ dense(weights)
    assert np.allclose(weights.scores(history), expected, atol=1e-2)
