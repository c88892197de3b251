"""Learning the calibration from the training part itself: hide some, rank, see what was hidden.

Some papers lose all their history, as if they were new; of the others every pair has the same chance to be
hidden. What share of papers is new follows the data. Half of the new papers count as answers, the other half
stand for new papers whose readers have not come yet.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.calibration import Calibration, cold_features, regress, warm_features
from recommender.config import HybridConfig
from recommender.domain import Csr, Floats
from recommender.scoring import EXCLUDED, exclude_rows
from recommender.sparse import as_csr, csr_of, row_sizes, rows_of

HIDDEN_PAIRS = 0.1
NEW_PAPERS = (0.1, 0.4)  # least and most share of papers made new
DEPTH = 150  # candidates of each kind per reader that the regressions see
LEAST_ANSWERS = 100  # of each kind; with fewer the defaults stay
READERS_PER_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Hidden:
    """A dataset taken apart."""

    left: Csr  # (readers, papers) what a fit may see
    answers: Csr  # (readers, papers) what it has to find


@dataclass(frozen=True, slots=True)
class Found:
    """Scores of a block of readers before calibration; see blend.py."""

    z: Floats  # (readers, warm)
    raw: Floats  # (readers, papers)
    raw_z: Floats  # (readers, papers)
    sizes: NDArray[np.int64]  # (readers,)


def is_worth_it(user_items: Csr, config: HybridConfig) -> bool:
    """Enough pairs for the regressions to mean something, and not so many that a second fit takes long."""
    return config.tuning_readers > 0 and config.tuning_least_pairs <= user_items.nnz <= config.tuning_most_pairs


def hide(user_items: Csr, *, new_share: float, seed: int) -> Hidden:
    """The split of (readers, papers) confidence where every paper has history."""
    random = np.random.default_rng(seed)
    papers = user_items.shape[1]
    order = random.permutation(papers)
    count = int(papers * np.clip(new_share, *NEW_PAPERS))
    is_new, is_asked = np.zeros(papers, dtype=bool), np.zeros(papers, dtype=bool)
    is_new[order[:count]] = True
    is_asked[order[: count // 2]] = True
    of_new = is_new[user_items.indices]
    hidden = ~of_new & (random.random(user_items.nnz) < HIDDEN_PAIRS)
    return Hidden(_only(user_items, ~of_new & ~hidden), _only(user_items, hidden | is_asked[user_items.indices]))


def learn(
    hidden: Hidden, score: Callable[[Csr], Found], *, warm_rows: NDArray[np.int32], popularity: Floats, readers: int
) -> Calibration | None:
    """The calibration under which the hidden answers are likeliest; None when there are too few."""
    asked = np.flatnonzero((row_sizes(hidden.answers) > 0) & (row_sizes(hidden.left) > 0))
    asked = asked[:: max(1, len(asked) // readers)][:readers]
    cold_rows = np.setdiff1d(np.arange(hidden.left.shape[1]), warm_rows)
    if len(asked) == 0 or len(cold_rows) == 0:
        return None
    warm: list[tuple[Floats, NDArray[np.bool_]]] = []
    cold: list[tuple[Floats, NDArray[np.bool_]]] = []
    for start in range(0, len(asked), READERS_PER_BLOCK):
        block = asked[start : start + READERS_PER_BLOCK]
        past = rows_of(hidden.left, block)
        liked = rows_of(hidden.answers, block).toarray() > 0
        found = score(past)
        masked = np.full((len(block), hidden.left.shape[1]), EXCLUDED, dtype=np.float32)
        masked[:, warm_rows] = found.z
        exclude_rows(masked, past)
        at, is_seen = _best(masked)
        z = np.take_along_axis(masked, at, 1)[is_seen]
        sizes = np.broadcast_to(found.sizes[:, None], at.shape)[is_seen]
        features = warm_features(z, sizes.astype(np.float32), popularity[at][is_seen])
        warm.append((features, np.take_along_axis(liked, at, 1)[is_seen]))
        near = cold_rows[_best(found.raw[:, cold_rows])[0]]
        raw, raw_z = (np.take_along_axis(of, near, 1).ravel() for of in (found.raw, found.raw_z))
        cold.append((cold_features(raw, raw_z), np.take_along_axis(liked, near, 1).ravel()))
    return _regressed(warm, cold)


def _regressed(
    warm: list[tuple[Floats, NDArray[np.bool_]]], cold: list[tuple[Floats, NDArray[np.bool_]]]
) -> Calibration | None:
    samples = [tuple(np.concatenate(column) for column in zip(*kind, strict=True)) for kind in (warm, cold)]
    if min(int(liked.sum()) for _, liked in samples) < LEAST_ANSWERS:
        return None
    learned = Calibration(*(regress(features, liked) for features, liked in samples))
    return learned if learned.keeps_order else None


def _best(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(readers, depth) columns of the best scores, and which of them are no excluded ones."""
    depth = min(DEPTH, scores.shape[1])
    at = np.argpartition(scores, scores.shape[1] - depth, axis=1)[:, scores.shape[1] - depth :]
    return at, np.take_along_axis(scores, at, 1) > EXCLUDED


def _only(matrix: Csr, kept: NDArray[np.bool_]) -> Csr:
    """The kept entries."""
    ends = np.concatenate([[0], np.cumsum(kept)])
    shape = (matrix.shape[0], matrix.shape[1])
    return as_csr(csr_of(matrix.data[kept], matrix.indices[kept], ends[matrix.indptr], shape))
