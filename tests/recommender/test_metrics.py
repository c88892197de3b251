"""Metrics against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from recommender.metrics import (
    RESAMPLES,
    bootstrap_interval,
    bootstrap_intervals,
    coverage,
    draws,
    gini,
    hit_rate,
    hits_of,
    intra_list_diversity,
    mrr,
    ndcg_at_k,
    novelty,
    paired_bootstrap,
    paired_tests,
    reader_shares,
    recall_at_k,
    spread_intervals,
)
from recommender.sparse import from_lists, row_sizes
from recommender.text import normalise

PAPERS = 30


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


@given(st.integers(0, 10_000), st.integers(1, 25))
def test_every_metric_stays_in_bounds_and_follows_its_reader(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    lists = np.array([random.permutation(PAPERS)[:20] for _ in range(9)], dtype=np.int32)
    lists[:, 15:] = np.where(random.random((9, 5)) < 0.5, -1, lists[:, 15:])
    truth = [np.sort(random.permutation(PAPERS)[: random.integers(1, 10)]) for _ in range(9)]
    vectors = normalise(random.standard_normal((PAPERS, 4)).astype(np.float32))
    shares = random.uniform(0.01, 1, PAPERS)

    def measured(
        order: np.ndarray[tuple[int], np.dtype[np.int64]],
    ) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
        held_out = from_lists([truth[at] for at in order], None, PAPERS)
        hits, counts = hits_of(lists[order], held_out), row_sizes(held_out)
        per_hit = [recall_at_k(hits, counts, k=k), ndcg_at_k(hits, counts, k=k), mrr(hits, k=k), hit_rate(hits, k=k)]
        return [*per_hit, novelty(lists[order], shares, k=k), intra_list_diversity(lists[order], vectors, k=k)]

    straight, shuffled = np.arange(9), random.permutation(9)
    for values in measured(straight)[:4]:
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    assert (measured(straight)[4] >= 0).all()
    assert (measured(straight)[5] <= 2).all()
    for before, after in zip(measured(straight), measured(shuffled), strict=True):
        assert after == pytest.approx(before[shuffled])
    assert coverage(lists, papers=PAPERS) == coverage(lists[shuffled], papers=PAPERS)
    assert 0 <= gini(lists, papers=PAPERS) == gini(lists[shuffled], papers=PAPERS) <= 1


@given(st.integers(1, 40), st.integers(1, 25))
def test_a_list_that_begins_with_all_answers_is_worth_one(answers: int, k: int) -> None:
    held_out = from_lists([np.arange(answers)], None, 60)
    hits, counts = hits_of(np.arange(50, dtype=np.int32)[None, :], held_out), row_sizes(held_out)
    assert ndcg_at_k(hits, counts, k=k) == pytest.approx([1.0])
    assert recall_at_k(hits, counts, k=max(k, answers)) == pytest.approx([1.0])
    assert mrr(hits, k=k).tolist() == hit_rate(hits, k=k).tolist() == [1.0]


def test_novelty_is_the_surprise_in_bits() -> None:
    user_items = from_lists([np.array([0, 1]), np.array([0]), np.array([0]), np.array([0])], None, 3)
    shares = reader_shares(user_items)
    assert shares.tolist() == [1.0, 0.25, 0.25]  # nobody has the last one
    lists = np.array([[0, 1], [1, -1], [-1, -1]], dtype=np.int32)
    assert novelty(lists, shares, k=2).tolist() == [1.0, 2.0, 0.0]


def test_diversity_is_one_minus_the_mean_cosine_of_pairs() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=np.float32)
    lists = np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2], [0, 3, -1], [1, -1, -1]], dtype=np.int32)
    assert intra_list_diversity(lists, vectors, k=3) == pytest.approx([0.0, 1.0, 2 / 3, 1.0, 0.0])


def test_diversity_in_blocks_equals_every_pair_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    vectors = normalise(random.standard_normal((PAPERS, 5)).astype(np.float32))
    lists = np.array([random.permutation(PAPERS)[:6] for _ in range(11)], dtype=np.int32)
    by_hand = [1 - (np.triu(vectors[row] @ vectors[row].T, 1).sum() / 15) for row in lists]
    monkeypatch.setattr("recommender.metrics.BLOCK_BYTES", 400)
    assert intra_list_diversity(lists, vectors, k=6) == pytest.approx(by_hand, abs=1e-5)


def test_intervals_of_columns_are_those_of_each_column_alone() -> None:
    columns = np.random.default_rng(0).random((70, 3))
    together = bootstrap_intervals(columns, seed=4)
    for at, interval in enumerate(together):
        alone = bootstrap_interval(columns[:, at], seed=4)
        assert (interval.mean, interval.low, interval.high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_every_resample_draws_as_many_readers_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draws(13, seed=2)))
    assert whole.shape == (RESAMPLES, 13)
    assert (whole.sum(axis=1) == 13).all()
    monkeypatch.setattr("recommender.metrics.BLOCK_BYTES", 8 * 13 * 7)  # seven resamples a block
    assert np.array_equal(np.concatenate(list(draws(13, seed=2))), whole)


def test_coverage_and_gini_come_with_intervals_around_them() -> None:
    random = np.random.default_rng(0)
    lists = np.minimum(random.geometric(0.02, (300, 10)), 399).astype(np.int32)
    covered, unequal = spread_intervals(lists, papers=400, seed=1)
    assert covered.mean == coverage(lists, papers=400)
    assert unequal.mean == pytest.approx(gini(lists, papers=400))
    for interval in (covered, unequal):
        assert interval.low < interval.mean < interval.high
        assert interval.high - interval.low < 0.1


def test_the_spread_of_one_resample_is_that_of_its_lists() -> None:
    lists = np.array([[0, 1], [2, 1], [5, 0]], dtype=np.int32)
    (drawn,) = draws(3, seed=9, resamples=1)
    again = np.repeat(lists, drawn[0].astype(int), axis=0)
    expected = (coverage(again, papers=8), gini(again, papers=8))
    sampled: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recommender.metrics._around", lambda _figure, sample, _confidence: sampled.extend(sample))
        spread_intervals(lists, papers=8, seed=9, resamples=1)
    assert sampled == pytest.approx(expected)


def test_nobody_shown_anything_covers_nothing() -> None:
    for interval in spread_intervals(np.full((4, 3), -1, dtype=np.int32), papers=5, seed=0):
        assert (interval.mean, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_a_paired_test_tells_a_difference_from_noise() -> None:
    random = np.random.default_rng(0)
    base = random.random((400, 2))
    other = base + np.array([0.03, 0.0]) + random.normal(0, 0.05, (400, 2))
    real, noise = paired_tests(other, base, seed=0)
    assert real.interval.low > 0
    assert real.p_value < 0.001
    assert noise.interval.low < 0 < noise.interval.high
    assert noise.p_value > 0.05
    back, _ = paired_tests(base, other, seed=0)
    assert back.interval.mean == pytest.approx(-real.interval.mean)
    assert back.p_value == pytest.approx(real.p_value)


def test_a_paired_test_of_a_model_with_itself_is_a_tie() -> None:
    values = np.random.default_rng(0).random((50, 1))
    (same,) = paired_tests(values, values, seed=0)
    assert (same.interval.mean, same.interval.low, same.interval.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="same readers"):
        paired_tests(values, values[1:], seed=0)
