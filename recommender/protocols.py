"""What a whole evaluation hides: likings of readers in the fit, all of some papers, all of some readers."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import WeightConfig
from recommender.domain import Ids, Interactions
from recommender.splits import Likings, has_times, likings_of, per_reader_split, places_within, temporal_split

SplitKind: TypeAlias = Literal["temporal", "per-reader", "given"]
COLD_PAPER_SHARE = 0.1  # of the liked papers lose all their history in a per-reader split
COLD_READER_SHARE = 0.1  # of the readers with enough likings stay out of the fit
LEAST_COLD_READERS = 20
GIVEN_SAVES = (1, 2, 5)
MOST_GIVEN = max(GIVEN_SAVES)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A log without what is to be found."""

    kind: SplitKind
    train: Interactions  # all that a fit may see
    held_out: Likings  # of readers and papers whatever the fit knows of them
    cold_known: Likings  # of readers out of the fit: what may be given, each reader's in that order
    cold_answers: Likings  # of the same readers: what is to be found


def hide(
    interactions: Interactions, *, kind: Literal["auto", "temporal", "per-reader"], weights: WeightConfig, seed: int
) -> Hidden:
    """The split of a log: temporal where times exist, per reader otherwise; raises ValueError without any time."""
    if kind == "temporal" or (kind == "auto" and has_times(interactions)):
        return hide_future(interactions, weights=weights, seed=seed)
    return hide_share(interactions, weights=weights, seed=seed)


def hide_future(interactions: Interactions, *, weights: WeightConfig, seed: int) -> Hidden:
    """Everything after the cut is hidden; cold readers are those who came after it.

    Where fewer than LEAST_COLD_READERS came, some readers' past is withheld from the fit as well. What is given of
    cold readers is their first likings after the cut: a fit knows nothing that happened later than what it ranks.
    """
    split = temporal_split(interactions, weights=weights)
    known = np.unique(likings_of(split.train, weights=weights).user_ids)
    able = _readers_with(split.held_out, MOST_GIVEN + 1)
    newcomers, others = able[~np.isin(able, known)], able[np.isin(able, known)]
    missing = min(max(LEAST_COLD_READERS - len(newcomers), 0), len(others) // 2)
    withheld = np.random.default_rng(seed).permutation(others)[:missing]
    cold = np.concatenate([newcomers, withheld])
    is_cold = np.isin(split.held_out.user_ids, cold)
    ordered, place = _in_order(split.held_out.select(is_cold), seed=seed)
    return Hidden(
        "temporal",
        split.train.select(~np.isin(split.train.user_ids, cold)),
        split.held_out.select(~is_cold),
        ordered.select(place < MOST_GIVEN),
        ordered.select(place >= MOST_GIVEN),
    )


def hide_share(interactions: Interactions, *, weights: WeightConfig, seed: int) -> Hidden:
    """A share of every reader's likings is hidden, some papers lose all their history, some readers stay out."""
    found = likings_of(interactions, weights=weights)
    papers = np.random.default_rng(seed).permutation(np.unique(found.paper_ids))
    new = papers[: round(len(papers) * COLD_PAPER_SHARE)]
    of_others = interactions.select(~np.isin(interactions.paper_ids, new))
    split = per_reader_split(of_others, weights=weights, seed=seed)
    held_out = _joined(split.held_out, found.select(np.isin(found.paper_ids, new)))
    return _without_cold_readers("per-reader", split.train, held_out, weights=weights, seed=seed)


def hide_readers(interactions: Interactions, held_out: Likings, *, weights: WeightConfig, seed: int) -> Hidden:
    """Some readers of a protocol that brings its own answers stay out of the fit; theirs are what is to be found."""
    return _without_cold_readers("given", interactions, held_out, weights=weights, seed=seed)


def _without_cold_readers(
    kind: SplitKind, train: Interactions, held_out: Likings, *, weights: WeightConfig, seed: int
) -> Hidden:
    """A seeded share of the readers who can be cold, at least LEAST_COLD_READERS, never more than half of them."""
    known = likings_of(train, weights=weights)
    able = np.intersect1d(_readers_with(known, MOST_GIVEN), held_out.user_ids)
    count = min(max(round(len(able) * COLD_READER_SHARE), LEAST_COLD_READERS), len(able) // 2)
    cold = np.random.default_rng(seed).permutation(able)[:count]
    is_cold = np.isin(held_out.user_ids, cold)
    ordered, _ = _in_order(known.select(np.isin(known.user_ids, cold)), seed=seed)
    warm = train.select(~np.isin(train.user_ids, cold))
    return Hidden(kind, warm, held_out.select(~is_cold), ordered, held_out.select(is_cold))


def _readers_with(likings: Likings, least: int) -> Ids:
    users, counts = np.unique(likings.user_ids, return_counts=True)
    return users[counts >= least]


def _in_order(likings: Likings, *, seed: int) -> tuple[Likings, NDArray[np.int64]]:
    """Reader by reader, by time, with the place of each; at random where times are unknown or alike."""
    lottery = np.random.default_rng(seed).permutation(len(likings))
    by_time = np.lexsort((lottery, np.nan_to_num(likings.times, nan=np.inf)))
    rank: NDArray[np.int64] = np.empty(len(likings), dtype=np.int64)
    rank[by_time] = np.arange(len(likings))
    place, _ = places_within(likings.user_ids, rank)
    order = np.lexsort((place, likings.user_ids))
    return likings.select(order), place[order]


def _joined(first: Likings, second: Likings) -> Likings:
    return Likings(
        np.concatenate([first.user_ids, second.user_ids]),
        np.concatenate([first.paper_ids, second.paper_ids]),
        np.concatenate([first.times, second.times]),
    )
