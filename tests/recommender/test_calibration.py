"""One list out of two: the regressions and the split they are learned on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.calibration import LEARNED, LEARNED_PAPERS, LEARNED_WARM, Calibration, default, regress
from recommender.hybrid import Hybrid
from recommender.tuning import HIDDEN_PAIRS, hide, is_worth_it
from tests.planted import Planted, plant
from tests.recommender.kit import SMALL

TUNED = replace(SMALL, tuning_least_pairs=100)


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=300, papers=300, topics=6, saves_per_reader=15)


def test_a_regression_finds_the_coefficients_behind_the_labels() -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.normal(size=40_000), np.ones(40_000)], axis=1).astype(np.float32)
    is_liked = random.random(40_000) < 1 / (1 + np.exp(-(1.5 * rows[:, 0] - 2)))
    assert regress(rows, is_liked) == pytest.approx((1.5, -2.0), abs=0.1)


def test_labels_that_are_all_alike_give_finite_coefficients() -> None:
    rows = np.ones((50, 2), dtype=np.float32)
    assert np.all(np.isfinite(regress(rows, np.zeros(50, dtype=bool))))


@given(st.lists(st.floats(-5, 30, width=32), min_size=2, max_size=20))
def test_better_scores_never_give_worse_odds(values: list[float]) -> None:
    z = np.sort(np.array([values], dtype=np.float32), axis=1)
    warm = LEARNED.warm_odds(z, np.array([10]), np.ones(z.shape[1], np.float32))
    assert np.all(np.diff(warm) >= -1e-5)
    assert np.all(np.diff(LEARNED.cold_odds((z / 10).astype(np.float32), z)) >= -1e-5)


def test_the_default_is_what_was_learned_at_the_size_it_was_learned_at() -> None:
    assert default(warm=LEARNED_WARM, papers=LEARNED_PAPERS) == LEARNED
    assert default(warm=100, papers=120).warm[-1] > LEARNED.warm[-1]


def test_coefficients_that_turn_the_order_round_are_told() -> None:
    assert LEARNED.keeps_order
    assert not Calibration((-1.0, 1.0, 0.0, 0.0), LEARNED.cold).keeps_order
    assert not Calibration(LEARNED.warm, (1.0, -0.1, 0.0)).keeps_order


def test_what_is_hidden_and_what_is_left_are_apart_and_new_papers_keep_nothing(world: Planted) -> None:
    user_items = world.dataset().select(np.flatnonzero(~world.untouched).astype(np.int32)).user_items
    hidden = hide(user_items, new_share=0.2, seed=0)
    assert hidden.left.multiply(hidden.answers).nnz == 0
    left = np.bincount(hidden.left.indices, minlength=user_items.shape[1])
    new = np.flatnonzero((left == 0) & (np.bincount(user_items.indices, minlength=user_items.shape[1]) > 3))
    assert len(new) == pytest.approx(0.2 * user_items.shape[1], abs=4)
    assert hidden.left.nnz == pytest.approx((1 - HIDDEN_PAIRS) * 0.8 * user_items.nnz, rel=0.1)


def test_a_model_learns_its_calibration_where_there_are_pairs_enough(world: Planted) -> None:
    tuned, plain = (Hybrid.fit(world.dataset(), config, seed=0).calibration for config in (TUNED, SMALL))
    assert tuned is not None
    assert tuned != plain
    assert tuned.keeps_order
    assert tuned == Hybrid.fit(world.dataset(), TUNED, seed=0).calibration


def test_tuning_can_be_turned_off_and_is_bounded(world: Planted) -> None:
    user_items = world.dataset().user_items
    assert is_worth_it(user_items, TUNED)
    assert not is_worth_it(user_items, replace(TUNED, tuning_readers=0))
    assert not is_worth_it(user_items, replace(TUNED, tuning_most_pairs=100))
    assert not is_worth_it(user_items, SMALL)
