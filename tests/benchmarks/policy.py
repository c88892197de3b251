"""What re-ranking costs and buys: `python -m tests.benchmarks.policy [FOLDER]`, with the two data sets in FOLDER.

Each data set is fitted once; then each setting of the policy re-ranks the same deep lists. CiteULike: the validation
pairs, all papers in one list and warm ones alone. MovieLens: a rating of 4 or more is a save, a film's first rating
is its publication, genres are categories.
"""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from scipy.sparse import coo_array

from recommender.config import HybridConfig
from recommender.dataset import WeightConfig, build_dataset
from recommender.domain import Csr, EventKind, Floats, Ids, Interactions, PaperTexts, RankedList, Rows, Times
from recommender.evaluation import list_rows
from recommender.hybrid import Hybrid
from recommender.metrics import coverage, hits_of, ndcg_at_k, paired_bootstrap
from recommender.rerank import Arrangement, Policy, Traits, apply_policy, category_matrix, category_shares
from recommender.rerank_categories import share_distance
from recommender.rerank_exploration import PAPERS_PER_SLOT, slot_places
from recommender.sparse import as_csr, row_sizes, rows_of
from recommender.splits import Split, per_reader_split, temporal_split
from tests.benchmarks.quality import read_dataset, read_slices
from tests.shared import SHARED

K: Final = 20
DEPTH: Final = 400  # papers ranked per reader, as the service does for a list of 200
SEED: Final = 0
READERS: Final = 2000  # of CiteULike, chosen at random
LIKED: Final = 4.0  # stars
CUTS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # of the saves in order of time: where a test begins
CUT_SHARE: Final = 0.1  # and how many of them it asks about
LIST: Final = 200  # length of the lists whose first K places are judged
DIVERSITIES: Final = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
DISCOUNTS: Final = (0.0, 0.1, 0.2, 0.5)
EXPLORATIONS: Final = (0.0, 0.05, 0.1, 0.2)
FRESHNESSES: Final = (0.0, 0.1, 0.2, 0.3, 0.5)
HALF_LIVES: Final = (30.0, 365.0)
CALIBRATIONS: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0)
HEADER: Final = "| setting | NDCG@20 | change, 95% interval | intra-list diversity | coverage@20 |"
EXTRA: Final = {"distance": "distance of shares", "age_days": "median age, days"}
SECONDS_PER_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Deep lists with everything the policy may ask about their papers."""

    model: Hybrid
    lists: list[RankedList]
    held_out: Csr  # (readers, papers)
    now: float
    categories: Csr | None = None  # (papers, categories)
    shares: list[Floats] | None = None
    pools: list[Ids] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one setting does."""

    ndcg: Times  # per reader with something held out
    diversity: float
    coverage: float
    distance: float  # of category shares, mean over readers; NaN without categories
    age_days: float  # of the papers shown, the median; NaN without times


def rank_deep(model: Hybrid, histories: Csr, *, candidates: Ids | None) -> list[RankedList]:
    """DEPTH papers for every reader."""
    blocks = model.recommend_users(histories, k=DEPTH, candidates=candidates)
    return [ranked for block in blocks for ranked in block]


def run(stage: Stage, policy: Policy) -> Outcome:
    """Re-rank every list and measure."""
    shown = [_arranged(stage, at, policy).ranked for at in range(len(stage.lists))]
    rows = list_rows(shown, stage.model.papers, k=K)
    counts = row_sizes(stage.held_out)
    ndcg = ndcg_at_k(hits_of(rows, stage.held_out), counts, k=K)[counts > 0]
    each = [of_reader[of_reader >= 0] for of_reader in rows]
    spread = float(np.mean([_spread(stage.model, of_reader) for of_reader in each]))
    distance = float("nan")
    if stage.categories is not None and stage.shares is not None:
        parts = [category_shares(rows_of(stage.categories, of_reader)) for of_reader in each]
        distance = float(np.mean([share_distance(a, b) for a, b in zip(parts, stage.shares, strict=True)]))
    published_at = stage.model.published_at[np.concatenate(each)]
    age_days = float(np.median((stage.now - published_at) / SECONDS_PER_DAY))
    return Outcome(ndcg, spread, coverage(rows, papers=len(stage.model.papers)), distance, age_days)


def run_all(stages: Sequence[Stage], policy: Policy) -> Outcome:
    """The readers of all stages together; figures that are not per reader are means over the stages."""
    found = [run(stage, policy) for stage in stages]
    means = [
        float(np.mean([getattr(one, name) for one in found]))
        for name in ("diversity", "coverage", "distance", "age_days")
    ]
    return Outcome(np.concatenate([one.ndcg for one in found]), *means)


