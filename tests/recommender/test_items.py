"""Item weights against their definition."""

import numpy as np
import pytest

from recommender.domain import Csr, Floats
from recommender.items import PANEL, SCALE, ItemWeights, unpacked
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


def fit(history: Csr, directions: Floats, *, threads: int = 0) -> ItemWeights:
    return ItemWeights.fit(history, directions, l2=L2, l2_per_reader=PER_READER, text_weight=TEXT, threads=threads)


def dense(items: ItemWeights) -> Floats:
    """The weights at their true size."""
    return items.weights.astype(np.float32) / SCALE


@pytest.mark.parametrize("readers", [20, 40, 400])
def test_both_forms_give_the_regression_of_each_paper_on_the_others(readers: int) -> None:
    _, directions = world()
    history = plant(readers=readers, papers=60).dataset().user_items
    expected = by_definition(history, directions)
    assert np.abs(dense(fit(history, directions)) - expected).max() < 2e-3


def test_a_reader_is_scored_by_the_sum_of_what_they_have() -> None:
    history, directions = world()
    weights = fit(history, directions)
    expected = history.toarray() @ dense(weights)
    assert np.allclose(weights.scores(history), expected, atol=1e-2)


def test_every_half_precision_number_unpacks_to_itself() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert np.array_equal(unpacked(halves), halves.astype(np.float32) / SCALE)


def test_many_readers_get_the_scores_that_each_gets_alone() -> None:
    history = plant(readers=400, papers=PANEL + 90).dataset().user_items
    weights = fit(history, np.zeros((PANEL + 90, 0), np.float32))
    ready = weights.for_many(history, budget_mb=100.0)
    assert len(ready.panels) == 2
    assert not weights.for_many(history[:1], budget_mb=100.0).panels
    assert not weights.for_many(history, budget_mb=0.1).panels
    assert np.allclose(ready.scores(history), weights.scores(history), atol=1e-5)


@pytest.mark.parametrize("readers", [40, 400])
def test_the_same_history_gives_the_same_bits(readers: int) -> None:
    history = plant(readers=readers, papers=300).dataset().user_items
    nothing = np.zeros((300, 0), np.float32)
    assert np.array_equal(fit(history, nothing).weights, fit(history, nothing).weights)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    history = plant(readers=400, papers=300).dataset().user_items
    nothing = np.zeros((300, 0), np.float32)
    assert np.array_equal(fit(history, nothing, threads=1).weights, fit(history, nothing, threads=3).weights)
