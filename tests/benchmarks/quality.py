"""The quality table: `python -m tests.benchmarks.quality [FOLDER]`, FOLDER holding CiteULike as its README describes.

Fits the defaults and the baselines on the training pairs, ranks every reader, and prints NDCG@20, recall@20 and
recall@100 on the X
"""

import argparse
import csv
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
from scipy.sparse import coo_array

from recommender.baselines import AlsOnly, ContentOnly, Popularity, Recommender
from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Csr, Ids, Interactions, PaperTexts, Times, Vectors
from recommender.evaluation import list_rows
from recommender.hybrid import Hybrid, HybridConfig
from recommender.metrics import bootstrap_interval, hits_of, ndcg_at_k, recall_at_k
from recommender.sparse import as_csr, row_sizes
from recommender.vocabulary import Vocabulary
from tests.shared import SHARED

SHALLOW, DEEP = 20, 100
SEED = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """What is ranked and what counts as found."""

    name: str
    candidates: Ids | None
    held_out: Csr


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the readers with something held out."""

    ndcg: float
    low: float
    high: float
    recall: float
    deep_recall: float
    seconds: float


def read_texts(folder: Path) -> PaperTexts:
    """What is written about all papers, in the order of the file."""
    lines = [orjson.loads(line) for line in (folder / "papers.jsonl").read_bytes().splitlines()]
    return PaperTexts(
        np.array([line["id"] for line in lines]),
        [line.get("title") or "" for line in lines],
        [line.get("summary") or "" for line in lines],
        [""] * len(lines),
        np.full(len(lines), np.nan),
    )


def read_dataset(folder: Path, *, vectors: Vectors | None = None) -> Dataset:
    """The training pairs with the texts of all papers, and their vectors in the order of `read_texts`."""
    users, papers = read_pairs(folder / "train.csv")
    texts = replace(read_texts(folder), vectors=vectors)
    return build_dataset(Interactions.saves(users, papers), texts, now=0.0, weights=WeightConfig())


def read_slices(folder: Path, dataset: Dataset) -> list[Slice]:
    """Warm papers, cold papers, and all in one list."""
    warm, cold = (_held_out(dataset, [folder / name]) for name in ("val_warm.csv", "val_cold.csv"))
    both = _held_out(dataset, [folder / "val_warm.csv", folder / "val_cold.csv"])
    return [
        Slice("warm", _names(folder / "warm_candidates.txt"), warm),
        Slice("cold", _names(folder / "cold_candidates.txt"), cold),
        Slice("all", None, both),
    ]


def measure(model: Recommender, dataset: Dataset, part: Slice) -> Figures:
    """Full ranking of the slice for every reader."""
    started = time.perf_counter()
    blocks = model.recommend_users(dataset.user_items, k=DEEP, candidates=part.candidates)
    lists = [ranked for block in blocks for ranked in block]
    seconds = time.perf_counter() - started
    hits = hits_of(list_rows(lists, dataset.papers, k=DEEP), part.held_out)
    counts = row_sizes(part.held_out)
    asked = counts > 0
    ndcg = bootstrap_interval(ndcg_at_k(hits, counts, k=SHALLOW)[asked], seed=SEED)
    recall, deep = (recall_at_k(hits, counts, k=k)[asked].mean() for k in (SHALLOW, DEEP))
    return Figures(ndcg.mean, ndcg.low, ndcg.high, float(recall), float(deep), seconds)


def ndcg_of(model: Recommender, papers: Vocabulary, user_items: Csr, held_out: Csr, *, candidates: Ids | None) -> Times:
    """(readers,) NDCG@20 of lists made from `user_items`, NaN for a reader with nothing held out."""
    blocks = model.recommend_users(user_items, k=SHALLOW, candidates=candidates)
    rows = list_rows([ranked for block in blocks for ranked in block], papers, k=SHALLOW)
    counts = row_sizes(held_out)
    return np.where(counts > 0, ndcg_at_k(hits_of(rows, held_out), counts, k=SHALLOW), np.nan)


def table(folder: Path, *, vectors: Vectors | None = None) -> str:
    """The measured table as Markdown."""
    dataset = read_dataset(folder, vectors=vectors)
    started = time.perf_counter()
    model = Hybrid.fit(dataset, HybridConfig(), seed=SEED)
    fit_seconds, cpu_seconds = time.perf_counter() - started, time.process_time()
    lines = ["| ranker | papers | NDCG@20 | 95% interval | recall@20 | recall@100 | seconds |", "|" + "---|" * 7]
    baselines: list[tuple[str, Recommender]] = [
        ("ALS alone", AlsOnly.fit(dataset, HybridConfig(), seed=SEED)),
        ("words alone", ContentOnly.fit(dataset, HybridConfig(), seed=SEED)),
        ("popularity", Popularity.fit(dataset)),
    ]
    for name, contestant in [("hybrid", model), *baselines]:
        for part in read_slices(folder, dataset):
            found = measure(contestant, dataset, part)
            lines.append(
                f"| {name} | {part.name} | {found.ndcg:.4f} | {found.low:.4f} to {found.high:.4f} "
                f"| {found.recall:.4f} | {found.deep_recall:.4f} | {found.seconds:.1f} |"
            )
    lines.append(f"\nfit: {fit_seconds:.1f} s ({cpu_seconds:.1f} s of processor); calibration {model.calibration}")
    return "\n".join(lines)


def read_pairs(path: Path) -> tuple[Ids, Ids]:
    """Readers and papers of a file, pair by pair."""
    with path.open(newline="") as file:
        rows = [(row["user_id"], row["paper_id"]) for row in csv.DictReader(file)]
    users, papers = zip(*rows, strict=True)
    return np.array(users), np.array(papers)


def _held_out(dataset: Dataset, files: list[Path]) -> Csr:
    pairs = [read_pairs(path) for path in files]
    rows = dataset.users.rows(np.concatenate([users for users, _ in pairs]))
    columns = dataset.papers.rows(np.concatenate([papers for _, papers in pairs]))
    data = np.ones(len(rows), dtype=np.float32)
    return as_csr(coo_array((data, (rows, columns)), shape=dataset.user_items.shape))


def _names(path: Path) -> Ids:
    return np.array(path.read_text().split())


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?", default=SHARED / "citeulike")
    asked.add_argument("--vectors", type=Path)
    given = asked.parse_args()
    if not (given.folder / "train.csv").is_file():
        sys.exit(f"the quality table needs CiteULike: no train.csv in {given.folder}")
    vectors = None if given.vectors is None else np.load(given.vectors)
    sys.stdout.write(table(given.folder, vectors=vectors) + "\n")


if __name__ == "__main__":
    main()
