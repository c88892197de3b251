"""Metrics against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from recommender.metrics import (
    bootstrap_interval,
    coverage,
    gini,
    hit_rate,
    hits_of,
    mrr,
    ndcg_at_k,
    paired_bootstrap,
    recall_at_k,
)
from recommender.sparse import from_lists


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1), st.integers(1, 12))
def test_ndcg_agrees_with_scikit_learn(order: list[int], liked: set[int], k: int) -> None:
    truth = np.array([[paper in liked for paper in range(12)]], dtype=float)
    scores = np.zeros((1, 12))
    scores[0, order] = np.arange(12, 0, -1)
    hits = np.array([[paper in liked for paper in order]])
    ours = ndcg_at_k(hits, np.array([len(liked)]), k=k)[0]
    assert ours == pytest.approx(ndcg_score(truth, scores, k=k))


def test_recall_mrr_and_hit_rate_by_hand() -> None:
    hits = np.array([[False, True, False, True], [False, False, False, False]])
    held_out = np.array([4, 2])
    assert recall_at_k(hits, held_out, k=2).tolist() == [0.25, 0.0]
    assert recall_at_k(hits, held_out, k=9).tolist() == [0.5, 0.0]
    assert mrr(hits, k=4).tolist() == [0.5, 0.0]
    assert mrr(hits, k=1).tolist() == [0.0, 0.0]
    assert hit_rate(hits, k=1).tolist() == [0.0, 0.0]
    assert hit_rate(hits, k=2).tolist() == [1.0, 0.0]


def test_a_reader_with_nothing_held_out_scores_zero_not_nan() -> None:
    hits = np.zeros((1, 3), dtype=bool)
    assert ndcg_at_k(hits, np.array([0]), k=3).tolist() == [0.0]
    assert recall_at_k(hits, np.array([0]), k=3).tolist() == [0.0]


def test_a_perfect_short_list_is_worth_one() -> None:
    assert ndcg_at_k(np.ones((1, 2), dtype=bool), np.array([2]), k=20).tolist() == [1.0]


def test_hits_are_found_by_reader_and_paper() -> None:
    held_out = from_lists([np.array([2, 4]), np.array([0])], None, 5)
    lists = np.array([[4, 0, -1], [2, 0, 4]], dtype=np.int32)
    assert hits_of(lists, held_out).tolist() == [[True, False, False], [False, True, False]]
    assert not hits_of(lists, from_lists([np.array([], int)] * 2, None, 5)).any()


def test_coverage_counts_papers_shown_to_anybody() -> None:
    assert coverage(np.array([[0, 1], [1, -1]], dtype=np.int32), papers=4) == 0.5


def test_gini_is_zero_for_equal_shares_and_high_for_one_winner() -> None:
    assert gini(np.array([[0, 1], [2, 3]], dtype=np.int32), papers=4) == pytest.approx(0.0)
    assert gini(np.zeros((50, 1), dtype=np.int32), papers=100) == pytest.approx(0.99)


def test_an_interval_holds_its_mean_and_follows_the_seed() -> None:
    values = np.random.default_rng(0).random(200)
    interval = bootstrap_interval(values, seed=1)
    assert interval.low < interval.mean < interval.high
    assert interval.high - interval.low == pytest.approx(4 * values.std() / np.sqrt(200), rel=0.15)
    assert bootstrap_interval(values, seed=1) == interval
    assert bootstrap_interval(values, seed=2) != interval


def test_a_paired_comparison_sees_what_two_intervals_hide() -> None:
    values = np.random.default_rng(0).random(300)
    better = values + 0.02
    assert paired_bootstrap(better, values, seed=0).low > 0
    assert bootstrap_interval(better, seed=0).low < bootstrap_interval(values, seed=0).high
    with pytest.raises(ValueError, match="same readers"):
        paired_bootstrap(values, values[1:], seed=0)
