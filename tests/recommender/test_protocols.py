"""What an evaluation hides stays hidden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import EventKind, Interactions
from recommender.protocols import LEAST_COLD_READERS, MOST_GIVEN, Hidden, hide, hide_readers
from recommender.splits import Likings, likings_of
from tests.planted import DAY, NOW, noise, plant
from tests.recommender.kit import WEIGHTS, log_of

NONE = float("nan")
timed = st.tuples(
    st.integers(1, 6),
    st.integers(1, 15),
    st.sampled_from(list(EventKind)),
    st.integers(0, 50).map(float),
    st.just(60.0),
)


def pairs(log: Interactions | Likings) -> set[tuple[int, int]]:
    return set(zip(log.user_ids.tolist(), log.paper_ids.tolist(), strict=True))


def newcomers(seed: int = 0) -> Interactions:
    """Old readers in the past, 30 new ones afterwards, each paper liked at a time of its own."""
    random = np.random.default_rng(seed)
    old = noise(seed=seed, readers=60, saves_per_reader=40)
    new = noise(seed=seed + 1, readers=30, saves_per_reader=8)
    users = np.concatenate([old.user_ids, new.user_ids + 1000])
    times = np.concatenate(
        [random.uniform(NOW - 300 * DAY, NOW - DAY, len(old)), random.uniform(NOW - 9e3, NOW, len(new))]
    )
    papers = np.concatenate([old.paper_ids, new.paper_ids])
    saves = Interactions.saves(users, papers)
    return Interactions(users, papers, saves.kinds, times, saves.values)


def nothing_leaks(log: Interactions, hidden: Hidden) -> None:
    """No held-out pair and no cold reader is seen by the fit, in whatever event."""
    assert not pairs(likings_of(hidden.train, weights=WEIGHTS)) & pairs(hidden.held_out)
    assert not pairs(hidden.cold_known) & pairs(hidden.cold_answers)
    for cold in (hidden.cold_known, hidden.cold_answers):
        assert not set(hidden.train.user_ids.tolist()) & set(cold.user_ids.tolist())
        assert not set(hidden.held_out.user_ids.tolist()) & set(cold.user_ids.tolist())
    assert pairs(hidden.train) <= pairs(log)


@given(st.lists(timed, min_size=2, max_size=80), st.integers(0, 3))
def test_a_temporal_fit_never_sees_the_future(lines: list[tuple[int, int, EventKind, float, float]], seed: int) -> None:
    log = log_of(*lines)
    hidden = hide(log, kind="temporal", weights=WEIGHTS, seed=seed)
    nothing_leaks(log, hidden)
    asked = np.concatenate([hidden.held_out.times, hidden.cold_known.times, hidden.cold_answers.times])
    assert hidden.train.occurred_at.max(initial=-np.inf) < asked.min(initial=np.inf)


def test_a_planted_leak_is_not_in_what_a_fit_sees() -> None:
    """After the cut every reader saves a paper of their own: any trace of it in the fit would give it away."""
    world = plant(readers=80, is_timed=True)
    readers = world.reader_ids
    secret = Interactions(
        readers,
        10_000 + readers,
        np.full(80, EventKind.SAVE, np.uint8),
        NOW + np.arange(80.0),
        np.full(80, np.nan, np.float32),
    )
    log = Interactions(
        *(np.concatenate([getattr(world.interactions, name), getattr(secret, name)]) for name in Interactions.__slots__)
    )
    hidden = hide(log, kind="auto", weights=WEIGHTS, seed=0)
    assert hidden.kind == "temporal"
    assert hidden.train.paper_ids.max() < 10_000
    found = pairs(hidden.held_out) | pairs(hidden.cold_known) | pairs(hidden.cold_answers)
    assert pairs(secret) <= found


def test_cold_readers_of_a_temporal_split_came_after_the_cut() -> None:
    log = newcomers()
    hidden = hide(log, kind="temporal", weights=WEIGHTS, seed=0)
    nothing_leaks(log, hidden)
    cold = np.unique(hidden.cold_known.user_ids)
    assert len(cold) >= LEAST_COLD_READERS
    assert cold.min() > 1000
    for reader in cold:
        times = hidden.cold_known.times[hidden.cold_known.user_ids == reader]
        assert len(times) == MOST_GIVEN
        assert times.tolist() == sorted(times)
        assert times.max() < hidden.cold_answers.times[hidden.cold_answers.user_ids == reader].min()


def test_where_nobody_new_came_the_past_of_some_readers_is_withheld() -> None:
    log = plant(readers=60, papers=300, saves_per_reader=60, is_timed=True).interactions
    hidden = hide(log, kind="temporal", weights=WEIGHTS, seed=0)
    nothing_leaks(log, hidden)
    cold = np.unique(hidden.cold_known.user_ids)
    assert 0 < len(cold) <= LEAST_COLD_READERS
    assert set(cold.tolist()) <= set(log.user_ids.tolist())
    assert np.nanmin(hidden.cold_known.times) > np.nanmax(hidden.train.occurred_at)


def test_a_split_per_reader_makes_papers_and_readers_cold() -> None:
    log = plant(readers=100, saves_per_reader=15).interactions
    hidden = hide(log, kind="auto", weights=WEIGHTS, seed=3)
    assert hidden.kind == "per-reader"
    nothing_leaks(log, hidden)
    new = set(hidden.held_out.paper_ids.tolist()) - set(hidden.train.paper_ids.tolist())
    assert len(new) == round(len(np.unique(log.paper_ids)) * 0.1)
    assert len(np.unique(hidden.cold_known.user_ids)) == LEAST_COLD_READERS
    assert new & set(hidden.cold_answers.paper_ids.tolist())  # they are asked about new papers like everybody else
    assert not new & set(hidden.cold_known.paper_ids.tolist())
    cold = pairs(hidden.cold_known) | pairs(hidden.cold_answers)
    assert pairs(hidden.train) | pairs(hidden.held_out) | cold == pairs(log)


def test_cold_readers_have_enough_to_give_and_something_to_find_and_are_never_most() -> None:
    log = plant(readers=30).interactions
    likings = likings_of(log, weights=WEIGHTS)
    answers = likings.select(np.isin(likings.user_ids, np.arange(1, 21)))
    early = log.select(np.isin(log.paper_ids, np.arange(1000, 1100)))
    hidden = hide_readers(early, answers, weights=WEIGHTS, seed=0)
    readers, counts = np.unique(hidden.cold_known.user_ids, return_counts=True)
    assert counts.min() >= MOST_GIVEN
    assert set(readers.tolist()) == set(hidden.cold_answers.user_ids.tolist())
    assert 0 < len(readers) <= 10
    few = plant(readers=30, saves_per_reader=MOST_GIVEN - 1).interactions
    assert len(hide_readers(few, answers, weights=WEIGHTS, seed=0).cold_known) == 0


@pytest.mark.parametrize("is_timed", [False, True])
def test_the_seed_alone_decides_what_is_hidden(is_timed: bool) -> None:
    log = plant(is_timed=is_timed).interactions
    shuffled = log.select(np.random.default_rng(5).permutation(len(log)))
    one, same, other = (
        hide(events, kind="per-reader", weights=WEIGHTS, seed=seed)
        for events, seed in ((log, 1), (shuffled, 1), (log, 2))
    )
    assert pairs(one.held_out) == pairs(same.held_out)
    assert pairs(one.cold_known) == pairs(same.cold_known)
    assert pairs(one.held_out) != pairs(other.held_out)
