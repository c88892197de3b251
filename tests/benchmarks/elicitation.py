"""What five answers are worth: `python -m tests.benchmarks.elicitation [FOLDER]`, FOLDER holding CiteULike.

Readers stay out of the fit altogether. Each is asked about five papers one after the other, the list of 20 that follows
is made from the answers alone (the most popular papers where nothing was liked), and what was asked about stands in no
list. A hit is a paper that the reader saved, in training or validation pairs. "Strict" readers like what they saved and
decline all else; "open" ones like also the 100 papers that a model finds best for everything they saved. Questions
drawn at random are drawn four times; differences are paired over readers.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from recommender.dataset import Profile, WeightConfig, build_dataset
from recommender.domain import Ids, Interactions
from recommender.elicitation import Known, Panel, choose_questions
from recommender.hybrid import Hybrid, HybridConfig
from recommender.metrics import Values, bootstrap_interval, paired_bootstrap
from recommender.vocabulary import Vocabulary
from tests.benchmarks.quality import read_pairs, read_texts
from tests.shared import SHARED

QUESTIONS: Final = 5
LENGTH: Final = 20
READERS: Final = 1400  # out of the fit
FAMOUS: Final = 200  # papers that "at random among the popular" draws from
DRAWS: Final = 4
OPENNESS: Final = 100
SAVE: Final = 3.0  # confidence of a liking
SEED: Final = 0
Liked: TypeAlias = frozenset[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """What one reader said so far."""

    liked: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """All papers they were asked about."""
        return self.liked + self.declined

    def and_then(self, paper: str, *, likes: bool) -> "Answers":
        """The same with one more."""
        if likes:
            return Answers((*self.liked, paper), self.declined)
        return Answers(self.liked, (*self.declined, paper))


Chooser: TypeAlias = Callable[[int, Answers], str]  # place of the reader, what they said


@dataclass(frozen=True, slots=True)
class Trial:
    """A model, readers it has never met, and what each of them saved."""

    model: Hybrid
    saved: Mapping[str, Liked]
    panel: Panel
    by_fame: Ids  # papers, most readers first


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking."""

    hits: Values  # (readers,)
    likings: float  # per reader, of all answers


def prepare(folder: Path, *, part: int, readers: int = READERS) -> Trial:
    """Fit a model without some readers; parts 0, 1 and 2 share none."""
    users, papers = read_pairs(folder / "train.csv")
    later_users, later_papers = read_pairs(folder / "val_warm.csv")
    able = np.intersect1d(users, later_users)
    cold = np.random.default_rng(SEED).permutation(able)[part * readers : (part + 1) * readers]
    is_left = ~np.isin(users, cold)
    log = Interactions.saves(users[is_left], papers[is_left])
    dataset = build_dataset(log, read_texts(folder), now=0.0, weights=WeightConfig())
    model = Hybrid.fit(dataset, HybridConfig(), seed=SEED)
    everyone, everything = np.concatenate([users, later_users]), np.concatenate([papers, later_papers])
    saved = {str(reader): frozenset(everything[everyone == reader].tolist()) for reader in cold}
    if model.neighbours is None:
        raise ValueError("a model of so few readers has their histories")
    warm = model.papers.ids(model.warm_rows)
    panel = Panel.of(Vocabulary.from_rows(warm), model.neighbours.histories)
    return Trial(model, saved, panel, warm[np.argsort(-np.diff(panel.by_paper.indptr), kind="stable")])


def open_minded(trial: Trial) -> dict[str, Liked]:
    """What readers would say of papers they never met: those the model finds best for all they saved, and these."""
    lists = trial.model.recommend([_profile(sorted(saved)) for saved in trial.saved.values()], k=OPENNESS)
    found = zip(trial.saved.items(), lists, strict=True)
    return {reader: saved | frozenset(ranked.paper_ids.tolist()) for (reader, saved), ranked in found}


