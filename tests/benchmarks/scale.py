"""The whole size: `python -m tests.benchmarks.scale [--scale 0.1] [--texts]` sets the hybrid beside bare implicit.

Made-up readers (scale_data.py), 138,000 x 27,000 x 20 million pairs unless scaled. Each contestant fits and makes
lists of 200 for everybody in a fresh process of its own, one after the other on the same arrays. The last line is JSON.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import click
import numpy as np

from recommender.domain import Csr
from recommender.sparse import csr_of
from tests.benchmarks.scale_data import PAIRS, Size, dataset_of, make_pairs

LENGTH = 200
RANK, EPOCHS = 64, 15  # of bare implicit
SEED = 0
MOST_RATIO, MOST_MEGABYTES = 2.0, 12_000.0
DATA = ("data", "indices", "indptr")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one contestant took."""

    fit_seconds: float
    list_seconds: float
    processor_seconds: float  # of all cores, both together
    peak_megabytes: float
    lists: int
    notes: list[str]

    @property
    def seconds(self) -> float:
        """Fit and lists."""
        return self.fit_seconds + self.list_seconds


def bare(folder: Path, size: Size) -> tuple[float, int, list[str]]:
    """Fit implicit and rank for everybody; when the fit ended, how many lists, notes."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    matrix = _load(folder, size)
    saved = csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    model = AlternatingLeastSquares(factors=RANK, iterations=EPOCHS, random_state=SEED)
    model.fit(saved, show_progress=False)
    fitted = time.perf_counter()
    ids, _ = model.recommend(np.arange(size.readers), saved, N=LENGTH)
    return fitted, len(ids), []


def ours(folder: Path, size: Size, *, has_texts: bool) -> tuple[float, int, list[str]]:
    """The same with the default hybrid."""
    from recommender.hybrid import Hybrid, HybridConfig

    matrix = _load(folder, size)
    dataset = dataset_of(matrix, seed=SEED, has_texts=has_texts)
    defaults = HybridConfig()  # a smaller run has a smaller allowance, or it would not meet the rule at all
    config = replace(defaults, work_budget_gflop=defaults.work_budget_gflop * min(size.pairs / PAIRS, 1.0))
    model = Hybrid.fit(dataset, config, seed=SEED)
    fitted = time.perf_counter()
    lists = sum(len(block) for block in model.recommend_users(matrix, k=LENGTH))
    return fitted, lists, list(model.notes)


def compare(size: Size, *, has_texts: bool) -> dict[str, object]:
    """Both costs with their ratio, as plain JSON."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        matrix = make_pairs(size, seed=SEED)
        made = time.perf_counter() - started
        for part in DATA:
            np.save(folder / f"{part}.npy", getattr(matrix, part))
        del matrix
        costs = {which: _measured(which, folder, size, has_texts=has_texts) for which in ("bare", "ours")}
    return {
        **asdict(size),
        "has_texts": has_texts,
        "data_seconds": round(made, 1),
        **{which: {**asdict(cost), "seconds": round(cost.seconds, 1)} for which, cost in costs.items()},
        "ratio": round(costs["ours"].seconds / costs["bare"].seconds, 2),
        "processor_ratio": round(costs["ours"].processor_seconds / costs["bare"].processor_seconds, 2),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _measured(which: str, folder: Path, size: Size, *, has_texts: bool) -> Cost:
    """One contestant in a spawned process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(which, folder, size, has_texts, there))
    process.start()
    there.close()
    try:
        cost: Cost = here.recv()
    except EOFError:
        process.join()
        raise SystemExit(f"{which} ended with exit code {process.exitcode} and no result") from None
    process.join()
    return cost


def _run(which: str, folder: Path, size: Size, has_texts: bool, answer: Connection) -> None:
    contestant: Callable[[], tuple[float, int, list[str]]] = (
        (lambda: bare(folder, size)) if which == "bare" else (lambda: ours(folder, size, has_texts=has_texts))
    )
    started, worked = time.perf_counter(), time.process_time()
    fitted, lists, notes = contestant()
    ended = time.perf_counter()
    seconds = (round(fitted - started, 1), round(ended - fitted, 1), round(time.process_time() - worked, 1))
    answer.send(Cost(*seconds, _peak_megabytes(), lists, notes))
    answer.close()


def _peak_megabytes() -> float:
    """Of this process; getrusage would count what its parent had before."""
    status = Path("/proc/self/status").read_text()
    kibibytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return round(int(kibibytes) * 1024 / 1e6, 1)


def _load(folder: Path, size: Size) -> Csr:
    data, indices, indptr = (np.load(folder / f"{name}.npy") for name in DATA)
    return csr_of(data, indices, indptr, (size.readers, size.papers))


@click.command()
@click.option("--scale", default=1.0, show_default=True, help="Share of the full size.")
@click.option("--texts", is_flag=True, help="Give papers titles.")
def main(scale: float, *, texts: bool) -> None:
    """Print what both cost; fail when the bounds are not kept at full size."""
    found = compare(Size.scaled(scale), has_texts=texts)
    sys.stdout.write(json.dumps(found) + "\n")
    ratio, megabytes = found["ratio"], found["ours"]["peak_megabytes"]  # type: ignore[index]
    sys.stdout.write(f"ratio {ratio} (at most {MOST_RATIO}), {megabytes} MB (at most {MOST_MEGABYTES})\n")
    if scale >= 1 and not texts and (float(str(ratio)) > MOST_RATIO or float(str(megabytes)) > MOST_MEGABYTES):
        sys.exit(1)


if __name__ == "__main__":
    main()
