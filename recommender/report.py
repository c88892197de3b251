"""The figures of an evaluation: every model on every slice, each with its interval."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recommender.baselines import Recommender
from recommender.contestants import Fit
from recommender.dataset import Dataset
from recommender.domain import Floats, Rows
from recommender.evaluation import list_rows
from recommender.metrics import (
    Interval,
    Values,
    bootstrap_intervals,
    hit_rate,
    hits_of,
    intra_list_diversity,
    mrr,
    ndcg_at_k,
    novelty,
    reader_shares,
    recall_at_k,
    spread_intervals,
)
from recommender.slices import Protocol, Slice, Trial
from recommender.sparse import row_sizes
from recommender.text import Sizes, TfidfEncoder
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

DEEP_K = 100
# The yardstick of diversity is made of words alone and the same for every model, whatever that is made of.
YARDSTICK_SIZES = Sizes(directions=128, vector=128, grams=1, max_terms=200_000)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on one slice."""

    figures: dict[str, Interval]
    per_reader: dict[str, Values]  # (readers,) each, in the order of the slice
    seconds: float  # that the lists took


@dataclass(frozen=True, slots=True)
class Contestant:
    """One model on all slices."""

    slices: dict[str, Measured]
    fit_seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What lists are measured with besides the answers."""

    shares: Values  # (papers,) of readers who have each paper
    vectors: Floats | None  # (papers, dim) of length 1 or 0; None without words


def evaluate(
    protocol: Protocol,
    fits: Mapping[str, Fit],
    *,
    k: int,
    seed: int,
    clock: Callable[[], float],
    progress: Progress,
) -> dict[str, Contestant]:
    """All models on all slices; `clock` gives seconds, `progress` hears what is done and its share from 0 to 1."""
    words = _Words.of(protocol.trials[0].dataset, seed=seed)
    steps = sum(1 + len(trial.slices) for trial in protocol.trials) * len(fits)
    found: dict[str, Contestant] = {}
    done = 0
    for name, fit in fits.items():
        parts = []
        for trial in protocol.trials:
            ask = _Ask(k, seed, clock, _shifted(progress, name, done, steps))
            parts.append(_sit(fit, trial, words, ask))
            done += 1 + len(trial.slices)
        found[name] = Contestant(
            {part: measured for of_trial in parts for part, measured in of_trial.slices.items()},
            sum(of_trial.fit_seconds for of_trial in parts),
            tuple(dict.fromkeys(note for of_trial in parts for note in of_trial.notes)),
        )
    progress("done", 1.0)
    return found


def metric_names(k: int) -> tuple[str, ...]:
    """The metrics in the order of a report."""
    deep = (f"recall@{DEEP_K}",) if k < DEEP_K else ()
    per_list = ("ndcg", "recall", *deep, "mrr", "hit_rate", "coverage", "gini", "novelty", "diversity")
    return tuple(name if "@" in name else f"{name}@{k}" for name in per_list)


@dataclass(frozen=True, slots=True)
class _Words:
    """Text vectors of papers by id."""

    papers: Vocabulary
    by_row: Floats | None

    @classmethod
    def of(cls, dataset: Dataset, *, seed: int) -> "_Words":
        fitted = TfidfEncoder.fit(dataset.texts.joined(), sizes=YARDSTICK_SIZES, seed=seed)
        if fitted is None:
            return cls(dataset.papers, None)
        encoder, _, blocks = fitted
        return cls(dataset.papers, blocks[:, encoder.directions : encoder.directions + encoder.dim])

    def vectors(self, papers: Vocabulary) -> Floats | None:
        """(papers, dim) of other papers, zeros where nothing is known."""
        if self.by_row is None:
            return None
        rows = self.papers.rows(papers.in_row_order)
        return np.asarray(self.by_row[rows] * (rows != UNKNOWN_ROW)[:, None], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Ask:
    """How one fit is examined."""

    k: int
    seed: int
    clock: Callable[[], float]
    progress: Callable[[str, float], None]  # the share counts steps: the fit, then each slice


def _sit(fit: Fit, trial: Trial, words: _Words, ask: _Ask) -> Contestant:
    """One model on one trial; the model is gone before the next one is fitted."""
    started = ask.clock()
    model = fit(trial.dataset, lambda stage, share: ask.progress(f"fit ({stage})", min(share, 1.0)))
    seconds = ask.clock() - started
    yardstick = _Yardstick(reader_shares(trial.dataset.user_items), words.vectors(trial.dataset.papers))
    slices = {}
    for at, part in enumerate(trial.slices, start=1):
        ask.progress(part.name, at)
        slices[part.name] = _measure(model, part, yardstick, ask)
    return Contestant(slices, seconds, tuple(getattr(model, "notes", ())))


def _measure(model: Recommender, part: Slice, yardstick: _Yardstick, ask: _Ask) -> Measured:
    started = ask.clock()
    k, deep = ask.k, max(ask.k, DEEP_K)
    blocks = model.recommend_users(part.questions, k=deep, exclude=part.left_out, candidates=part.candidates)
    lists = list_rows([ranked for block in blocks for ranked in block], model.papers, k=deep)
    seconds = ask.clock() - started
    values = _per_reader(lists, part, yardstick, k=k)
    means = bootstrap_intervals(np.stack(list(values.values()), axis=1), seed=ask.seed)
    figures = dict(zip(values, means, strict=True))
    spread = spread_intervals(lists[:, :k], papers=part.papers, seed=ask.seed)
    figures[f"coverage@{k}"], figures[f"gini@{k}"] = spread
    return Measured({name: figures[name] for name in metric_names(k) if name in figures}, values, seconds)


def _per_reader(lists: Rows, part: Slice, yardstick: _Yardstick, *, k: int) -> dict[str, Values]:
    hits, held_out = hits_of(lists, part.answers), row_sizes(part.answers)
    values = {f"ndcg@{k}": ndcg_at_k(hits, held_out, k=k), f"recall@{k}": recall_at_k(hits, held_out, k=k)}
    if k < DEEP_K:
        values[f"recall@{DEEP_K}"] = recall_at_k(hits, held_out, k=DEEP_K)
    values[f"mrr@{k}"] = mrr(hits, k=k)
    values[f"hit_rate@{k}"] = hit_rate(hits, k=k)
    values[f"novelty@{k}"] = novelty(lists, yardstick.shares, k=k)
    if yardstick.vectors is not None:
        values[f"diversity@{k}"] = intra_list_diversity(lists, yardstick.vectors, k=k)
    return values


def _shifted(progress: Progress, name: str, done: int, steps: int) -> Progress:
    """Progress of one trial among all steps."""
    return lambda what, share: progress(f"{name}: {what}", (done + share) / steps)
