"""The price of chance and of dismissals: `python -m tests.benchmarks.randomisation [FOLDER] [--model DIR]`.

FOLDER holds CiteULike. The default model is fitted once and kept in DIR, if one is given; the default policy makes
lists of 200 out of 400, and each reader's pool are the most fitting papers without history, as the service makes it:
none of those in the first places of the list, which keeps none of the others that are drawn from. Every list is
arranged for several slates; NDCG@20 of a reader is the mean over them, all papers in one list, validation pairs.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.services.blending import HIGH_PLACES
from recommender.config import HybridConfig
from recommender.domain import Csr, RankedList, Rows, Times
from recommender.hybrid import Hybrid
from recommender.metrics import hits_of, ndcg_at_k, paired_bootstrap
from recommender.rerank import Policy, Traits, apply_policy, lower_alike
from recommender.rerank_dismissed import likeness_to_dismissed
from recommender.rerank_exploration import PAPERS_PER_SLOT, slot_places
from recommender.slate_randomisation import SLATE_ID_BYTES, Randomisation, Shuffle
from recommender.sparse import row_sizes, rows_of
from tests.benchmarks.policy import LIST, READERS, SEED, K, rank_deep
from tests.benchmarks.quality import read_dataset, read_slices
from tests.shared import SHARED

SLATES: Final = 10  # per reader
DIVERSITY: Final = 0.1  # the service's default
SWAPS: Final = (0.05, 0.1, 0.2, 0.5)
SHARES: Final = (0.02, 0.05, 0.1, 0.2)
HEADS: Final = (0, 20, 100)
POOLS: Final = (1, 2, 3, 10)  # papers per slot
REACHES: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
ALIKE: Final = 10  # papers most like the dismissed one whose places are followed


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table."""

    name: str
    randomisation: Randomisation
    head: int = HIGH_PLACES
    per_slot: int = PAPERS_PER_SLOT


@dataclass(frozen=True, slots=True)
class Stage:
    """Lists before chance, as rows of the model."""

    base: list[Rows]  # of up to LIST
    news: list[Rows]  # papers without history, the most fitting first
    held_out: Csr


def settings() -> list[Setting]:
    """Nothing, the defaults, and each number alone."""
    both = Setting("swaps 0.1, exploration 0.05 (defaults)", Randomisation(0.1, 0.05))
    return [
        Setting("no chance", Randomisation()),
        both,
        *(Setting(f"swaps {swaps}", Randomisation(swaps)) for swaps in SWAPS),
        *(Setting(f"exploration {share}", Randomisation(0.0, share)) for share in SHARES),
        *(Setting(f"exploration 0.05, list keeps its first {head}", Randomisation(0.0, 0.05), head) for head in HEADS),
        *(
            Setting(f"exploration 0.05, {number} per slot", Randomisation(0.0, 0.05), per_slot=number)
            for number in POOLS
        ),
    ]


def apart(base: Rows, news: Rows, *, head: int, size: int) -> tuple[Rows, Rows]:
    """The list and the pool without a paper in both; new papers in the head of the list are not in the pool."""
    pool = news[~np.isin(news, base[:head])][:size]
    return base[~np.isin(base, pool)], pool


def arranged(base: Rows, pool: Rows, randomisation: Randomisation, *, slate_id: bytes) -> Rows:
    """The first K papers as one slate shows them."""
    shuffle = Shuffle.of(len(base), len(pool), randomisation, slate_id=slate_id)
    return np.concatenate([base, pool])[shuffle.part(0, K).picks]


def run(stage: Stage, setting: Setting) -> Times:
    """(readers with something held out,) NDCG@20, the mean over slates."""
    slots = len(slot_places(setting.randomisation.exploration_share, k=LIST))
    pairs = [
        apart(base, news, head=setting.head, size=slots * setting.per_slot)
        for base, news in zip(stage.base, stage.news, strict=True)
    ]
    counts = row_sizes(stage.held_out)
    found = []
    for slate in range(SLATES):
        ids = [blake2b(f"{slate} {at}".encode(), digest_size=SLATE_ID_BYTES).digest() for at in range(len(pairs))]
        shown = [arranged(*pair, setting.randomisation, slate_id=own) for pair, own in zip(pairs, ids, strict=True)]
        found.append(ndcg_at_k(hits_of(np.stack(shown), stage.held_out), counts, k=K)[counts > 0])
    return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def table(stage: Stage, wanted: Sequence[Setting]) -> str:
    """The prices as Markdown; the first setting is what the others are compared with."""
    first = run(stage, wanted[0])
    lines = [
        f"{len(first)} readers, {SLATES} slates each\n",
        "| setting | NDCG@20 | change, 95% interval |",
        "|---|---|---|",
    ]
    for setting in wanted:
        found = run(stage, setting)
        change = paired_bootstrap(found, first, seed=SEED)
        relative = change.mean / float(first.mean())
        lines.append(
            f"| {setting.name} | {found.mean():.4f} | {relative:+.2%} [{change.low:+.4f}, {change.high:+.4f}] |"
        )
        sys.stderr.write(lines[-1] + "\n")
    return "\n".join(lines)


