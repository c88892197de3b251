"""One list out of two: log-odds that a paper is liked, for papers with history and for papers without.

Standing among other papers (z) says little about the odds across the two kinds, so each kind has its own
logistic regression. Its numbers depend on how many papers are new, hence they are learned anew where the data
allow (tuning.py); the defaults are what CiteULike gave.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Floats

LEAST_Z = 0.3  # below it the logarithm of z says nothing; papers there keep their order by z itself
LEAST_RAW = 1e-4
NEWTON_STEPS = 30
RIDGE = 0.1
FEW = 10  # saves; a reader with fewer has odds of their own, see Calibration


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients of the two regressions.

    How few saves are known is the log of their number over FEW, 0 from FEW on. The fewer they are, the less a z
    says and the more the number of readers does, so it multiplies both; and it moves the odds of warm and of new
    papers each on their own, or else one kind would flood the lists of readers who have just come.
    """

    warm: tuple[float, ...]  # of log z, log history, log readers of the paper, few, few x log readers, few x log z, 1
    cold: tuple[float, ...]  # of log raw, log z, few, 1

    def warm_odds(self, z: Floats, sizes: NDArray[np.int64], popularity: Floats) -> Floats:
        """(readers, papers) log-odds of papers with history."""
        of_z, of_size, of_popularity, of_few, popularity_few, z_few, base = (np.float32(value) for value in self.warm)
        few = _few(sizes)
        scores = (of_z + z_few * few)[:, None] * np.log(np.maximum(z, LEAST_Z))
        scores += np.minimum(z - np.float32(LEAST_Z), 0)
        scores += (of_size * _history(sizes) + of_few * few + base)[:, None]
        scores += (of_popularity + popularity_few * few)[:, None] * _log(popularity)
        return np.asarray(scores, dtype=np.float32)

    def cold_odds(self, raw: Floats, z: Floats, sizes: NDArray[np.int64]) -> Floats:
        """(readers, papers) log-odds of papers known by their words."""
        of_raw, of_z, of_few, base = (np.float32(value) for value in self.cold)
        scores = of_raw * np.log(np.maximum(raw, LEAST_RAW)) + (of_few * _few(sizes) + base)[:, None]
        scores += of_z * np.log(np.maximum(z, LEAST_Z))
        scores += np.minimum(z - np.float32(LEAST_Z), 0)
        return np.asarray(scores, dtype=np.float32)

    @property
    def keeps_order(self) -> bool:
        """True when better scores give better odds, from one save on."""
        with_one = self.warm[0] - self.warm[5] * float(np.log(FEW))
        return min(self.warm[0], with_one) > 0 and min(self.cold[:2]) >= 0 and sum(self.cold[:2]) > 0


LEARNED = Calibration(
    warm=(2.725, 1.649, -0.227, -0.153, -0.173, 0.448, -12.908), cold=(1.333, 0.025, -1.044, -2.249)
)  # on CiteULike
LEARNED_WARM, LEARNED_PAPERS = 13_584, 16_980  # papers with history, and all, that they were learned among


def default(*, warm: int, papers: int) -> Calibration:
    """What holds without learning: the z of a paper that stands out grows with the root of their number."""
    of_warm = 0.5 * LEARNED.warm[0] * float(np.log(LEARNED_WARM / max(warm, 1)))
    of_cold = 0.5 * LEARNED.cold[1] * float(np.log(LEARNED_PAPERS / max(papers, 1)))
    return Calibration(
        (*LEARNED.warm[:-1], LEARNED.warm[-1] + of_warm), (*LEARNED.cold[:-1], LEARNED.cold[-1] + of_cold)
    )


def warm_features(z: Floats, sizes: Floats, popularity: Floats) -> Floats:
    """(samples, 7) what `warm` multiplies."""
    of_z, readers, few = np.log(np.maximum(z, LEAST_Z)), _log(popularity), _few(sizes)
    columns = [of_z, _history(sizes), readers, few, few * readers, few * of_z, np.ones_like(z)]
    return np.stack(columns, axis=1)


def cold_features(raw: Floats, z: Floats, sizes: Floats) -> Floats:
    """(samples, 4) what `cold` multiplies."""
    columns = [np.log(np.maximum(raw, LEAST_RAW)), np.log(np.maximum(z, LEAST_Z)), _few(sizes), np.ones_like(z)]
    return np.stack(columns, axis=1)


def regress(features: Floats, is_liked: NDArray[np.bool_], *, rising: int = 0) -> tuple[float, ...]:
    """Coefficients of a logistic regression, by Newton's method.

    Of the first `rising` columns one that would lower the odds is left out with 0: they say nearly the same, so that
    the one with a sign of its own only corrects the other.
    """
    rows = features.astype(np.float64)
    wanted = is_liked.astype(np.float64)
    found = np.zeros(rows.shape[1])
    share = np.clip(wanted.mean(), 1e-6, 1 - 1e-6)
    found[-1] = np.log(share / (1 - share))
    ridge = RIDGE * np.eye(len(found))
    ridge[-1, -1] = 0  # the base rate is not shrunk
    for _ in range(NEWTON_STEPS):
        odds = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        slope = rows.T @ (wanted - odds) - ridge @ found
        curvature = (rows * (odds * (1 - odds))[:, None]).T @ rows + ridge
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(found)), slope)
        found += step
        if np.abs(step).max() < 1e-6:
            break
    least = int(np.argmin(found[:rising])) if rising else 0
    if rising and found[least] < 0:
        others = regress(np.delete(features, least, axis=1), is_liked, rising=rising - 1)
        return (*others[:least], 0.0, *others[least:])
    return tuple(float(value) for value in found)


def _history(sizes: NDArray[np.generic]) -> Floats:
    return _log(np.maximum(sizes, FEW))


def _few(sizes: NDArray[np.generic]) -> Floats:
    return _log(np.minimum(sizes, FEW)) - np.float32(np.log(FEW))


def _log(counts: NDArray[np.generic]) -> Floats:
    return np.log(np.maximum(np.asarray(counts, dtype=np.float32), 1))
