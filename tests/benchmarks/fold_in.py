"""What one reader costs: `python -m tests.benchmarks.fold_in MODEL_DIRECTORY` prints milliseconds of one core."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recommender.dataset import Profile
from recommender.domain import PaperTexts
from recommender.hybrid import Hybrid

HISTORY = 20
LENGTH = 200
FRESH = 1000
ROUNDS = 10


def milliseconds(call: Callable[[], object]) -> float:
    """The fastest of a few rounds, in processor time."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return 1000 * best


def main(directory: Path) -> str:
    """Fold-in with ranking, explanation and extension of the stored model."""
    model = Hybrid.load(directory)
    ids = model.papers.in_row_order
    reader = Profile(ids[:HISTORY], np.full(HISTORY, 3, dtype=np.float32), ids[:0])
    unused = (int(ids.max()) if ids.dtype.kind == "i" else 0) + 1
    fresh_ids = np.arange(unused, unused + FRESH).astype(ids.dtype)
    titles = [f"graph networks for protein folding {number}" for number in range(FRESH)]
    fresh = PaperTexts(fresh_ids, titles, [""] * FRESH, [""] * FRESH, np.full(FRESH, np.nan))
    figures = {
        f"fold in and rank {LENGTH} of {len(ids)}": milliseconds(lambda: model.recommend([reader], k=LENGTH)),
        f"explain {HISTORY}": milliseconds(lambda: model.explain(reader, ids[:HISTORY])),
        f"extend by {FRESH}": milliseconds(lambda: model.extend(fresh)),
    }
    return "\n".join(f"{name}: {value:.1f} ms" for name, value in figures.items())


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])) + "\n")
