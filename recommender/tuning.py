"""Learning the calibration from the training part itself: hide some, rank, see what was hidden.

Some papers lose all their history, as if they were new; of the others every pair has the same chance to be
hidden. What share of papers is new follows the data. Half of the new papers count as answers, the other half
stand for new papers whose readers have not come yet. A third of the readers show 1, 2 or 5 saves and no more, as
readers do who have just come: the fit keeps what they liked besides, but no answer is among it.

Papers made new were as liked as all others, while many that really have no history never will have one. Where
times are known, the last of the likings tell how often a new paper is liked, and the odds follow that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.calibration import Calibration, cold_features, regress, warm_features
from recommender.config import HybridConfig
from recommender.dataset import Dataset
from recommender.domain import Csr, Floats
from recommender.scoring import EXCLUDED, exclude_rows
from recommender.sparse import as_csr, csr_of, row_sizes, rows_of

HIDDEN_PAIRS = 0.1
NEW_PAPERS = (0.1, 0.4)  # least and most share of papers made new
DEPTH = 150  # candidates of each kind per reader that the regressions see
LEAST_ANSWERS = 100  # of each kind; with fewer the defaults stay
READERS_PER_BLOCK = 256
SHORTENED = 1 / 3  # of the readers show so few saves
SHOWN = (1, 2, 5)
LATEST = 0.1  # of the likings, by time: how often new papers are liked is counted there
LEAST_TIMED = 0.5  # of the likings have a time, or nothing is counted
Samples: TypeAlias = tuple[Floats, NDArray[np.bool_]]  # features, and which were liked


@dataclass(frozen=True, slots=True)
class Hidden:
    """A dataset taken apart."""

    left: Csr  # (readers, papers) what a fit may see
    answers: Csr  # (readers, papers) what it has to find
    seed: int  # of all that is drawn


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
    return Hidden(_only(user_items, ~of_new & ~hidden), _only(user_items, hidden | is_asked[user_items.indices]), seed)


def arrival(dataset: Dataset) -> float | None:
    """Log of how often a paper without history is liked for one with, by the latest likings; None without times."""
    times, papers = dataset.times, dataset.user_items.indices
    known = ~np.isnan(times)
    if len(times) == 0 or known.mean() < LEAST_TIMED:
        return None
    is_late = known & (times >= np.quantile(times[known], 1 - LATEST))
    is_old = np.zeros(len(dataset.papers), dtype=bool)
    is_old[papers[~is_late]] = True
    if is_old.all() or not is_old.any():
        return None
    of_old = is_old[papers[is_late]]
    return _log_ratio(int((~of_old).sum()), int(of_old.sum()), new=int((~is_old).sum()), old=int(is_old.sum()))


def learn(
    hidden: Hidden,
    score: Callable[[Csr], Found],
    *,
    warm_rows: NDArray[np.int32],
    popularity: Floats,
    readers: int,
    arrival: float | None,
) -> Calibration | None:
    """The calibration under which the hidden answers are likeliest; None when there are too few.

    `arrival` is that of the whole data set; without it new papers are as liked as those made new here.
    """
    asked = np.flatnonzero((row_sizes(hidden.answers) > 0) & (row_sizes(hidden.left) > 0))
    asked = asked[:: max(1, len(asked) // readers)][:readers]
    cold_rows = np.setdiff1d(np.arange(hidden.left.shape[1]), warm_rows)
    if len(asked) == 0 or len(cold_rows) == 0:
        return None
    random = np.random.default_rng(hidden.seed)
    warm: list[Samples] = []
    cold: list[Samples] = []
    for start in range(0, len(asked), READERS_PER_BLOCK):
        block = asked[start : start + READERS_PER_BLOCK]
        past = rows_of(hidden.left, block)
        liked = rows_of(hidden.answers, block).toarray() > 0
        found = score(shortened(past, random))
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
        sizes = np.repeat(found.sizes, near.shape[1])
        cold.append((cold_features(raw, raw_z, sizes.astype(np.float32)), np.take_along_axis(liked, near, 1).ravel()))
    learned = _regressed(warm, cold)
    return learned if learned is None or arrival is None else _moved(learned, hidden, warm_rows, arrival=arrival)


def shortened(past: Csr, random: np.random.Generator) -> Csr:
    """The same histories, some of them cut to a few saves at random."""
    sizes = row_sizes(past)
    is_cut = random.random(len(sizes)) < SHORTENED
    most = np.where(is_cut, random.choice(SHOWN, len(sizes)), sizes)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((random.random(past.nnz), owner))
    place = np.empty(past.nnz, dtype=np.int64)
    place[order] = np.arange(past.nnz) - past.indptr[owner[order]]
    return _only(past, place < most[owner])


def _moved(learned: Calibration, hidden: Hidden, warm_rows: NDArray[np.int32], *, arrival: float) -> Calibration:
    """The odds of new papers moved by how much rarer their likings are in time than they were among the hidden."""
    papers = hidden.answers.shape[1]
    answers = np.bincount(hidden.answers.indices, minlength=papers)
    of_old, old = int(answers[warm_rows].sum()), len(warm_rows)
    here = _log_ratio(int(answers.sum()) - of_old, of_old, new=papers - old, old=old)
    return replace(learned, cold=(*learned.cold[:-1], learned.cold[-1] + arrival - here))


def _log_ratio(of_new: int, of_old: int, *, new: int, old: int) -> float:
    """Log of the likings of a new paper for one of an old one; one is added to each count, as none may have come."""
    return float(np.log((of_new + 1) / new) - np.log((of_old + 1) / old))


def _regressed(warm: list[Samples], cold: list[Samples]) -> Calibration | None:
    samples = [tuple(np.concatenate(column) for column in zip(*kind, strict=True)) for kind in (warm, cold)]
    if min(int(liked.sum()) for _, liked in samples) < LEAST_ANSWERS:
        return None
    learned = Calibration(regress(*samples[0]), regress(*samples[1], rising=2))
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
