"""Nothing of the answer is left in the question."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import EventKind, Interactions
from recommender.splits import MIN_HISTORY, per_reader_split, split_log, temporal_split
from tests.planted import plant
from tests.recommender.kit import WEIGHTS, log_of

NONE = float("nan")
timed = st.tuples(
    st.integers(1, 5), st.integers(1, 6), st.sampled_from(list(EventKind)), st.floats(0, 1e6), st.just(60.0)
)


def pairs(log: Interactions) -> set[tuple[int, int]]:
    return set(zip(log.user_ids.tolist(), log.paper_ids.tolist(), strict=True))


@given(st.lists(timed, min_size=2, max_size=40))
def test_a_temporal_cut_trains_on_the_past_only(lines: list[tuple[int, int, EventKind, float, float]]) -> None:
    log = log_of(*lines)
    split = temporal_split(log, weights=WEIGHTS, share=0.3)
    held_out = set(zip(split.held_out_user_ids.tolist(), split.held_out_paper_ids.tolist(), strict=True))
    later = log.select(log.occurred_at > split.train.occurred_at.max(initial=-np.inf))
    assert len(split.train) + len(later) == len(log)
    assert held_out <= pairs(later)


@given(st.lists(timed, min_size=1, max_size=60), st.integers(0, 5))
def test_a_per_reader_split_hides_whole_pairs_and_leaves_some_history(
    lines: list[tuple[int, int, EventKind, float, float]], seed: int
) -> None:
    log = log_of(*lines)
    split = per_reader_split(log, weights=WEIGHTS, seed=seed, share=0.5)
    held_out = set(zip(split.held_out_user_ids.tolist(), split.held_out_paper_ids.tolist(), strict=True))
    assert pairs(split.train) | held_out == pairs(log)
    assert not pairs(split.train) & held_out
    for reader in {reader for reader, _ in held_out}:
        assert sum(1 for other, _ in pairs(split.train) if other == reader) >= MIN_HISTORY


def test_the_split_follows_the_seed() -> None:
    log = plant().interactions
    one, same, other = (per_reader_split(log, weights=WEIGHTS, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.held_out_paper_ids, same.held_out_paper_ids)
    assert not np.array_equal(one.held_out_paper_ids, other.held_out_paper_ids)


def test_a_paper_liked_before_the_cut_is_not_held_out_again() -> None:
    log = log_of(
        *((1, paper, EventKind.SAVE, float(paper), NONE) for paper in range(1, 10)),
        (1, 2, EventKind.SAVE, 99.0, NONE),
        (1, 50, EventKind.CLICK, 99.0, NONE),
    )
    split = temporal_split(log, weights=WEIGHTS, share=0.1)
    assert split.held_out_paper_ids.tolist() == [50]


def test_times_decide_which_split_is_used() -> None:
    assert split_log(plant(is_timed=True).interactions, weights=WEIGHTS, seed=0).kind == "temporal"
    assert split_log(plant().interactions, weights=WEIGHTS, seed=0).kind == "per_reader"


def test_a_log_without_times_has_no_temporal_split() -> None:
    with pytest.raises(ValueError, match="per_reader_split"):
        temporal_split(plant().interactions, weights=WEIGHTS)
