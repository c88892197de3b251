"""One list out of two: the regressions and the split they are learned on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.calibration import LEARNED, LEARNED_PAPERS, LEARNED_WARM, Calibration, default, regress
from recommender.dataset import Dataset, build_dataset
from recommender.domain import Interactions, PaperTexts
from recommender.hybrid import Hybrid
from recommender.sparse import row_sizes
from recommender.tuning import HIDDEN_PAIRS, SHORTENED, SHOWN, arrival, hide, is_worth_it, shortened
from tests.planted import Planted, plant
from tests.recommender.kit import SMALL, WEIGHTS

TUNED = replace(SMALL, tuning_least_pairs=100)


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=300, papers=300, topics=6, saves_per_reader=15)


def test_a_regression_finds_the_coefficients_behind_the_labels() -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.normal(size=40_000), np.ones(40_000)], axis=1).astype(np.float32)
    is_liked = random.random(40_000) < 1 / (1 + np.exp(-(1.5 * rows[:, 0] - 2)))
    assert regress(rows, is_liked) == pytest.approx((1.5, -2.0), abs=0.1)


def test_a_column_that_must_not_lower_the_odds_is_left_out_when_it_would() -> None:
    random = np.random.default_rng(0)
    rows = np.stack([*random.normal(size=(2, 40_000)), np.ones(40_000)], axis=1).astype(np.float32)
    is_liked = random.random(40_000) < 1 / (1 + np.exp(-(1.5 * rows[:, 0] - 0.5 * rows[:, 1] - 1)))
    first, second, base = regress(rows, is_liked, rising=2)
    assert (first, base) == pytest.approx(regress(rows[:, [0, 2]], is_liked))
    assert second == 0.0
    assert regress(rows, is_liked, rising=1) == pytest.approx((1.5, -0.5, -1.0), abs=0.1)


def test_labels_that_are_all_alike_give_finite_coefficients() -> None:
    rows = np.ones((50, 2), dtype=np.float32)
    assert np.all(np.isfinite(regress(rows, np.zeros(50, dtype=bool))))


@given(st.lists(st.floats(-5, 30, width=32), min_size=2, max_size=20))
def test_better_scores_never_give_worse_odds(values: list[float]) -> None:
    z = np.sort(np.array([values], dtype=np.float32), axis=1)
    for saves in (1, 10):
        warm = LEARNED.warm_odds(z, np.array([saves]), np.ones(z.shape[1], np.float32))
        assert np.all(np.diff(warm) >= -1e-5)
    assert np.all(np.diff(LEARNED.cold_odds((z / 10).astype(np.float32), z, np.array([10]))) >= -1e-5)


def test_the_default_is_what_was_learned_at_the_size_it_was_learned_at() -> None:
    assert default(warm=LEARNED_WARM, papers=LEARNED_PAPERS) == LEARNED
    assert default(warm=100, papers=120).warm[-1] > LEARNED.warm[-1]


def test_coefficients_that_turn_the_order_round_are_told() -> None:
    assert LEARNED.keeps_order
    assert not Calibration((-1.0, *LEARNED.warm[1:]), LEARNED.cold).keeps_order
    assert not Calibration(LEARNED.warm, (1.0, -0.1, 0.0, 0.0)).keeps_order
    with_one_save = (*LEARNED.warm[:5], LEARNED.warm[0], LEARNED.warm[6])
    assert not Calibration(with_one_save, LEARNED.cold).keeps_order


def test_what_is_hidden_and_what_is_left_are_apart_and_new_papers_keep_nothing(world: Planted) -> None:
    user_items = world.dataset().select(np.flatnonzero(~world.untouched).astype(np.int32)).user_items
    hidden = hide(user_items, new_share=0.2, seed=0)
    assert hidden.left.multiply(hidden.answers).nnz == 0
    left = np.bincount(hidden.left.indices, minlength=user_items.shape[1])
    new = np.flatnonzero((left == 0) & (np.bincount(user_items.indices, minlength=user_items.shape[1]) > 3))
    assert len(new) == pytest.approx(0.2 * user_items.shape[1], abs=4)
    assert hidden.left.nnz == pytest.approx((1 - HIDDEN_PAIRS) * 0.8 * user_items.nnz, rel=0.1)


def test_few_saves_move_both_kinds_alike_by_default() -> None:
    """With the default numbers new papers do not flood the list of a reader who has just come."""
    z = np.full((1, 1), 4.0, np.float32)
    leads = []
    for saves in (1, 10):
        raw = np.full((1, 1), 0.02 * saves, np.float32)  # a sum over the saves
        sizes = np.array([saves])
        warm = LEARNED.warm_odds(z, sizes, np.full(1, 10, np.float32))
        leads.append(float((warm - LEARNED.cold_odds(raw, z, sizes))[0, 0]))
    assert leads[0] > leads[1] - 1.0


def test_readers_who_show_few_saves_show_some_of_their_own(world: Planted) -> None:
    past = world.dataset().user_items
    random = np.random.default_rng(0)
    shown = shortened(past, random)
    sizes = row_sizes(shown)
    assert past.multiply(shown).nnz == shown.nnz
    is_short = sizes < row_sizes(past)
    assert set(sizes[is_short].tolist()) == set(SHOWN)
    assert is_short.mean() == pytest.approx(SHORTENED, abs=0.1)


def timed(first: list[int], second: list[int]) -> Dataset:
    """Ninety likings of each of the first papers, then one of each of the second, one reader each, of 20 papers."""
    papers = [*first * 90, *second]
    log = Interactions.saves(np.arange(len(papers)), np.array(papers))
    log = replace(log, occurred_at=np.arange(len(papers), dtype=np.float64))
    return build_dataset(log, PaperTexts.empty(np.arange(20)), now=1e9, weights=WEIGHTS)


def test_new_papers_are_liked_as_often_as_the_latest_likings_say() -> None:
    rare, common = arrival(timed([0], [0] * 9 + [1])), arrival(timed([0], [0] * 5 + [1, 2, 3, 4, 5]))
    assert rare is not None
    assert common is not None
    assert rare == pytest.approx(np.log(2 / 19) - np.log(10 / 1))
    assert common == pytest.approx(np.log(6 / 19) - np.log(6 / 1))


def test_nothing_is_said_of_new_papers_without_times(world: Planted) -> None:
    dataset = world.dataset()
    assert arrival(dataset) is None
    assert arrival(replace(dataset, times=np.zeros_like(dataset.times))) is None


def test_where_new_papers_are_seldom_liked_they_rank_lower() -> None:
    calm = plant(readers=300, papers=300, topics=6, saves_per_reader=15, is_timed=True).dataset()
    learned = [Hybrid.fit(data, TUNED, seed=0).calibration for data in (calm, replace(calm, times=calm.times * np.nan))]
    with_times, without = learned
    assert with_times is not None
    assert without is not None
    assert with_times.warm == without.warm
    assert with_times.cold[:-1] == without.cold[:-1]
    assert with_times.cold[-1] < without.cold[-1]


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
