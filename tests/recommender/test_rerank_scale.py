"""Few scores far from the others leave a list as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Floats, RankedList
from recommender.rerank import discount_popularity, diversify, freshen, lower_alike
from recommender.rerank_scale import ordinary_range, ordinary_spread, to_relevance
from recommender.text import normalise

NOW = 1_700_000_000.0
DAY = 86_400.0
OUTLIER = 999
numbers = st.floats(-100, 100, width=32)
lists = st.lists(numbers, min_size=1, max_size=60).map(lambda scores: np.array(scores, dtype=np.float32))


def scores_of(size: int, seed: int) -> Floats:
    """Return a list's scores as the model's are: few high ones, a long tail."""
    raw = np.random.default_rng(seed).exponential(size=size) ** 2
    return np.sort(raw.astype(np.float32))[::-1].copy()


def vectors_of(size: int, seed: int) -> Floats:
    groups = np.random.default_rng(seed).normal(size=(6, 24))
    mixed = groups[np.arange(size) % 6] + 0.7 * np.random.default_rng(seed + 1).normal(size=(size, 24))
    return normalise(mixed.astype(np.float32))


def led_by_outliers(ranked: RankedList, *, count: int = 1) -> RankedList:
    """Return the list below papers of thirty times its best score."""
    far = (30 * ranked.scores[0] * np.arange(count, 0, -1)).astype(np.float32)
    ids = np.concatenate([np.arange(OUTLIER, OUTLIER + count), ranked.paper_ids])
    return RankedList(ids, np.concatenate([far, ranked.scores]))


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("seed", range(5))
def test_papers_far_above_a_list_leave_the_others_where_they_were(count: int, seed: int) -> None:
    ranked = RankedList(np.arange(200), scores_of(200, seed))
    of = vectors_of(200 + count, seed)
    alone = diversify(ranked, of[count:], diversity=0.1, k=20).paper_ids.tolist()
    below = diversify(led_by_outliers(ranked, count=count), of, diversity=0.1, k=20 + count).paper_ids.tolist()
    assert below[:count] == list(range(OUTLIER, OUTLIER + count))
    assert len(set(alone) & set(below[count:])) >= 18
    assert np.mean(np.abs(np.array(below[count:]) - np.arange(20))) < 5  # ids are places by score alone


def test_a_paper_far_below_a_list_leaves_the_others_where_they_were() -> None:
    ranked, of = RankedList(np.arange(100), scores_of(100, 3)), vectors_of(101, 3)
    low = RankedList(np.append(ranked.paper_ids, OUTLIER), np.append(ranked.scores, np.float32(-1000)))
    alone = diversify(ranked, of[:100], diversity=0.1, k=20).paper_ids.tolist()
    assert diversify(low, of, diversity=0.1, k=20).paper_ids.tolist() == alone


def test_what_is_added_to_scores_does_not_grow_with_a_paper_far_above() -> None:
    ranked = RankedList(np.arange(100), scores_of(100, 1))
    led = led_by_outliers(ranked)
    traits = np.random.default_rng(2).random(101).astype(np.float32)
    published = NOW - 300.0 * DAY * traits.astype(np.float64)

    def places(after: RankedList) -> list[int]:
        return [paper_id for paper_id in after.paper_ids.tolist() if paper_id != OUTLIER]

    def moved(after: RankedList, before: RankedList) -> float:
        return float(np.mean(np.array(places(after))[:20] != np.array(places(before))[:20]))

    fresh = freshen(ranked, published[1:], now=NOW, half_life_days=30, strength=0.1)
    assert moved(freshen(led, published, now=NOW, half_life_days=30, strength=0.1), fresh) <= 0.2
    rare = discount_popularity(ranked, traits[1:], strength=0.1)
    assert moved(discount_popularity(led, traits, strength=0.1), rare) <= 0.2
    lowered = lower_alike(ranked, traits[1:], strength=0.1)
    assert moved(lower_alike(led, traits, strength=0.1), lowered) <= 0.2


@given(lists)
def test_relevance_keeps_the_order_of_scores(scores: Floats) -> None:
    relevance = to_relevance(scores)
    assert np.isfinite(relevance).all()
    assert np.all(np.diff(relevance[np.argsort(scores, kind="stable")]) >= 0)


@given(numbers, st.integers(1, 30))
def test_equal_scores_are_equally_relevant(score: float, size: int) -> None:
    scores = np.full(size, score, dtype=np.float32)
    assert to_relevance(scores).tolist() == [0.0] * size
    assert ordinary_spread(scores) == 1.0


@given(lists)
def test_the_range_lies_within_that_of_all_scores(scores: Floats) -> None:
    low, high = ordinary_range(scores)
    assert float(scores.min()) <= low <= high <= float(scores.max()) + 1e-4


def test_a_list_without_outliers_goes_from_its_lowest_to_its_best_score() -> None:
    assert ordinary_range(np.array([1, 2, 3, 4], dtype=np.float32)) == (1.0, 4.0)
    assert to_relevance(np.array([4, 3, 2, 1], dtype=np.float32)).tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_no_scores_have_no_range() -> None:
    assert ordinary_range(np.array([], dtype=np.float32)) == (0.0, 0.0)
    assert to_relevance(np.array([], dtype=np.float32)).tolist() == []
