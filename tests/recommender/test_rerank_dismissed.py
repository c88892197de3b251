"""Papers like dismissed ones go down, the others keep their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Floats, RankedList
from recommender.rerank import Policy, Traits, apply_policy, lower_alike
from recommender.rerank_dismissed import likeness_to_dismissed
from recommender.text import normalise

sizes = st.integers(1, 25)


def ranked(size: int) -> RankedList:
    scores = np.sort(np.random.default_rng(size).random(size).astype(np.float32))[::-1].copy()
    return RankedList(np.arange(100, 100 + size), scores)


def vectors(size: int, seed: int = 0) -> Floats:
    raw = np.random.default_rng(seed).normal(size=(size, 4)).astype(np.float32)
    return normalise(raw)


@given(sizes, st.integers(0, 6))
def test_likeness_is_that_of_the_nearest_dismissed_paper_from_0_to_1(size: int, dismissed: int) -> None:
    papers, gone = vectors(size), vectors(dismissed, seed=1)
    found = likeness_to_dismissed(papers, gone)
    expected = [max([0.0, *(float(paper @ one) for one in gone)]) for paper in papers]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
    assert found.max() <= 1


def test_a_paper_without_words_is_like_none() -> None:
    assert likeness_to_dismissed(np.zeros((2, 4), np.float32), vectors(3)).tolist() == [0, 0]
    assert likeness_to_dismissed(vectors(2), np.zeros((3, 4), np.float32)).tolist() == [0, 0]


@given(sizes, st.floats(0, 5))
def test_papers_that_are_equally_like_keep_their_order(size: int, strength: float) -> None:
    before = ranked(size)
    likeness = np.where(np.arange(size) % 3 == 0, np.float32(0.8), np.float32(0))
    after = lower_alike(before, likeness, strength=strength).paper_ids.tolist()
    for group in (likeness > 0, likeness == 0):
        kept = before.paper_ids[group].tolist()
        assert [paper for paper in after if paper in kept] == kept
    places = [after.index(paper) for paper in before.paper_ids[likeness > 0].tolist()]
    assert all(place >= at for place, at in zip(places, np.flatnonzero(likeness > 0), strict=True))


def test_a_reach_of_1_costs_a_copy_of_a_dismissed_paper_one_standard_deviation() -> None:
    before = RankedList(np.array([1, 2, 3, 4]), np.array([4, 3, 2, 1], dtype=np.float32))
    deviation = float(before.scores.std())
    after = lower_alike(before, np.array([1, 0, 0, 0], dtype=np.float32), strength=1.0)
    assert after.paper_ids.tolist() == [2, 1, 3, 4]
    assert sorted(after.scores.tolist()) == pytest.approx(sorted([4 - deviation, 3, 2, 1]))


def test_the_policy_lowers_what_is_like_dismissed_papers_also_where_hidden_ones_go() -> None:
    before = RankedList(np.arange(5), np.array([5, 4, 3, 2, 1], dtype=np.float32))
    likeness = np.array([0, 1, 0, 0, 0], dtype=np.float32)
    policy = Policy(dismiss_reach=1.0)
    found = apply_policy(
        before, policy, k=4, traits=Traits(likeness=likeness), now=0.0, hidden=np.array([0], dtype=np.int64)
    )
    assert found.ranked.paper_ids.tolist() == [2, 1, 3, 4]


def test_a_reader_without_dismissals_needs_no_likeness() -> None:
    before = ranked(9)
    found = apply_policy(before, Policy(dismiss_reach=3.0), k=9, traits=Traits(), now=0.0)
    assert found.ranked.paper_ids.tolist() == before.paper_ids.tolist()
