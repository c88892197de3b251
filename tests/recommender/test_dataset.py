"""From events to confidence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array

from recommender.baselines import AlsOnly
from recommender.config import HybridConfig
from recommender.dataset import WeightConfig, build_dataset, build_profile
from recommender.domain import EventKind, Interactions, PaperTexts
from recommender.evaluation import list_rows
from recommender.metrics import hits_of, ndcg_at_k
from recommender.sparse import as_csr, row_sizes
from tests.planted import DAY, NOW, plant
from tests.recommender.kit import WEIGHTS, events_of, log_of

NONE = float("nan")
NO_TEXTS = PaperTexts.empty(np.array([], dtype=np.int64))
PLAIN = WeightConfig(half_life_days=10.0)


def weight(log: Interactions, *, weights: WeightConfig = PLAIN) -> float:
    """The confidence of reader 1 in paper 7."""
    profile = build_profile(log, now=NOW, weights=weights)
    return float(profile.weights[profile.paper_ids == 7].sum())


def test_a_save_of_today_has_its_full_weight() -> None:
    assert weight(log_of((1, 7, EventKind.SAVE, NOW, NONE))) == pytest.approx(3.0)


def test_a_save_halves_with_each_half_life_before_the_readers_latest() -> None:
    latest = (1, 8, EventKind.SAVE, NOW, NONE)
    assert weight(log_of((1, 7, EventKind.SAVE, NOW - 20 * DAY, NONE), latest)) == pytest.approx(0.75)


def test_a_reader_who_was_away_for_years_comes_back_to_what_they_left() -> None:
    log = log_of((1, 7, EventKind.SAVE, NOW, NONE), (1, 8, EventKind.SAVE, NOW - 10 * DAY, NONE))
    profile = build_profile(log, now=NOW + 20 * 365 * DAY, weights=PLAIN)
    assert profile.weights.tolist() == pytest.approx([3.0, 1.5])


def test_looking_at_the_feed_again_makes_no_liking_older() -> None:
    seen = (1, 9, EventKind.IMPRESSION, NOW, NONE)
    assert weight(log_of((1, 7, EventKind.SAVE, NOW - 20 * DAY, NONE), seen)) == pytest.approx(3.0)


def test_a_reader_is_as_old_as_their_own_events_alone() -> None:
    log = log_of((1, 7, EventKind.SAVE, NOW - 900 * DAY, NONE), (2, 7, EventKind.SAVE, NOW, NONE))
    dataset = build_dataset(log, NO_TEXTS, now=NOW, weights=PLAIN)
    assert dataset.user_items.data.tolist() == pytest.approx([3.0, 3.0])


def test_an_unknown_time_does_not_decay() -> None:
    assert weight(log_of((1, 7, EventKind.SAVE, NONE, NONE))) == pytest.approx(3.0)


def test_a_time_in_the_future_does_not_grow() -> None:
    assert weight(log_of((1, 7, EventKind.SAVE, NOW + 100 * DAY, NONE))) == pytest.approx(3.0)
    ahead = (1, 8, EventKind.SAVE, NOW + 100 * DAY, NONE)
    assert weight(log_of((1, 7, EventKind.SAVE, NOW, NONE), ahead)) == pytest.approx(3.0)


def test_repeated_events_of_a_kind_count_once() -> None:
    clicks = [(1, 7, EventKind.CLICK, NOW, NONE)] * 9
    saves = [(1, 7, EventKind.SAVE, NONE, NONE)] * 9
    assert weight(log_of(*clicks)) == pytest.approx(1.0)
    assert weight(log_of(*saves)) == pytest.approx(3.0)


def test_no_pair_weighs_more_than_the_cap() -> None:
    kinds = (EventKind.SAVE, EventKind.UPVOTE, EventKind.CLICK)
    assert weight(log_of(*((1, 7, kind, NOW, NONE) for kind in kinds))) == pytest.approx(PLAIN.cap)


def test_reading_counts_by_the_minute_up_to_its_own_cap() -> None:
    assert weight(log_of((1, 7, EventKind.READ, NOW, 120.0))) == pytest.approx(1.0)
    assert weight(log_of((1, 7, EventKind.READ, NOW, 1e6))) == pytest.approx(PLAIN.read_cap)
    assert weight(log_of((1, 7, EventKind.READ, NOW, NONE))) == 0.0
    assert weight(log_of((1, 7, EventKind.READ, NOW, -60.0))) == 0.0


@pytest.mark.parametrize(("on", "off"), [(EventKind.SAVE, EventKind.UNSAVE), (EventKind.UPVOTE, EventKind.UNVOTE)])
def test_the_later_event_decides_whatever_the_log_order(on: EventKind, off: EventKind) -> None:
    assert weight(log_of((1, 7, off, NOW, NONE), (1, 7, on, NOW - 1, NONE))) == 0.0
    assert weight(log_of((1, 7, off, NOW - 1, NONE), (1, 7, on, NOW, NONE))) > 0.0


def test_log_order_decides_where_times_are_unknown() -> None:
    assert weight(log_of((1, 7, EventKind.SAVE, NONE, NONE), (1, 7, EventKind.UNSAVE, NONE, NONE))) == 0.0
    assert weight(log_of((1, 7, EventKind.UNSAVE, NONE, NONE), (1, 7, EventKind.SAVE, NONE, NONE))) == 3.0
    assert weight(log_of((1, 7, EventKind.SAVE, NOW, NONE), (1, 7, EventKind.UNSAVE, NONE, NONE))) == 0.0


def test_a_dismissal_takes_the_liking_until_it_is_taken_back() -> None:
    dismissed = log_of((1, 7, EventKind.CLICK, NOW - 2, NONE), (1, 7, EventKind.DISMISS, NOW - 1, NONE))
    profile = build_profile(dismissed, now=NOW, weights=PLAIN)
    assert profile.paper_ids.tolist() == []
    assert profile.disliked_paper_ids.tolist() == [7]
    undone = log_of(
        (1, 7, EventKind.CLICK, NOW - 2, NONE),
        (1, 7, EventKind.DISMISS, NOW - 1, NONE),
        (1, 7, EventKind.UNDISMISS, NOW, NONE),
    )
    profile = build_profile(undone, now=NOW, weights=PLAIN)
    assert profile.paper_ids.tolist() == [7]
    assert profile.disliked_paper_ids.tolist() == []


def test_a_save_after_a_dismissal_is_a_liking() -> None:
    log = log_of((1, 7, EventKind.DISMISS, NOW - 5, NONE), (1, 7, EventKind.SAVE, NOW, NONE))
    assert weight(log) == pytest.approx(3.0)
    assert build_profile(log, now=NOW, weights=PLAIN).disliked_paper_ids.tolist() == []


def test_an_impression_says_nothing_by_default() -> None:
    assert weight(log_of((1, 7, EventKind.IMPRESSION, NOW, NONE))) == 0.0


def test_twenty_years_of_log_rank_about_as_the_same_log_without_times() -> None:
    world = plant(readers=300, papers=600, topics=40, saves_per_reader=12, untouched_share=0.0)
    random = np.random.default_rng(0)
    is_hidden = random.random(len(world.interactions)) < 0.25
    started = random.uniform(0, 20 * 365 * DAY, len(world.reader_ids) + 1)[world.interactions.user_ids]
    times = NOW - started + random.uniform(0, 60 * DAY, len(is_hidden))
    hidden = world.interactions.select(is_hidden)
    found = []
    for occurred_at in (times, np.full_like(times, np.nan)):
        log = replace(world.interactions, occurred_at=occurred_at).select(~is_hidden)
        dataset = build_dataset(log, NO_TEXTS, now=NOW, weights=WEIGHTS)
        model = AlsOnly.fit(dataset, HybridConfig(rank=8, epochs=6, num_threads=1), seed=0)
        lists = [ranked for block in model.recommend_users(dataset.user_items, k=10) for ranked in block]
        asked = dataset.users.rows(hidden.user_ids), dataset.papers.rows(hidden.paper_ids)
        known = (asked[0] >= 0) & (asked[1] >= 0)
        ones = np.ones(int(known.sum()), dtype=np.float32)
        held_out = as_csr(coo_array((ones, (asked[0][known], asked[1][known])), shape=dataset.user_items.shape))
        counts = row_sizes(held_out)
        ndcg = ndcg_at_k(hits_of(list_rows(lists, dataset.papers, k=10), held_out), counts, k=10)
        found.append(float(ndcg[counts > 0].mean()))
    timed, timeless = found
    assert timeless > 0.3
    assert timed > 0.95 * timeless


def test_seed_papers_are_liked_unless_disliked() -> None:
    log = log_of((1, 7, EventKind.DISMISS, NOW, NONE), (1, 8, EventKind.SAVE, NOW, NONE))
    profile = build_profile(log, now=NOW, weights=PLAIN, seed_papers=np.array([7, 8, 9]), terms=["graphs"])
    assert profile.paper_ids.tolist() == [8, 9]
    assert profile.weights.tolist() == [3.0, 2.0]
    assert profile.terms == ("graphs",)


kinds = st.sampled_from(list(EventKind))
times = st.one_of(st.just(NONE), st.floats(NOW - 7000 * DAY, NOW + DAY))
events = st.tuples(st.integers(1, 4), st.integers(1, 5), kinds, times, st.sampled_from([NONE, 30.0, 500.0]))


@given(st.lists(events, max_size=40))
def test_a_profile_is_the_readers_row_of_the_dataset(lines: list[tuple[int, int, EventKind, float, float]]) -> None:
    log = log_of(*lines)
    dataset = build_dataset(log, NO_TEXTS, now=NOW, weights=WEIGHTS)
    assert dataset.user_items.nnz == len(dataset.times)
    for row, reader in enumerate(dataset.users.in_row_order.tolist()):
        profile = build_profile(events_of(log, reader), now=NOW, weights=WEIGHTS)
        start, end = dataset.user_items.indptr[row : row + 2]
        columns = dataset.user_items.indices[start:end]
        assert profile.paper_ids.tolist() == dataset.papers.ids(columns).tolist()
        assert np.array_equal(profile.weights, dataset.user_items.data[start:end])
        start, end = dataset.dislikes.indptr[row : row + 2]
        disliked = dataset.papers.ids(dataset.dislikes.indices[start:end])
        assert profile.disliked_paper_ids.tolist() == disliked.tolist()


@given(st.lists(events, min_size=1, max_size=40))
def test_confidence_is_positive_capped_and_without_repeats(
    lines: list[tuple[int, int, EventKind, float, float]],
) -> None:
    dataset = build_dataset(log_of(*lines), NO_TEXTS, now=NOW, weights=WEIGHTS)
    assert dataset.user_items.has_canonical_format
    assert np.all(dataset.user_items.data > 0)
    assert np.all(dataset.user_items.data <= WEIGHTS.cap)
    assert dataset.user_items.multiply(dataset.dislikes).nnz == 0


def test_papers_are_those_of_texts_and_log_together() -> None:
    texts = PaperTexts(np.array([5, 3]), ["five", "three"], ["", ""], ["", ""], np.array([1.0, 2.0]))
    dataset = build_dataset(log_of((1, 4, EventKind.SAVE, NOW, NONE)), texts, now=NOW, weights=WEIGHTS)
    assert dataset.papers.in_row_order.tolist() == [3, 4, 5]
    assert dataset.texts.titles == ["three", "", "five"]
    assert dataset.texts.published_at[[0, 2]].tolist() == [2.0, 1.0]
    assert np.isnan(dataset.texts.published_at[1])


def test_the_fingerprint_follows_the_data() -> None:
    same = plant().dataset().fingerprint()
    assert plant().dataset().fingerprint() == same
    assert plant(seed=1).dataset().fingerprint() != same
    assert len(same) == 64