def table(title: str, stages: Sequence[Stage], settings: Sequence[tuple[str, Policy]]) -> str:
    """The outcomes of the settings as Markdown; the first one is what the others are compared with."""
    first = run_all(stages, settings[0][1])
    more = [name for name in ("distance", "age_days") if not np.isnan(getattr(first, name))]
    header = HEADER + "".join(f" {EXTRA[name]} |" for name in more)
    lines = [f"\n**{title}**, {len(first.ndcg)} readers\n", header, "|" + "---|" * (header.count("|") - 1)]
    for name, policy in settings:
        found = run_all(stages, policy)
        change = paired_bootstrap(found.ndcg, first.ndcg, seed=SEED)
        relative = change.mean / max(float(first.ndcg.mean()), 1e-12)
        line = f"| {name} | {found.ndcg.mean():.4f} | {relative:+.1%} [{change.low:+.4f}, {change.high:+.4f}] "
        line += f"| {found.diversity:.3f} | {found.coverage:.3f} |"
        lines.append(line + "".join(f" {getattr(found, extra):.3g} |" for extra in more))
        sys.stderr.write(lines[-1] + "\n")
    return "\n".join(lines)


def citeulike(folder: Path) -> str:
    """Diversity, popularity and exploration."""
    dataset = read_dataset(folder)
    model = Hybrid.fit(dataset, HybridConfig(), seed=SEED)
    slices = {part.name: part for part in read_slices(folder, dataset)}
    asked = np.sort(np.random.default_rng(SEED).choice(len(dataset.users), READERS, replace=False))
    histories = rows_of(dataset.user_items, asked)
    tables = []
    for name in ("all", "warm"):
        lists = rank_deep(model, histories, candidates=slices[name].candidates)
        stage = Stage(model, lists, rows_of(slices[name].held_out, asked), float("nan"))
        tables.append(table(f"CiteULike, {name}: diversity", [stage], _settings("diversity", DIVERSITIES)))
        discounts = _settings("popularity_discount", DISCOUNTS)
        tables.append(table(f"CiteULike, {name}: popularity discount", [stage], discounts))
        if name == "all":
            blocks = model.recommend_users(histories, k=LIST * PAPERS_PER_SLOT, candidates=slices["cold"].candidates)
            explored = replace(stage, pools=[ranked.paper_ids for block in blocks for ranked in block])
            settings = _settings("exploration_share", EXPLORATIONS)
            tables.append(table("CiteULike, all: exploration among new papers", [explored], settings))
    return "\n".join(tables)


def movielens(folder: Path) -> str:
    """Freshness at each of several cuts in time, category calibration with a share of each reader's saves held out."""
    log, texts, genres = read_films(folder)
    half_lives = [
        (f"freshness {strength}, half-life {days:.0f} days", Policy(strength, days))
        for days in HALF_LIVES
        for strength in FRESHNESSES
        if strength or days == HALF_LIVES[0]
    ]
    stages = [_cut(log, texts, begin) for begin in CUTS]
    times = table("MovieLens, eight cuts in time: freshness", stages, half_lives)
    split = per_reader_split(log, weights=WeightConfig(), seed=SEED)
    stage, histories = _stage(split, texts, now=float("nan"))
    categories = category_matrix([genres[film] for film in stage.model.papers.in_row_order.tolist()])
    by_genre = replace(stage, categories=categories, shares=_shares(categories, histories))
    settings = _settings("category_calibration", CALIBRATIONS)
    return times + "\n" + table("MovieLens: calibration of genres", [by_genre], settings)


