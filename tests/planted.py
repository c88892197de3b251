"""Data with a known answer: readers who like one topic, papers whose words name it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Ids, Interactions, PaperTexts

NOW = 1_700_000_000.0
DAY = 86_400.0
WORDS_PER_TOPIC = 12
WORDS_PER_TITLE = 6
NOISE_WORDS = 40


@dataclass(frozen=True, slots=True)
class Planted:
    """A log, its papers, and the topic of everything in it."""

    interactions: Interactions
    texts: PaperTexts
    topic_of_paper: NDArray[np.int64]  # (papers,) aligned to texts
    topic_of_reader: NDArray[np.int64]  # (readers,) aligned to reader_ids
    reader_ids: Ids
    untouched: NDArray[np.bool_]  # (papers,) no event names the paper

    def dataset(self, *, weights: WeightConfig | None = None) -> Dataset:
        """The dataset of the log."""
        return build_dataset(self.interactions, self.texts, now=NOW, weights=weights or WeightConfig())

    def topics(self, paper_ids: Ids) -> NDArray[np.int64]:
        """The topic of each paper id."""
        order = np.argsort(self.texts.paper_ids, kind="stable")
        at = np.searchsorted(self.texts.paper_ids, paper_ids, sorter=order)
        return self.topic_of_paper[order[at]]


def plant(
    *,
    seed: int = 0,
    readers: int = 60,
    papers: int = 120,
    topics: int = 4,
    saves_per_reader: int = 10,
    untouched_share: float = 0.2,
    is_timed: bool = False,
) -> Planted:
    """A small world in which every reader saves papers of one topic only."""
    random = np.random.default_rng(seed)
    topic_of_paper = np.arange(papers) % topics
    topic_of_reader = np.arange(readers) % topics
    paper_ids = np.arange(1000, 1000 + papers)
    reader_ids = np.arange(1, 1 + readers)
    untouched = random.random(papers) < untouched_share
    user_column, paper_column = [], []
    for reader, topic in zip(reader_ids, topic_of_reader, strict=True):
        shelf = np.flatnonzero((topic_of_paper == topic) & ~untouched)
        chosen = random.choice(shelf, min(saves_per_reader, len(shelf)), replace=False)
        user_column.append(np.full(len(chosen), reader))
        paper_column.append(paper_ids[chosen])
    log = Interactions.saves(np.concatenate(user_column), np.concatenate(paper_column))
    if is_timed:
        ages = random.uniform(0, 300 * DAY, len(log))
        log = Interactions(log.user_ids, log.paper_ids, log.kinds, NOW - ages, log.values)
    titles = [_title(int(topic), random) for topic in topic_of_paper]
    published = NOW - random.uniform(0, 365 * DAY, papers)
    texts = PaperTexts(paper_ids, titles, [""] * papers, [""] * papers, published)
    return Planted(log, texts, topic_of_paper, topic_of_reader, reader_ids, untouched)


def noise(*, seed: int = 0, readers: int = 80, papers: int = 100, saves_per_reader: int = 8) -> Interactions:
    """A log in which nothing explains anything: every reader saves at random."""
    random = np.random.default_rng(seed)
    paper_ids = np.arange(1000, 1000 + papers)
    chosen = [random.choice(paper_ids, saves_per_reader, replace=False) for _ in range(readers)]
    return Interactions.saves(np.repeat(np.arange(1, readers + 1), saves_per_reader), np.concatenate(chosen))


def topic_words(topic: int) -> list[str]:
    """The words only this topic uses."""
    return [f"topic{topic}word{number}" for number in range(WORDS_PER_TOPIC)]


def _title(topic: int, random: np.random.Generator) -> str:
    own = random.choice(topic_words(topic), WORDS_PER_TITLE - 1, replace=False).tolist()
    return " ".join([*own, f"common{random.integers(NOISE_WORDS)}"])
