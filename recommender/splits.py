"""Hiding part of a log, to be found again."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import WeightConfig, build_dataset
from recommender.domain import Ids, Interactions, PaperTexts, Times

TEMPORAL_SHARE = 0.1  # of the timed events, the latest, are held out
PER_READER_SHARE = 0.2
MIN_HISTORY = 2  # a reader keeps at least this many papers in a per-reader split
MIN_TIMED_SHARE = 0.5  # with fewer timed events a temporal cut says nothing


@dataclass(frozen=True, slots=True)
class Likings:
    """Pairs of reader and paper with positive confidence, one line each."""

    user_ids: Ids  # (pairs,)
    paper_ids: Ids  # (pairs,)
    times: Times  # (pairs,) latest event of the pair, NaN unknown

    def __len__(self) -> int:
        return len(self.times)

    def select(self, chosen: NDArray[np.generic]) -> "Likings":
        """The chosen pairs (mask or positions)."""
        return Likings(self.user_ids[chosen], self.paper_ids[chosen], self.times[chosen])


@dataclass(frozen=True, slots=True)
class Split:
    """A log cut in two; held-out pairs are likings that the train part does not contain."""

    kind: Literal["temporal", "per_reader"]
    train: Interactions
    held_out: Likings

    @property
    def held_out_user_ids(self) -> Ids:
        """(pairs,) who liked."""
        return self.held_out.user_ids

    @property
    def held_out_paper_ids(self) -> Ids:
        """(pairs,) what was liked."""
        return self.held_out.paper_ids


def split_log(interactions: Interactions, *, weights: WeightConfig, seed: int) -> Split:
    """Temporal where most events carry a time, per reader otherwise."""
    if has_times(interactions):
        return temporal_split(interactions, weights=weights)
    return per_reader_split(interactions, weights=weights, seed=seed)


def has_times(interactions: Interactions) -> bool:
    """True where a temporal cut says something: most events carry a time, and not all the same one."""
    timed = ~np.isnan(interactions.occurred_at)
    distinct = np.unique(interactions.occurred_at[timed])
    return bool(len(interactions) and timed.mean() >= MIN_TIMED_SHARE and len(distinct) > 1)


def temporal_split(interactions: Interactions, *, weights: WeightConfig, share: float = TEMPORAL_SHARE) -> Split:
    """Train on what happened before the cut, hold out new likings after it; untimed events are history."""
    times = interactions.occurred_at
    timed = times[~np.isnan(times)]
    if len(timed) == 0:
        raise ValueError("no event carries a time: use per_reader_split")
    cut = float(np.quantile(timed, 1 - share, method="higher"))
    later = times >= cut
    found = likings_of(interactions.select(later), weights=weights)
    known = likings_of(interactions.select(~later), weights=weights)
    fresh = ~_pairs_in(found.user_ids, found.paper_ids, known.user_ids, known.paper_ids)
    return Split("temporal", interactions.select(~later), found.select(fresh))


def per_reader_split(
    interactions: Interactions, *, weights: WeightConfig, seed: int, share: float = PER_READER_SHARE
) -> Split:
    """Hold out a random share of every reader's likings, leaving each at least MIN_HISTORY.

    Every event of a held-out pair is left out, so no click gives away a save.
    """
    found = likings_of(interactions, weights=weights)
    lottery = np.random.default_rng(seed).permutation(len(found))
    place, sizes = places_within(found.user_ids, lottery)
    quota = np.minimum(np.ceil(sizes * share), np.maximum(sizes - MIN_HISTORY, 0))
    held_out = found.select(place < quota)
    hidden = _pairs_in(interactions.user_ids, interactions.paper_ids, held_out.user_ids, held_out.paper_ids)
    return Split("per_reader", interactions.select(~hidden), held_out)


def places_within(user_ids: Ids, rank: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each pair its place 0, 1, ... among the reader's by ascending rank, and how many the reader has."""
    codes = _codes(user_ids)
    order = np.lexsort((rank, codes))
    sizes = np.bincount(codes).astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(codes), dtype=np.int64)
    place[order] = np.arange(len(codes)) - starts[codes[order]]
    return place, sizes[codes]


def likings_of(interactions: Interactions, *, weights: WeightConfig) -> Likings:
    """The pairs with positive confidence after these events, whatever their age."""
    times = interactions.occurred_at
    timed = times[~np.isnan(times)]
    now = float(timed.max()) if len(timed) else 0.0
    no_texts = PaperTexts.empty(interactions.paper_ids[:0])
    dataset = build_dataset(interactions, no_texts, now=now, weights=weights)
    readers = np.repeat(np.arange(len(dataset.users)), np.diff(dataset.user_items.indptr))
    return Likings(dataset.users.ids(readers), dataset.papers.ids(dataset.user_items.indices), dataset.times)


def _pairs_in(users: Ids, papers: Ids, among_users: Ids, among_papers: Ids) -> NDArray[np.bool_]:
    """Which (user, paper) pairs occur among the others."""
    if len(users) == 0 or len(among_users) == 0:
        return np.zeros(len(users), dtype=bool)
    user_codes = _codes(np.concatenate([users, among_users]))
    paper_codes = _codes(np.concatenate([papers, among_papers]))
    keys = user_codes * (int(paper_codes.max()) + 1) + paper_codes
    return np.isin(keys[: len(users)], keys[len(users) :])


def _codes(ids: Ids) -> NDArray[np.int64]:
    return np.unique(ids, return_inverse=True)[1].astype(np.int64)
