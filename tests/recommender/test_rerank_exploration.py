"""Places that explore: how many, where, and with which probability."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Ids, RankedList
from recommender.rerank_exploration import explore, slot_places

shares = st.floats(0, 1, allow_subnormal=False)
seeds = st.integers(0, 2**32)
pools = st.lists(st.integers(90, 140), unique=True, max_size=30).map(lambda ids: np.array(ids, dtype=np.int64))


def ranked(size: int) -> RankedList:
    return RankedList(np.arange(100, 100 + size), np.linspace(1, 0, size).astype(np.float32))


@given(shares, st.integers(0, 300))
def test_every_first_part_of_a_list_explores_its_share(share: float, k: int) -> None:
    places = slot_places(share, k=k)
    assert np.all(np.diff(places) > 0)
    for length in range(k + 1):
        assert abs(np.count_nonzero(places < length) - share * length) < 1 + 1e-6


def test_a_tenth_explores_the_fifth_place_of_each_ten() -> None:
    assert slot_places(0.1, k=40).tolist() == [4, 14, 24, 34]
    assert slot_places(1.0, k=5).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="between 0 and 1"):
        slot_places(1.1, k=5)


@given(st.integers(0, 60), pools, shares, st.integers(1, 50), seeds)
def test_exploration_keeps_the_promises_of_a_list(size: int, pool: Ids, share: float, k: int, seed: int) -> None:
    before = ranked(size)
    found = explore(before, pool, share=share, k=k, seed=seed)
    shown = found.ranked.paper_ids.tolist()
    assert len(shown) == len(set(shown)) <= k
    assert len(shown) >= min(k, size)
    assert np.all(np.diff(found.ranked.scores) <= 0)
    assert set(found.ranked.paper_ids[found.slots].tolist()) <= set(pool.tolist())
    kept = [paper for at, paper in enumerate(shown) if at not in set(found.slots.tolist())]
    drawn = set(shown) - set(kept)
    assert kept == [paper for paper in before.paper_ids.tolist() if paper not in drawn][: len(kept)]


@given(st.integers(1, 60), pools, shares, st.integers(1, 50), seeds)
def test_a_slot_is_ordinary_only_when_nothing_is_left_to_draw(
    size: int, pool: Ids, share: float, k: int, seed: int
) -> None:
    found = explore(ranked(size), pool, share=share, k=k, seed=seed)
    slots = set(found.slots.tolist())
    shown = found.ranked.paper_ids.tolist()
    for place in slot_places(share, k=k).tolist():
        left = set(pool.tolist()) - set(shown[:place])
        assert (place in slots) == bool(left) or place >= len(shown)


@given(st.integers(1, 60), pools, shares, seeds)
def test_a_propensity_is_one_over_the_papers_that_could_have_stood_there(
    size: int, pool: Ids, share: float, seed: int
) -> None:
    found = explore(ranked(size), pool, share=share, k=40, seed=seed)
    shown = found.ranked.paper_ids.tolist()
    for slot, propensity in zip(found.slots.tolist(), found.propensities.tolist(), strict=True):
        assert propensity * len(set(pool.tolist()) - set(shown[:slot])) == pytest.approx(1.0)


def test_papers_are_drawn_as_often_as_their_propensity_says() -> None:
    pool = np.array([101, 500, 501, 502, 503])  # 101 stands in the list, ahead of the second slot at the latest
    draws = 4000
    first, second = Counter[int](), Counter[int]()
    corrected = 0.0
    for seed in range(draws):
        found = explore(ranked(20), pool, share=0.4, k=5, seed=seed)
        one, two = found.ranked.paper_ids[found.slots].tolist()
        first[one] += 1
        second[two] += 1
        corrected += (two == 500) / found.propensities[1] if one != 500 else 0.0
    assert found.slots.tolist() == [0, 3]
    assert found.propensities[0] == pytest.approx(0.2)
    for count in first.values():
        assert abs(count / draws - 0.2) < 0.03
    assert set(second) == {500, 501, 502, 503}
    assert abs(corrected / draws - 0.8) < 0.1  # as often as 500 was there to be drawn: weights undo the chance


@given(st.integers(1, 60), pools, shares, seeds)
def test_the_same_seed_draws_the_same_papers(size: int, pool: Ids, share: float, seed: int) -> None:
    one, two = (explore(ranked(size), pool, share=share, k=30, seed=(seed, 7)) for _ in range(2))
    assert one.ranked.paper_ids.tolist() == two.ranked.paper_ids.tolist()
    assert one.propensities.tolist() == two.propensities.tolist()


def test_another_seed_draws_other_papers() -> None:
    pool = np.arange(1000, 1050)
    drawn = [explore(ranked(50), pool, share=0.2, k=50, seed=seed) for seed in (1, 2)]
    assert drawn[0].ranked.paper_ids.tolist() != drawn[1].ranked.paper_ids.tolist()


@given(st.integers(0, 60), pools, st.integers(1, 50), seeds)
def test_no_share_and_an_empty_pool_change_nothing(size: int, pool: Ids, k: int, seed: int) -> None:
    before = ranked(size)
    for found in (
        explore(before, pool, share=0.0, k=k, seed=seed),
        explore(before, pool[:0], share=0.5, k=k, seed=seed),
    ):
        assert found.ranked.paper_ids.tolist() == before.paper_ids[:k].tolist()
        assert len(found.slots) == len(found.propensities) == 0
