"""Is a new model good enough to be shown? Full ranking on hidden likings, with intervals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array

from recommender.baselines import Popularity, Recommender
from recommender.config import HybridConfig
from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Csr, Interactions, PaperTexts, RankedList, Rows
from recommender.hybrid import Hybrid
from recommender.metrics import (
    Interval,
    Values,
    bootstrap_interval,
    coverage,
    gini,
    hit_rate,
    hits_of,
    mrr,
    ndcg_at_k,
    paired_bootstrap,
    recall_at_k,
)
from recommender.sparse import as_csr, rows_of
from recommender.splits import Split, split_log
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

JUDGED_K = 20
DEEP_K = 100
MIN_READERS = 20  # held-out readers below which an interval is too wide to decide anything
MIN_PAIRS = 50
MAX_READERS = 2000


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the figures it rests on."""

    verdict: Literal["promote", "reject", "unjudged"]
    note: str
    split: Literal["temporal", "per_reader"]
    readers: int
    figures: dict[str, dict[str, float | list[float]]]


@dataclass(frozen=True, slots=True)
class _Exam:
    """What every contestant is asked."""

    dataset: Dataset
    questions: Csr  # (readers, papers) what each examined reader liked before
    answers: Csr  # (readers, papers) what they liked then
    seed: int


def judge(
    interactions: Interactions,
    texts: PaperTexts,
    *,
    now: float,
    weights: WeightConfig,
    champion: HybridConfig | None,
    challenger: HybridConfig,
    seed: int,
    max_readers: int = MAX_READERS,
    progress: Callable[[str, float], None] | None = None,
) -> Judgement:
    """Refit both configurations on the train part and compare them where readers went next."""
    report = progress or _silent
    report("split", 0.0)
    split = split_log(interactions, weights=weights, seed=seed)
    exam = _examine(split, texts, now=now, weights=weights, seed=seed, max_readers=max_readers)
    readers, pairs = exam.answers.shape[0], exam.answers.nnz
    if readers < MIN_READERS or pairs < MIN_PAIRS:
        note = (
            f"unjudged: {pairs} held-out likings of {readers} readers, at least {MIN_PAIRS} of {MIN_READERS} are needed"
        )
        return Judgement("unjudged", note, split.kind, readers, {})
    report("popularity", 0.1)
    scores = {"popularity": _sit(Popularity.fit(exam.dataset), exam)}
    report("challenger", 0.2)
    scores["challenger"] = _sit(Hybrid.fit(exam.dataset, challenger, seed=seed), exam)
    if champion is not None:
        report("champion", 0.6)
        same = champion == challenger
        scores["champion"] = scores["challenger"] if same else _sit(Hybrid.fit(exam.dataset, champion, seed=seed), exam)
    report("done", 1.0)
    return _verdict(split, readers, scores, seed=seed)


def list_rows(lists: list[RankedList], papers: Vocabulary, *, k: int) -> Rows:
    """(readers, k) paper rows, -1 where a list has ended."""
    rows = np.full((len(lists), k), UNKNOWN_ROW, dtype=np.int32)
    for at, ranked in enumerate(lists):
        found = papers.rows(ranked.paper_ids[:k])
        rows[at, : len(found)] = found
    return rows


def _examine(
    split: Split, texts: PaperTexts, *, now: float, weights: WeightConfig, seed: int, max_readers: int
) -> _Exam:
    """Readers with a past and held-out papers the train part knows."""
    dataset = build_dataset(split.train, texts, now=now, weights=weights)
    rows = dataset.users.rows(split.held_out_user_ids)
    columns = dataset.papers.rows(split.held_out_paper_ids)
    known = (rows != UNKNOWN_ROW) & (columns != UNKNOWN_ROW)
    data = np.ones(int(known.sum()), dtype=np.float32)
    truth = as_csr(coo_array((data, (rows[known], columns[known])), shape=dataset.user_items.shape))
    sittings = np.flatnonzero((np.diff(truth.indptr) > 0) & (np.diff(dataset.user_items.indptr) > 0))
    if len(sittings) > max_readers:
        sittings = np.sort(np.random.default_rng(seed).choice(sittings, max_readers, replace=False))
    return _Exam(dataset, rows_of(dataset.user_items, sittings), rows_of(truth, sittings), seed)


def _sit(model: Recommender, exam: _Exam) -> dict[str, Values | float]:
    """The figures of one contestant, per reader where they are per reader."""
    lists = [ranked for block in model.recommend_users(exam.questions, k=DEEP_K) for ranked in block]
    rows = list_rows(lists, model.papers, k=DEEP_K)
    hits = hits_of(rows, exam.answers)
    held_out = np.diff(exam.answers.indptr)
    papers = len(model.papers)
    return {
        "ndcg@20": ndcg_at_k(hits, held_out, k=JUDGED_K),
        "recall@20": recall_at_k(hits, held_out, k=JUDGED_K),
        "recall@100": recall_at_k(hits, held_out, k=DEEP_K),
        "mrr": mrr(hits, k=JUDGED_K),
        "hit_rate@20": hit_rate(hits, k=JUDGED_K),
        "coverage@20": coverage(rows[:, :JUDGED_K], papers=papers),
        "gini@20": gini(rows[:, :JUDGED_K], papers=papers),
    }


def _verdict(split: Split, readers: int, scores: Mapping[str, Mapping[str, Values | float]], *, seed: int) -> Judgement:
    challenger = np.asarray(scores["challenger"]["ndcg@20"])
    figures = {name: _figures(of_model, seed=seed) for name, of_model in scores.items()}
    versus = {
        name: paired_bootstrap(challenger, np.asarray(scores[name]["ndcg@20"]), seed=seed)
        for name in ("popularity", "champion")
        if name in scores
    }
    for name, difference in versus.items():
        figures[f"versus_{name}"] = _as_figures(difference)
    if versus["popularity"].low <= 0:
        note = f"does not beat popularity: NDCG@20 differs by {_spell(versus['popularity'])}"
        return Judgement("reject", note, split.kind, readers, figures)
    if "champion" in versus and versus["champion"].high < 0:
        note = f"loses to the model in use: NDCG@20 differs by {_spell(versus['champion'])}"
        return Judgement("reject", note, split.kind, readers, figures)
    against = "champion" if "champion" in versus else "popularity"
    note = f"NDCG@20 against {against} differs by {_spell(versus[against])}"
    return Judgement("promote", note, split.kind, readers, figures)


def _figures(of_model: Mapping[str, Values | float], *, seed: int) -> dict[str, float | list[float]]:
    means: dict[str, float | list[float]] = {name: float(np.mean(values)) for name, values in of_model.items()}
    interval = bootstrap_interval(np.asarray(of_model["ndcg@20"]), seed=seed)
    means["interval"] = [interval.low, interval.high]
    return means


def _as_figures(interval: Interval) -> dict[str, float | list[float]]:
    return {"mean": interval.mean, "interval": [interval.low, interval.high]}


def _spell(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _silent(_stage: str, _done: float) -> None:
    return None
