"""The policy as a whole: its parts in their order, and what never appears whatever it is set to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import RankedList
from recommender.rerank import Policy, Traits, apply_policy, category_matrix, category_shares, diversify, freshen
from recommender.text import normalise

NOW = 1_700_000_000.0
DAY = 86_400.0
SHARES = category_shares(category_matrix([["a"], ["b"], ["a", "c"]]))
units = st.floats(0, 1, allow_subnormal=False)
strengths = st.floats(0, 3, allow_subnormal=False)
policies = st.builds(Policy, strengths, st.floats(0.5, 900), strengths, units, units, units)
sizes = st.integers(0, 40)
ids = st.sets(st.integers(95, 160))


def ranked(size: int) -> RankedList:
    scores = np.sort(np.random.default_rng(size).normal(size=size).astype(np.float32))[::-1].copy()
    return RankedList(np.arange(100, 100 + size), scores)


def traits(size: int) -> Traits:
    random = np.random.default_rng(size + 1)
    published = NOW - random.uniform(0, 900, size) * DAY
    published[::5] = np.nan
    vectors = normalise(random.normal(size=(size, 4)).astype(np.float32))
    vectors[::7] = 0
    categories = category_matrix([["a", "b", "c"], *([["a"], ["b"], ["c", "a"], []][at % 4] for at in range(size))])
    return Traits(published, random.integers(0, 99, size).astype(np.float32), vectors, categories[1:])


@given(sizes, policies, st.tuples(ids, ids), st.integers(1, 50), st.integers(0, 99))
def test_whatever_the_policy_a_list_is_sorted_distinct_and_without_hidden_papers(
    size: int, policy: Policy, hidden_and_pool: tuple[set[int], set[int]], k: int, seed: int
) -> None:
    before = ranked(size)
    hidden, pool = hidden_and_pool
    found = apply_policy(
        before,
        policy,
        k=k,
        traits=traits(size),
        now=NOW,
        hidden=np.array(sorted(hidden), dtype=np.int64),
        shares=SHARES,
        pool=np.array(sorted(pool), dtype=np.int64),
        seed=seed,
    )
    shown = found.ranked.paper_ids.tolist()
    left = set(before.paper_ids.tolist()) - hidden
    assert not hidden & set(shown)
    assert set(shown) <= left | pool
    assert min(k, len(left)) <= len(shown) == len(set(shown)) <= k
    assert np.all(np.diff(found.ranked.scores) <= 0)
    assert set(found.ranked.paper_ids[found.slots].tolist()) <= pool
    assert np.all((found.propensities > 0) & (found.propensities <= 1))


@given(sizes, ids, st.integers(1, 50), st.floats(0.5, 900))
def test_the_neutral_policy_changes_nothing(size: int, pool: set[int], k: int, half_life: float) -> None:
    policy = Policy(freshness_half_life_days=half_life)
    assert policy.is_neutral
    before = ranked(size)
    found = apply_policy(
        before, policy, k=k, traits=Traits(), now=NOW, shares=SHARES, pool=np.array(sorted(pool), dtype=np.int64)
    )
    assert found.ranked.paper_ids.tolist() == before.paper_ids[:k].tolist()
    assert found.ranked.scores.tolist() == before.scores[:k].tolist()
    assert len(found.slots) == 0


@given(sizes, policies, ids, ids)
def test_the_same_arguments_give_the_same_list(size: int, policy: Policy, hidden: set[int], pool: set[int]) -> None:
    one, two = (
        apply_policy(
            ranked(size),
            policy,
            k=20,
            traits=traits(size),
            now=NOW,
            hidden=np.array(sorted(hidden), dtype=np.int64),
            shares=SHARES,
            pool=np.array(sorted(pool), dtype=np.int64),
            seed=(3, 4),
        )
        for _ in range(2)
    )
    assert one.ranked.paper_ids.tolist() == two.ranked.paper_ids.tolist()
    assert one.ranked.scores.tolist() == two.ranked.scores.tolist()
    assert one.propensities.tolist() == two.propensities.tolist()


@given(st.integers(1, 40), strengths, st.floats(1, 300), units)
def test_freshness_comes_before_diversity(size: int, strength: float, half_life: float, diversity: float) -> None:
    before, known = ranked(size), traits(size)
    assert known.published_at is not None
    assert known.vectors is not None
    fresh = freshen(before, known.published_at, now=NOW, half_life_days=half_life, strength=strength)
    expected = diversify(fresh, known.vectors[fresh.paper_ids - 100], diversity=diversity, k=15)
    policy = Policy(freshness=strength, freshness_half_life_days=half_life, diversity=diversity)
    found = apply_policy(before, policy, k=15, traits=known, now=NOW)
    assert found.ranked.paper_ids.tolist() == expected.paper_ids.tolist()


def test_a_reader_whose_categories_are_unknown_gets_the_list_uncalibrated() -> None:
    policy = Policy(category_calibration=1.0)
    found = apply_policy(ranked(30), policy, k=10, traits=traits(30), now=NOW)
    assert found.ranked.paper_ids.tolist() == list(range(100, 110))


@pytest.mark.parametrize(("name", "needed"), [("freshness", "published_at"), ("diversity", "vectors")])
def test_a_setting_without_what_it_needs_says_so(name: str, needed: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} is set, so Traits.{needed} is needed"):
        apply_policy(ranked(3), replace(Policy(), **{name: 0.5}), k=2, traits=Traits(), now=NOW)


@pytest.mark.parametrize("name", ["diversity", "category_calibration", "exploration_share"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(Policy(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("freshness", -1.0), ("popularity_discount", float("inf")), ("dismiss_reach", -1.0)]
)
def test_a_strength_below_0_or_without_end_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(Policy(), **{name: value})


def test_a_half_life_is_more_than_0() -> None:
    with pytest.raises(ValueError, match="freshness_half_life_days"):
        Policy(freshness_half_life_days=0.0)
