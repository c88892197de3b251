"""What a reader's events on one paper come to: which save, vote or dismissal is in force after the whole history."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.domain import EventKind, Interactions, Times

UNDOING = (EventKind.UNSAVE, EventKind.UNVOTE, EventKind.DISMISS)


@dataclass(frozen=True, slots=True)
class PairStates:
    """One line per pair; `_at` is the position of the last event of its kind or its opposite, -1 without any."""

    saved: NDArray[np.bool_]
    saved_at: NDArray[np.int64]
    voted: NDArray[np.bool_]
    voted_at: NDArray[np.int64]
    disliked: NDArray[np.bool_]


def states_of(kinds: NDArray[np.uint8], pair_of: NDArray[np.intp], count: int) -> PairStates:
    """The state of each of `count` pairs; events are in the order of `history_order`."""
    saved, saved_at = _switch(kinds, pair_of, count, on=EventKind.SAVE, off=EventKind.UNSAVE)
    voted, voted_at = _switch(kinds, pair_of, count, on=EventKind.UPVOTE, off=EventKind.UNVOTE)
    hidden, hidden_at = _switch(kinds, pair_of, count, on=EventKind.DISMISS, off=EventKind.UNDISMISS)
    # What came last wins: a paper saved after it was dismissed is liked again.
    kept_at = np.maximum(np.where(saved, saved_at, -1), np.where(voted, voted_at, -1))
    return PairStates(saved, saved_at, voted, voted_at, hidden & (hidden_at > kept_at))


def taken_back(keys: NDArray[np.int64], events: Interactions) -> NDArray[np.bool_]:
    """(events,) True for saves and votes that were taken back, and for every event on a paper that is dismissed.

    `keys` names the pair of each event. Only pairs with an event that takes something back are looked at.
    """
    gone = np.zeros(len(events), dtype=bool)
    undoing = np.isin(events.kinds, UNDOING)
    if not undoing.any():
        return gone
    at = np.flatnonzero(np.isin(keys, keys[undoing]))
    order = at[history_order(keys[at], events.occurred_at[at])]
    pairs, pair_of = np.unique(keys[order], return_inverse=True)
    kinds = events.kinds[order]
    states = states_of(kinds, pair_of, len(pairs))
    unsaved = (kinds == EventKind.SAVE) & ~states.saved[pair_of]
    unvoted = (kinds == EventKind.UPVOTE) & ~states.voted[pair_of]
    gone[order] = unsaved | unvoted | states.disliked[pair_of]
    return gone


def kept_pairs(keys: NDArray[np.int64], events: Interactions) -> NDArray[np.int64]:
    """The pairs whose save or vote is in force, ascending; `keys` names the pair of each event."""
    pairs, pair_of = np.unique(keys, return_inverse=True)
    order = history_order(pair_of, events.occurred_at)
    states = states_of(events.kinds[order], pair_of[order], len(pairs))
    return pairs[(states.saved | states.voted) & ~states.disliked]


def history_order(keys: NDArray[np.int64], occurred_at: Times) -> NDArray[np.intp]:
    """Positions ordered by pair, then time; an event of unknown time follows its predecessor in the log."""
    by_pair = np.argsort(keys, kind="stable")
    times = occurred_at[by_pair].copy()
    sorted_keys = keys[by_pair]
    unknown = np.isnan(times)
    starts = np.ones(len(times), dtype=bool)
    starts[1:] = sorted_keys[1:] != sorted_keys[:-1]
    times[unknown & starts] = -np.inf
    source = np.where(unknown & ~starts, 0, np.arange(len(times)))
    times = times[np.maximum.accumulate(source)] if len(times) else times
    within = np.lexsort((np.arange(len(times)), times, sorted_keys))
    return by_pair[within]


def _switch(
    kinds: NDArray[np.uint8], pair_of: NDArray[np.intp], count: int, *, on: EventKind, off: EventKind
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """For each pair: is it switched on at the end, and at which position of the ordered log."""
    at = np.flatnonzero((kinds == on) | (kinds == off))
    last = np.full(count, -1, dtype=np.int64)
    last[pair_of[at]] = at  # positions ascend, so the last assignment is the latest event
    is_on = last >= 0
    is_on[is_on] = kinds[last[is_on]] == on
    return is_on, last