def read_films(folder: Path) -> tuple[Interactions, PaperTexts, dict[int, list[str]]]:
    """The ratings that are saves, the films with their first rating as publication, and their genres."""
    with (folder / "ratings.csv").open(newline="") as file:
        lines = [(row["userId"], row["movieId"], row["rating"], row["timestamp"]) for row in csv.DictReader(file)]
    columns = np.array(lines, dtype=np.float64).T
    users, films = columns[:2].astype(np.int64)
    stars, times = columns[2:]
    with (folder / "movies.csv").open(newline="", encoding="utf-8") as file:
        films_told = {int(row["movieId"]): (row["title"], row["genres"].split("|")) for row in csv.DictReader(file)}
    ids, where = np.unique(films, return_inverse=True)
    first = np.full(len(ids), np.inf)
    np.minimum.at(first, where, times)
    told = [films_told.get(film, ("", [])) for film in ids.tolist()]
    genres = {
        film: [name for name in names if not name.startswith("(")]  # "(no genres listed)"
        for film, (_, names) in zip(ids.tolist(), told, strict=True)
    }
    words = [" ".join(genres[film]) for film in ids.tolist()]
    texts = PaperTexts(ids, [title for title, _ in told], [""] * len(ids), words, first)
    liked = stars >= LIKED
    kinds = np.full(int(liked.sum()), EventKind.SAVE, dtype=np.uint8)
    values = np.full(len(kinds), np.nan, dtype=np.float32)
    return Interactions(users[liked], films[liked], kinds, times[liked], values), texts, genres


def _arranged(stage: Stage, at: int, policy: Policy) -> Arrangement:
    ranked = stage.lists[at]
    rows = stage.model.papers.rows(ranked.paper_ids)
    slots = slot_places(policy.exploration_share, k=LIST)
    traits = Traits(
        stage.model.published_at[rows] if policy.freshness else None,
        stage.model.popularity[rows] if policy.popularity_discount else None,
        stage.model.text_vectors(rows) if policy.diversity else None,
        rows_of(stage.categories, rows) if stage.categories is not None and policy.category_calibration else None,
    )
    return apply_policy(
        ranked,
        policy,
        k=K,
        traits=traits,
        now=stage.now,
        shares=None if stage.shares is None else stage.shares[at],
        pool=None if stage.pools is None else stage.pools[at][: PAPERS_PER_SLOT * len(slots)],
        seed=(SEED, at),
    )


def _settings(name: str, values: Sequence[float]) -> list[tuple[str, Policy]]:
    return [(f"{name} {value}", replace(Policy(), **{name: value})) for value in values]


def _spread(model: Hybrid, rows: Rows) -> float:
    """1 minus the mean cosine of the text vectors of two papers of a list."""
    vectors = model.text_vectors(rows)
    pairs = len(rows) * (len(rows) - 1)
    alike = float(np.square(vectors.sum(axis=0)).sum() - np.square(vectors).sum())
    return 1.0 - alike / pairs if pairs else 1.0


def _cut(log: Interactions, texts: PaperTexts, begin: float) -> Stage:
    """Fitted on what happened before a share of the saves was made, asked about the next tenth of them."""
    order = np.argsort(log.occurred_at, kind="stable")
    known = log.select(order[: int(len(log) * (begin + CUT_SHARE))])
    split = temporal_split(known, weights=WeightConfig(), share=CUT_SHARE / (begin + CUT_SHARE))
    now = float(split.train.occurred_at.max())
    stage, _ = _stage(split, texts.select(np.flatnonzero(texts.published_at <= now)), now=now)
    return stage


def _stage(split: Split, texts: PaperTexts, *, now: float) -> tuple[Stage, Csr]:
    """Deep lists of the readers with a history and something held out, and those histories."""
    at = float(split.train.occurred_at.max())
    dataset = build_dataset(split.train, texts, now=at, weights=WeightConfig())
    rows, columns = dataset.users.rows(split.held_out_user_ids), dataset.papers.rows(split.held_out_paper_ids)
    known = (rows >= 0) & (columns >= 0)
    data = np.ones(int(known.sum()), dtype=np.float32)
    truth = as_csr(coo_array((data, (rows[known], columns[known])), shape=dataset.user_items.shape))
    asked = np.flatnonzero((row_sizes(truth) > 0) & (row_sizes(dataset.user_items) > 0))
    model = Hybrid.fit(dataset, HybridConfig(), seed=SEED)
    histories = rows_of(dataset.user_items, asked)
    return Stage(model, rank_deep(model, histories, candidates=None), rows_of(truth, asked), now), histories


def _shares(categories: Csr, histories: Csr) -> list[Floats]:
    """Each reader's shares, every save counting once."""
    parts = np.split(histories.indices, histories.indptr[1:-1])
    return [category_shares(rows_of(categories, part)) for part in parts]


def main(folder: Path) -> int:
    """Print the tables."""
    runs: list[tuple[str, Callable[[Path], str]]] = [("movielens-small", movielens), ("citeulike", citeulike)]
    for name, measured in runs:
        if not (folder / name).is_dir():
            sys.stderr.write(f"no data set at {folder / name}: name the folder that holds it\n")
            return 1
        sys.stdout.write(measured(folder / name) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED))
