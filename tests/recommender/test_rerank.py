"""Re-ranking keeps its promises whatever the list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Floats, RankedList
from recommender.rerank import discount_popularity, diversify, drop, freshen, truncate
from recommender.text import normalise

NOW = 1_700_000_000.0
DAY = 86_400.0
sizes = st.integers(0, 25)


def ranked(size: int) -> RankedList:
    scores = np.sort(np.random.default_rng(size).random(size).astype(np.float32))[::-1].copy()
    return RankedList(np.arange(100, 100 + size), scores)


def vectors(size: int) -> Floats:
    raw = np.random.default_rng(size + 1).normal(size=(size, 4)).astype(np.float32)
    return normalise(raw)


def is_list_of(one: RankedList, among: RankedList) -> bool:
    is_unique = len(np.unique(one.paper_ids)) == len(one)
    return is_unique and bool(np.isin(one.paper_ids, among.paper_ids).all() and np.all(np.diff(one.scores) <= 0))


@given(sizes, st.sets(st.integers(95, 130)))
def test_dropped_ids_are_gone_and_the_rest_keeps_its_order(size: int, hidden: set[int]) -> None:
    before = ranked(size)
    after = drop(before, np.array(sorted(hidden), dtype=np.int64))
    assert after.paper_ids.tolist() == [pid for pid in before.paper_ids.tolist() if pid not in hidden]
    assert is_list_of(after, before)


@given(sizes, st.floats(0.1, 1000), st.floats(0, 5))
def test_freshness_reorders_and_loses_nothing(size: int, half_life: float, strength: float) -> None:
    before = ranked(size)
    published = NOW - np.random.default_rng(size).uniform(0, 900, size) * DAY
    after = freshen(before, published, now=NOW, half_life_days=half_life, strength=strength)
    assert sorted(after.paper_ids.tolist()) == before.paper_ids.tolist()
    assert is_list_of(after, before)


def test_of_two_equal_papers_the_newer_comes_first_and_unknown_age_last() -> None:
    level = RankedList(np.array([1, 2, 3]), np.full(3, 0.5, dtype=np.float32))
    published = np.array([np.nan, NOW - 50 * DAY, NOW])
    assert freshen(level, published, now=NOW, half_life_days=30).paper_ids.tolist() == [3, 2, 1]


@given(sizes, st.floats(0, 1), st.integers(1, 30))
def test_diversity_picks_k_of_the_list(size: int, diversity: float, k: int) -> None:
    before = ranked(size)
    after = diversify(before, vectors(size), diversity=diversity, k=k)
    assert len(after) == min(k, size)
    assert is_list_of(after, before)
    if size:
        assert after.paper_ids[0] == before.paper_ids[0]


@given(st.integers(1, 25), st.integers(1, 25))
def test_no_diversity_is_the_list_itself(size: int, k: int) -> None:
    before = ranked(size)
    assert diversify(before, vectors(size), diversity=0.0, k=k).paper_ids.tolist() == before.paper_ids[:k].tolist()


def test_diversity_passes_over_a_twin() -> None:
    twins = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    before = RankedList(np.array([1, 2, 3]), np.array([1.0, 0.9, 0.0], dtype=np.float32))
    assert diversify(before, twins, diversity=0.7, k=2).paper_ids.tolist() == [1, 3]
    with pytest.raises(ValueError, match="between 0 and 1"):
        diversify(before, twins, diversity=1.5, k=2)


@given(sizes, st.floats(0, 5))
def test_the_popularity_discount_reorders_and_loses_nothing(size: int, strength: float) -> None:
    before = ranked(size)
    readers = np.random.default_rng(size).integers(0, 99, size).astype(np.float32)
    after = discount_popularity(before, readers, strength=strength)
    assert sorted(after.paper_ids.tolist()) == before.paper_ids.tolist()
    assert is_list_of(after, before)


def test_of_two_equal_papers_the_less_popular_comes_first() -> None:
    level = RankedList(np.array([1, 2]), np.full(2, 0.5, dtype=np.float32))
    readers = np.array([90, 3], dtype=np.float32)
    assert discount_popularity(level, readers, strength=1.0).paper_ids.tolist() == [2, 1]


def test_truncating_keeps_the_best() -> None:
    assert truncate(ranked(9), k=2).paper_ids.tolist() == [100, 101]