def ask(trial: Trial, chooser: Chooser, *, likes: Mapping[str, Liked]) -> Outcome:
    """Ask everybody, make their lists, and count."""
    answers = []
    for place, reader in enumerate(trial.saved):
        said = Answers()
        for _ in range(QUESTIONS):
            paper = chooser(place, said)
            said = said.and_then(paper, likes=paper in likes[reader])
        answers.append(said)
    profiles = [_profile(sorted(said.liked)) for said in answers]
    asked = [np.array(sorted(said.asked)) for said in answers]
    lists = trial.model.recommend(profiles, k=LENGTH, exclude=asked)
    hits = []
    for said, ranked, saved in zip(answers, lists, trial.saved.values(), strict=True):
        shown = ranked.paper_ids.tolist() or _famous(trial, without=said.asked)
        hits.append(len(saved.intersection(shown)))
    return Outcome(np.array(hits, dtype=np.float64), float(np.mean([len(said.liked) for said in answers])))


def telling(trial: Trial) -> Chooser:
    """The questions under test; who said the same is asked the same."""
    memory: dict[Answers, str] = {}

    def choose(_place: int, said: Answers) -> str:
        if said not in memory:
            ids = (np.array(part, dtype=trial.by_fame.dtype) for part in (said.liked, said.declined, said.asked))
            liked, declined, asked = ids
            known = Known.of(trial.panel.papers, liked=liked, declined=declined, asked=asked)
            memory[said] = str(choose_questions(trial.panel, known)[0])
        return memory[said]

    return choose


def at_random(papers: Ids, *, draw: int) -> Chooser:
    """Questions that know nothing."""
    return lambda place, said: str(np.random.default_rng([place, draw]).permutation(papers)[len(said.asked)])


def popular(trial: Trial) -> Chooser:
    """The papers with the most readers."""
    return lambda _place, said: str(trial.by_fame[len(said.asked)])


def ask_at_random(trial: Trial, papers: Ids, *, likes: Mapping[str, Liked]) -> Outcome:
    """The mean of several draws, reader by reader."""
    outcomes = [ask(trial, at_random(papers, draw=draw), likes=likes) for draw in range(DRAWS)]
    hits = np.mean([outcome.hits for outcome in outcomes], axis=0)
    return Outcome(hits, float(np.mean([outcome.likings for outcome in outcomes])))


def table(folder: Path, *, part: int) -> str:
    """The measured table as Markdown."""
    trial = prepare(folder, part=part)
    heads = ["readers", "questions", "hits in 20", "95% interval", "against random, 95%", "liked of 5", "CPU-s"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for kind, likes in (("strict", dict(trial.saved)), ("open", open_minded(trial))):
        ways = {
            "random": partial(ask_at_random, trial, trial.by_fame, likes=likes),
            f"random among {FAMOUS}": partial(ask_at_random, trial, trial.by_fame[:FAMOUS], likes=likes),
            "popular": partial(ask, trial, popular(trial), likes=likes),
            "telling": partial(ask, trial, telling(trial), likes=likes),
        }
        base: Values | None = None
        for name, way in ways.items():
            started = time.process_time()
            outcome = way()
            seconds = time.process_time() - started
            base = outcome.hits if base is None else base
            lines.append(f"| {kind} | {name} | {_figures(outcome, base)} | {seconds:.0f} |")
    return "\n".join(lines)


def _figures(outcome: Outcome, base: Values) -> str:
    found = bootstrap_interval(outcome.hits, seed=SEED)
    gain = paired_bootstrap(outcome.hits, base, seed=SEED)
    return (
        f"{found.mean:.3f} | {found.low:.3f} to {found.high:.3f} "
        f"| {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] | {outcome.likings:.2f}"
    )


def _profile(liked: Sequence[str]) -> Profile:
    ids = np.array(liked, dtype=np.str_)
    return Profile(ids, np.full(len(ids), SAVE, dtype=np.float32), ids[:0])


def _famous(trial: Trial, *, without: Sequence[str]) -> list[str]:
    first = trial.by_fame[: LENGTH + len(without)].tolist()
    return [paper for paper in first if paper not in without][:LENGTH]


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?", default=SHARED / "citeulike")
    asked.add_argument("--part", type=int, default=1, help="which readers stay out: 0 chose the constants")
    given = asked.parse_args()
    if not (given.folder / "train.csv").is_file():
        sys.exit(f"this needs CiteULike: no train.csv in {given.folder}")
    sys.stdout.write(table(given.folder, part=given.part) + "\n")


if __name__ == "__main__":
    main()
