"""What one reader costs, on one core: `python -m tests.benchmarks.fold_in [FOLDER [PAPERS]]` prints a table.

FOLDER (`build/fold-in` by default) keeps the model of a made-up catalogue (see catalogue.py) for the next run;
without a model there one is fitted on 20,000 papers and extended to PAPERS. Times are processor time of the calling
thread: the least, the median and the 95th percentile over readers.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from recommender import factor_shortlist
from recommender.als import AlsFactors
from recommender.baselines import als_config
from recommender.dataset import Profile
from recommender.domain import Ids, RankedList
from recommender.hybrid import Hybrid, HybridConfig
from tests.benchmarks import catalogue

FOLDER: Final = Path("build/fold-in")  # git-ignored
PAPERS, FITTED, WARM, READERS = 200_000, 20_000, 17_000, 5_000
HISTORIES: Final = (5, 50, 500)
READERS_EACH: Final = 20
LENGTH, SHALLOW = 200, 20
FRESH: Final = 1000
FACTORS: Final = 64  # of the smaller factors alone
ROUNDS: Final = 5
MEGABYTE: Final = 1_000_000
ONE_PROCESS: Final = """
import sys, time
from pathlib import Path
from recommender.hybrid import Hybrid
started = time.perf_counter()
model = Hybrid.load(Path(sys.argv[1]))
print(1000 * (time.perf_counter() - started), flush=True)
papers = model.papers.in_row_order[:5]
import numpy as np
from recommender.dataset import Profile
model.recommend([Profile(papers, np.ones(5, np.float32), papers[:0])], k=200)
print("ready", flush=True)
sys.stdin.readline()
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one core."""

    least: float
    median: float
    high: float

    @classmethod
    def of(cls, calls: Sequence[Callable[[], object]]) -> "Cost":
        """The cost of each call, after one that is not counted."""
        calls[0]()
        found = []
        for call in calls:
            started = time.thread_time()
            call()
            found.append(1000 * (time.thread_time() - started))
        return cls(min(found), float(np.median(found)), float(np.percentile(found, 95)))

    def __str__(self) -> str:
        return f"{self.least:.1f} | {self.median:.1f} | {self.high:.1f}"


def build(folder: Path, papers: int) -> None:
    """Fit and extend a model of the made-up catalogue, and keep it."""
    made = catalogue.make(papers=papers, warm=min(WARM, papers), readers=READERS)
    model = Hybrid.fit(made.dataset(min(FITTED, papers)), HybridConfig(tuning_readers=0), seed=0)
    for start in range(FITTED, papers, FITTED):
        model = model.extend(made.texts.select(np.arange(start, min(start + FITTED, papers))))
    model.save(folder)


def readers_of(model: Hybrid, history: int) -> list[Profile]:
    """Readers with so many saves each, near one another in what they predict for factors."""
    random = np.random.default_rng(history)
    factors = model.factors.item_factors
    found = []
    for _ in range(READERS_EACH):
        near = factors @ factors[random.integers(len(factors))]
        rows = model.warm_rows[np.argsort(-near)[: 2 * history : 2]]
        papers = np.sort(model.papers.ids(rows))
        found.append(Profile(papers, np.full(len(papers), 3, np.float32), papers[:0]))
    return found


def alone(model: Hybrid, rank: int) -> Hybrid:
    """Nothing but factors of this rank, one row for each paper of the catalogue."""
    factors = AlsFactors.of(np.ascontiguousarray(model.text_factors.whole()[:, :rank]), l2=60.0, alpha=40.0)
    rows = np.arange(len(model.papers), dtype=np.int32)
    nothing = {"items": None, "neighbours": None, "content": None, "shortlist": None}
    plain = replace(model, factors=factors, warm_rows=rows, config=als_config(model.config), **nothing)  # type: ignore[arg-type]
    return replace(plain, shortlist=factor_shortlist.summarise(plain)) if factor_shortlist.is_worth_it(plain) else plain


def lists_of(model: Hybrid, readers: Sequence[Profile]) -> list[RankedList]:
    """The list of each reader, made alone."""
    return [model.recommend([reader], k=LENGTH)[0] for reader in readers]


def overlap(exact: Sequence[RankedList], found: Sequence[RankedList], k: int) -> float:
    """The share of the first k that both have."""
    shared = [len(np.intersect1d(one.paper_ids[:k], two.paper_ids[:k])) for one, two in zip(exact, found, strict=True)]
    return float(np.mean(shared)) / k


def of_readers(model: Hybrid) -> list[str]:
    """A line per kind of model and length of history."""
    exact, factors = replace(model, shortlist=None), alone(model, model.text_factors.shape[1])
    plain = replace(factors, shortlist=None)
    kinds = {
        f"factors alone, {FACTORS}": alone(model, FACTORS),
        f"factors alone, {factors.factors.rank}, all papers exactly": plain,
        f"factors alone, {factors.factors.rank}": factors,
        "hybrid, all papers exactly": exact,
        "hybrid, two stages": model,
    }
    lines = []
    for history in HISTORIES:
        readers = readers_of(model, history)
        for name, kind in kinds.items():
            calls = [lambda kind=kind, reader=reader: kind.recommend([reader], k=LENGTH) for reader in readers]
            lines.append(f"| {name} | {history} saves | {Cost.of(calls)} |")
        for name, truth, found in (("hybrid", exact, model), ("factors", plain, factors)):
            lists = lists_of(truth, readers), lists_of(found, readers)
            shared = " | ".join(f"first {k}: {100 * overlap(*lists, k):.1f}%" for k in (SHALLOW, LENGTH))
            lines.append(f"| the same papers in two stages, {name}, {history} saves | {shared} | | |")
    return lines


def of_extension(model: Hybrid) -> str:
    """What it takes to extend by papers with abstracts, and what is copied."""
    ids: Ids = np.arange(10**9, 10**9 + FRESH)
    fresh = replace(catalogue.make(papers=FRESH, warm=FRESH, readers=1, seed=1).texts, paper_ids=ids)
    cost = Cost.of([lambda: model.extend(fresh)] * ROUNDS)
    wider = model.extend(fresh)
    added = sum(rows.parts[-1].nbytes for rows in (wider.coords, wider.text_factors)) / MEGABYTE
    shares = wider.coords.parts[0] is model.coords.parts[0]
    held = f"{added:.0f} MB of coordinates and factors more, {'no' if shares else 'a'} copy"
    return f"| extend by {FRESH} of {len(model.papers)} | {held} | {cost} |"


def of_loading(folder: Path) -> list[str]:
    """Two processes with the same model: how long they load, and what memory is theirs alone."""
    command = [sys.executable, "-c", ONE_PROCESS, str(folder)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = []
    outputs = [process.stdout for process in started]
    times = [float(output.readline()) for output in outputs if output]
    for output in outputs:
        if output:
            output.readline()
    for process, milliseconds in zip(started, times, strict=True):
        memory = psutil.Process(process.pid).memory_full_info()
        held = ", ".join(f"{kind.upper()} {getattr(memory, kind) / MEGABYTE:.0f} MB" for kind in ("rss", "pss", "uss"))
        lines.append(f"| load, wall ms; {held} after one list | | {milliseconds:.1f} | | |")
    for process in started:
        process.communicate("\n")
    return lines


def main(folder: Path, papers: int) -> str:
    """The table."""
    if not (folder / "manifest.json").exists():
        build(folder, papers)
    model = Hybrid.load(folder)
    model = replace(model, config=replace(model.config, num_threads=1))
    with threadpool_limits(limits=1):
        lines = [*of_readers(model), of_extension(model)]
    head = ["| what | of | least ms | median ms | 95% ms |", "|---|---|---|---|---|"]
    load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return "\n".join([*head, *lines, *of_loading(folder), f"\n{len(model.papers)} papers; {load}"])


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    sys.stdout.write(main(chosen, int(sys.argv[2]) if len(sys.argv) > 2 else PAPERS) + "\n")
