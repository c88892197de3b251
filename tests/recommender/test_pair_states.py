"""What was taken back counts for nothing, in whatever order it is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.dataset import WeightConfig, build_dataset, build_profile
from recommender.domain import EventKind, Interactions, PaperTexts
from recommender.pair_states import history_order, kept_pairs, taken_back
from tests.planted import DAY, NOW
from tests.recommender.kit import log_of

NONE = float("nan")
NO_TEXTS = PaperTexts.empty(np.array([], dtype=np.int64))
PLAIN = WeightConfig(half_life_days=10.0)
HISTORY = ((1, 7, EventKind.SAVE, NOW - 40 * DAY, NONE), (1, 8, EventKind.CLICK, NOW - 30 * DAY, NONE))
events = st.tuples(
    st.integers(1, 2), st.integers(1, 4), st.sampled_from(EventKind), st.integers(0, 50).map(float), st.just(NONE)
)


def weights(log: Interactions) -> list[tuple[int, float]]:
    """The papers of reader 1 and what they weigh."""
    profile = build_profile(log, now=NOW, weights=PLAIN)
    return list(zip(profile.paper_ids.tolist(), profile.weights.tolist(), strict=True))


@pytest.mark.parametrize(
    ("done", "undone"),
    [(EventKind.SAVE, EventKind.UNSAVE), (EventKind.UPVOTE, EventKind.UNVOTE)],
)
def test_a_liking_that_was_taken_back_ages_no_other(done: EventKind, undone: EventKind) -> None:
    both = (1, 9, done, NOW - DAY, NONE), (1, 9, undone, NOW, NONE)
    assert weights(log_of(*HISTORY, both[0])) != weights(log_of(*HISTORY))
    assert weights(log_of(*HISTORY, *both)) == weights(log_of(*HISTORY))
    assert weights(log_of(both[1], *HISTORY, both[0])) == weights(log_of(*HISTORY))
    dataset = build_dataset(log_of(*HISTORY, *both), NO_TEXTS, now=NOW, weights=PLAIN)
    assert dataset.user_items.data.tolist() == [weight for _, weight in weights(log_of(*HISTORY))]


def test_what_was_clicked_on_a_paper_that_is_dismissed_ages_no_other() -> None:
    clicked = (1, 9, EventKind.CLICK, NOW - DAY, NONE)
    assert weights(log_of(*HISTORY, clicked, (1, 9, EventKind.DISMISS, NOW, NONE))) == weights(log_of(*HISTORY))


def test_a_paper_saved_again_is_kept() -> None:
    again = [(1, 9, kind, NOW + at, NONE) for at, kind in enumerate((EventKind.SAVE, EventKind.UNSAVE, EventKind.SAVE))]
    assert kept_pairs(np.full(3, 9), log_of(*again)).tolist() == [9]
    assert kept_pairs(np.full(2, 9), log_of(*again[:2])).tolist() == []
    assert not taken_back(np.zeros(3, np.int64), log_of(*again)).any()


@given(st.lists(events, max_size=25))
def test_only_pairs_with_something_taken_back_lose_anything(
    told: list[tuple[int, int, EventKind, float, float]],
) -> None:
    if not told:
        return
    log = log_of(*told)
    keys = log.user_ids.astype(np.int64) * 10 + log.paper_ids.astype(np.int64)
    gone = taken_back(keys, log)
    undoing = {EventKind.UNSAVE, EventKind.UNVOTE, EventKind.DISMISS}
    changed = {(user, paper) for user, paper, kind, *_ in told if kind in undoing}
    assert all((told[at][0], told[at][1]) in changed for at in np.flatnonzero(gone))
    for user, paper in changed:
        of_pair = [told[at][2] for at in history_order(keys, log.occurred_at) if told[at][:2] == (user, paper)]
        saves = [kind for kind in of_pair if kind in (EventKind.SAVE, EventKind.UNSAVE)]
        if saves and saves[-1] == EventKind.UNSAVE:
            assert all(gone[at] for at, one in enumerate(told) if one[:3] == (user, paper, EventKind.SAVE))
