"""Hiding part of a log, to be found again."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import WeightConfig, build_dataset
from recommender.domain import Ids, Interactions, PaperTexts

TEMPORAL_SHARE = 0.1  # of the timed events, the latest, are held out
PER_READER_SHARE = 0.2
MIN_HISTORY = 2  # a reader keeps at least this many papers in a per-reader split
MIN_TIMED_SHARE = 0.5  # with fewer timed events a temporal cut says nothing


@dataclass(frozen=True, slots=True)
class Split:
    """A log cut in two; held-out pairs are likings that the train part does not contain."""

    kind: Literal["temporal", "per_reader"]
    train: Interactions
    held_out_user_ids: Ids  # (pairs,)
    held_out_paper_ids: Ids  # (pairs,)


def split_log(interactions: Interactions, *, weights: WeightConfig, seed: int) -> Split:
    """Temporal where most events carry a time, per reader otherwise."""
    timed = ~np.isnan(interactions.occurred_at)
    distinct = np.unique(interactions.occurred_at[timed])
    if len(interactions) and timed.mean() >= MIN_TIMED_SHARE and len(distinct) > 1:
        return temporal_split(interactions, weights=weights)
    return per_reader_split(interactions, weights=weights, seed=seed)


def temporal_split(interactions: Interactions, *, weights: WeightConfig, share: float = TEMPORAL_SHARE) -> Split:
    """Train on what happened before the cut, hold out new likings after it; untimed events are history."""
    times = interactions.occurred_at
    timed = times[~np.isnan(times)]
    if len(timed) == 0:
        raise ValueError("no event carries a time: use per_reader_split")
    cut = float(np.quantile(timed, 1 - share, method="higher"))
    later = times >= cut
    users, papers = _likings(interactions.select(later), weights)
    known_users, known_papers = _likings(interactions.select(~later), weights)
    fresh = ~_pairs_in(users, papers, known_users, known_papers)
    return Split("temporal", interactions.select(~later), users[fresh], papers[fresh])


def per_reader_split(
    interactions: Interactions, *, weights: WeightConfig, seed: int, share: float = PER_READER_SHARE
) -> Split:
    """Hold out a random share of every reader's likings, leaving each at least MIN_HISTORY.

    Every event of a held-out pair is left out, so no click gives away a save.
    """
    users, papers = _likings(interactions, weights)
    random = np.random.default_rng(seed)
    lottery = random.permutation(len(users))
    order = np.lexsort((lottery, _codes(users)))
    codes = _codes(users)[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]])) if len(codes) else codes
    sizes = np.diff(np.concatenate([starts, [len(codes)]]))
    position = np.arange(len(codes)) - np.repeat(starts, sizes)
    quota = np.minimum(np.ceil(sizes * share), np.maximum(sizes - MIN_HISTORY, 0))
    chosen = np.zeros(len(users), dtype=bool)
    chosen[order] = position < np.repeat(quota, sizes)
    held_users, held_papers = users[chosen], papers[chosen]
    hidden = _pairs_in(interactions.user_ids, interactions.paper_ids, held_users, held_papers)
    return Split("per_reader", interactions.select(~hidden), held_users, held_papers)


def _likings(interactions: Interactions, weights: WeightConfig) -> tuple[Ids, Ids]:
    """The pairs with positive confidence after these events, whatever their age."""
    times = interactions.occurred_at
    timed = times[~np.isnan(times)]
    now = float(timed.max()) if len(timed) else 0.0
    no_texts = PaperTexts.empty(interactions.paper_ids[:0])
    dataset = build_dataset(interactions, no_texts, now=now, weights=weights)
    readers = np.repeat(np.arange(len(dataset.users)), np.diff(dataset.user_items.indptr))
    return dataset.users.ids(readers), dataset.papers.ids(dataset.user_items.indices)


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
