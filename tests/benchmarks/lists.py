"""Lists for all readers: `python -m tests.benchmarks.lists` sets ours beside the batch `recommend` of implicit.

The same factors, the same readers' own papers left out, the same threads; rounds alternate, the best of each
counts. Lists must be the same but for papers of exactly equal score.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recommender.domain import Csr, Floats
from recommender.threads import blas_threads
from recommender.topk import factor_lists
from tests.benchmarks.scale_data import Size, make_pairs

LENGTH = 200
ROUNDS = 3
EPOCHS = 3  # enough for factors of the usual shape
SEED = 0
SIZES = ((Size(50_000, 27_000, 5_000_000), 64), (Size(5_551, 16_980, 164_000), 256))
Lists = tuple[NDArray[np.int32], Floats]


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds of both and what they agree on."""

    bare_seconds: float
    seconds: float
    processor_ratio: float  # of the time all cores spent, which other work on the machine disturbs less
    same_scores: bool
    others: int  # places with another paper where the score is no tie
    ties: int  # places with another paper of the same score

    @property
    def ratio(self) -> float:
        """How many times the readers per second of implicit."""
        return self.bare_seconds / self.seconds


def race(size: Size, *, rank: int, rounds: int = ROUNDS, k: int = LENGTH) -> Race:
    """Both on the factors of a short fit, in alternating rounds."""
    matrix = make_pairs(size, seed=SEED)
    saved = csr_matrix(matrix)
    with blas_threads(1):
        model = AlternatingLeastSquares(factors=rank, iterations=EPOCHS, random_state=SEED)
        model.fit(saved, show_progress=False)
    everybody = np.arange(size.readers)

    def bare() -> Lists:
        with blas_threads(1):
            ids, scores = model.recommend(everybody, saved, N=k)
        return ids, scores

    def ours() -> Lists:
        return _ours(model.user_factors, model.item_factors, matrix, k=k)

    timed = [(_timed(bare), _timed(ours)) for _ in range(rounds)]
    (ids, scores), (columns, found) = timed[0][0][2], timed[0][1][2]
    is_tied = (np.diff(scores, axis=1, prepend=np.inf) == 0) | (np.diff(scores, axis=1, append=-np.inf) == 0)
    is_tied[:, -1] = True  # the paper after the last place may have its score
    other = columns != ids
    return Race(
        min(first for (first, _, _), _ in timed),
        min(second for _, (second, _, _) in timed),
        min(first for (_, first, _), _ in timed) / min(second for _, (_, second, _) in timed),
        bool(np.array_equal(scores, found)),
        int((other & ~is_tied).sum()),
        int((other & is_tied).sum()),
    )


def report(size: Size, rank: int) -> str:
    """One line about one size."""
    found = race(size, rank=rank)
    per_second = size.readers / found.seconds
    return (
        f"{size.readers} readers x {size.papers} papers x {rank} factors: {per_second:.0f} readers/s, implicit "
        f"{size.readers / found.bare_seconds:.0f}, ratio {found.ratio:.2f}, "
        f"in processor time {found.processor_ratio:.2f}; scores the same: {found.same_scores}, "
        f"places that differ: {found.others}, and {found.ties} among papers of equal score"
    )


def _ours(readers: Floats, papers: Floats, seen: Csr, *, k: int) -> Lists:
    columns = np.empty((len(readers), k), dtype=np.int32)
    scores = np.empty((len(readers), k), dtype=np.float32)
    for block, best in factor_lists(readers, papers, seen, k=k):
        columns[block], scores[block] = best.columns, best.scores
    return columns, scores


def _timed(call: Callable[[], Lists]) -> tuple[float, float, Lists]:
    started, worked = time.perf_counter(), time.process_time()
    lists = call()
    return time.perf_counter() - started, time.process_time() - worked, lists


if __name__ == "__main__":
    for size, rank in SIZES:
        sys.stdout.write(report(size, rank) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