def dismissals(model: Hybrid, lists: Sequence[RankedList]) -> str:
    """What dismissing the first paper of a list does to the papers like it, and to the others of the first K."""
    lines = [
        f"\n| reach | places lost by the {ALIKE} papers most like it | of them still in the first {K} "
        f"| others still in the first {K} |",
        "|---|---|---|---|",
    ]
    for reach in REACHES:
        found = np.array([_after_dismissal(model, ranked, reach=reach) for ranked in lists if len(ranked) > LIST])
        lost, near, others = np.median(found[:, 0]), np.nanmean(found[:, 1]), np.nanmean(found[:, 2])
        lines.append(f"| {reach} | {lost:.0f} | {near:.0%} | {others:.0%} |")
    return "\n".join(lines)


def _after_dismissal(model: Hybrid, ranked: RankedList, *, reach: float) -> tuple[float, float, float]:
    """Median places lost by the papers most like the first, and the shares of both kinds that stay in the first K."""
    rows = model.papers.rows(ranked.paper_ids)
    left = RankedList(ranked.paper_ids[1:], ranked.scores[1:])
    likeness = likeness_to_dismissed(model.text_vectors(rows[1:]), model.text_vectors(rows[:1]))
    after = lower_alike(left, likeness, strength=reach).paper_ids
    place = {paper: at for at, paper in enumerate(after.tolist())}
    near = np.zeros(len(left), dtype=bool)
    near[np.argsort(-likeness[:LIST], kind="stable")[:ALIKE]] = True
    moved = [place[paper] - at for at, paper in enumerate(left.paper_ids.tolist()) if near[at]]
    shown = np.isin(left.paper_ids[:K], after[:K])
    return float(np.median(moved)), _share(shown[near[:K]]), _share(shown[~near[:K]])


def _share(kept: NDArray[np.bool_]) -> float:
    return float(kept.mean()) if len(kept) else float("nan")


def stage_of(folder: Path, model_dir: Path | None) -> tuple[Hybrid, Stage, list[RankedList]]:
    """The model, its lists under the default policy, and the deep lists they were picked from."""
    dataset = read_dataset(folder)
    if model_dir is not None and model_dir.is_dir():
        model = Hybrid.load(model_dir)
    else:
        model = Hybrid.fit(dataset, HybridConfig(), seed=SEED)
        if model_dir is not None:
            model.save(model_dir)
    slices = {part.name: part for part in read_slices(folder, dataset)}
    asked = np.sort(np.random.default_rng(SEED).choice(len(dataset.users), READERS, replace=False))
    histories = rows_of(dataset.user_items, asked)
    lists = rank_deep(model, histories, candidates=None)
    most = max(POOLS) * len(slot_places(max(SHARES), k=LIST)) + max(HEADS)
    blocks = model.recommend_users(histories, k=most, candidates=slices["cold"].candidates)
    news = [model.papers.rows(ranked.paper_ids) for block in blocks for ranked in block]
    held_out = rows_of(slices["all"].held_out, asked)
    return model, Stage([_base(model, ranked) for ranked in lists], news, held_out), lists


def _base(model: Hybrid, ranked: RankedList) -> Rows:
    vectors = model.text_vectors(model.papers.rows(ranked.paper_ids))
    policy = Policy(diversity=DIVERSITY)
    picked = apply_policy(ranked, policy, k=LIST, traits=Traits(vectors=vectors), now=0.0)
    return model.papers.rows(picked.ranked.paper_ids)


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?", default=SHARED / "citeulike")
    asked.add_argument("--model", type=Path)
    given = asked.parse_args()
    if not (given.folder / "train.csv").is_file():
        sys.exit(f"this needs CiteULike: no train.csv in {given.folder}")
    model, stage, lists = stage_of(given.folder, given.model)
    sys.stdout.write(table(stage, settings()) + "\n" + dismissals(model, lists) + "\n")


if __name__ == "__main__":
    main()
