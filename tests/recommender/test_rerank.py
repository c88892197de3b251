"""Re-ranking keeps its promises whatever the list."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Floats, RankedList
from recommender.rerank import discount_popularity, diversify, drop, freshen, mmr_positions, truncate
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


@given(sizes, st.floats(0.1, 1000))
def test_without_strength_freshness_and_the_discount_change_nothing(size: int, half_life: float) -> None:
    before = ranked(size)
    ages, readers = np.full(size, NOW), np.arange(size, dtype=np.float32)
    assert freshen(before, ages, now=NOW, half_life_days=half_life, strength=0.0) is before
    assert discount_popularity(before, readers, strength=0.0) is before


@given(st.integers(2, 25), st.floats(1, 400), st.floats(0.01, 3))
def test_at_equal_scores_a_list_is_ordered_by_age_whatever_the_half_life(
    size: int, half_life: float, strength: float
) -> None:
    level = RankedList(np.arange(size), np.full(size, 0.5, dtype=np.float32))
    ages = np.random.default_rng(size).permutation(size).astype(np.float64) * 10
    after = freshen(level, NOW - ages * DAY, now=NOW, half_life_days=half_life, strength=strength)
    shown = ages[after.paper_ids]
    bonus = np.exp2(-shown / half_life).astype(np.float32)  # ages too far to be told apart keep their order
    assert np.all(np.diff(bonus) <= 1e-6)


@given(st.integers(2, 25), st.integers(0, 99))
def test_a_stronger_freshness_or_discount_never_moves_its_paper_the_other_way(size: int, seed: int) -> None:
    before = ranked(size)
    favoured = int(np.random.default_rng(seed).integers(size))
    published = np.full(size, np.nan)
    published[favoured] = NOW
    readers = np.zeros(size, dtype=np.float32)
    readers[favoured] = 50
    up, down = [], []
    for strength in (0.0, 0.1, 0.5, 1.0, 3.0):
        fresh = freshen(before, published, now=NOW, half_life_days=30, strength=strength)
        dull = discount_popularity(before, readers, strength=strength)
        up.append(fresh.paper_ids.tolist().index(100 + favoured))
        down.append(dull.paper_ids.tolist().index(100 + favoured))
    assert up == sorted(up, reverse=True)
    assert down == sorted(down)


def closeness(after: RankedList, of: Floats) -> float:
    """The mean cosine of two papers of a list."""
    chosen = of[after.paper_ids - 100]
    alike = chosen @ chosen.T
    return float((alike.sum() - np.trace(alike)) / (len(after) * (len(after) - 1)))


def test_more_diversity_makes_lists_less_alike_on_average() -> None:
    random = np.random.default_rng(4)
    levels = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
    found = np.zeros((40, len(levels)))
    for world in range(len(found)):
        groups = random.normal(size=(5, 8))[random.integers(5, size=60)]
        of = normalise((groups + 0.5 * random.normal(size=groups.shape)).astype(np.float32))
        before = RankedList(np.arange(100, 160), np.sort(random.normal(size=60).astype(np.float32))[::-1].copy())
        found[world] = [closeness(diversify(before, of, diversity=level, k=15), of) for level in levels]
    means = found.mean(axis=0)
    assert all(later < earlier for earlier, later in pairwise(means))


@given(st.integers(1, 20), st.floats(0, 1), st.integers(1, 25), st.integers(0, 10**6))
def test_diversity_picks_what_its_definition_picks(size: int, diversity: float, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    relevance = np.sort(random.random(size).astype(np.float32))[::-1].copy()
    of = normalise(random.normal(size=(size, 3)).astype(np.float32))
    alike = of @ of.T
    picked = mmr_positions(relevance, alike, diversity=diversity, k=k).tolist()
    assert len(picked) == len(set(picked)) == min(k, size)
    for place, best in enumerate(picked):
        above = picked[:place]
        near = np.max([np.zeros(size), *(alike[at] for at in above)], axis=0)
        value = (1 - diversity) * relevance - diversity * near
        value[above] = -np.inf
        assert value[best] >= value.max() - 1e-5


def test_a_paper_without_words_is_not_mistaken_for_a_different_one() -> None:
    of = np.array([[1, 0], [1, 0], [0, 0], [1, 0]], dtype=np.float32)
    before = RankedList(np.array([1, 2, 3, 4]), np.array([1.0, 0.9, 0.2, 0.1], dtype=np.float32))
    assert diversify(before, of, diversity=0.5, k=3).paper_ids.tolist() == [1, 2, 3]
    assert diversify(before, of[:, :0], diversity=0.5, k=3).paper_ids.tolist() == [1, 2, 3]


def test_truncating_keeps_the_best() -> None:
    assert truncate(ranked(9), k=2).paper_ids.tolist() == [100, 101]
