"""A made-up catalogue of the shape of a real one: papers with abstracts in topics, readers with a few of them each.

Words are strings of syllables so that letter groups repeat as in a language; how often each occurs, how many
papers a reader saves and how many readers a paper has follow power laws.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Interactions, PaperTexts

WORDS: Final = 60_000
TOPICS: Final = 400
FIELDS: Final = 40  # topics of one field share half of what sets them apart
WORDS_OF_TOPIC: Final = 250
TITLE, ABSTRACT = 9, 150  # words
SHARE_OF_TOPIC: Final = 0.35  # of the words of a paper; half as many again are those of the field
PAIRS: Final = 0.4  # of the words of a topic are followed by the one they always go with
SAVES: Final = 37  # of a reader, on average
LEAST_SAVES: Final = 5
VOWELS, CONSONANTS = "aeiou", "bcdfghklmnprstvz"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Papers and who saved what; papers without history come last."""

    texts: PaperTexts
    interactions: Interactions
    warm: int

    def dataset(self, papers: int) -> Dataset:
        """The dataset of the first papers, at least those with history."""
        texts = self.texts.select(np.arange(papers))
        return build_dataset(self.interactions, texts, now=0.0, weights=WeightConfig())


def make(*, papers: int, warm: int, readers: int, sentence_dim: int = 0, seed: int = 0) -> Catalogue:
    """The same catalogue for the same numbers."""
    random = np.random.default_rng(seed)
    topics = random.integers(TOPICS, size=papers)
    ids = np.arange(1, papers + 1, dtype=np.int64)
    bodies = _texts(random, topics)
    texts = PaperTexts(
        ids,
        [" ".join(words[:TITLE]) for words in bodies],
        [" ".join(words[TITLE:]) for words in bodies],
        [""] * papers,
        np.sort(random.uniform(1.5e9, 1.7e9, papers)),
        _sentences(random, topics, sentence_dim) if sentence_dim else None,
    )
    rows, columns = _saves(random, topics[:warm], readers)
    return Catalogue(texts, Interactions.saves(rows + 1, ids[columns]), warm)


def _texts(random: np.random.Generator, topics: NDArray[np.int64]) -> list[list[str]]:
    words = _words(random)
    follower = random.permutation(WORDS)
    of_topic = random.integers(WORDS, size=(TOPICS, WORDS_OF_TOPIC))
    of_field = random.integers(WORDS, size=(FIELDS, 2 * WORDS_OF_TOPIC))
    bodies = []
    for topic in topics.tolist():
        length = int(random.integers(ABSTRACT // 2, 3 * ABSTRACT // 2)) + TITLE
        codes = _power(random, WORDS, length)
        kind = random.random(length)
        own, wide = kind < SHARE_OF_TOPIC, (kind >= SHARE_OF_TOPIC) & (kind < 1.5 * SHARE_OF_TOPIC)
        codes[own] = of_topic[topic][_power(random, WORDS_OF_TOPIC, int(own.sum()))]
        codes[wide] = of_field[topic % FIELDS][_power(random, 2 * WORDS_OF_TOPIC, int(wide.sum()))]
        paired = np.flatnonzero(own[:-1] & (random.random(length - 1) < PAIRS))
        codes[paired + 1] = follower[codes[paired]]
        bodies.append([words[code] for code in codes])
    return bodies


def _words(random: np.random.Generator) -> list[str]:
    def syllable() -> str:
        return CONSONANTS[random.integers(len(CONSONANTS))] + VOWELS[random.integers(len(VOWELS))]

    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(syllable() for _ in range(int(random.integers(2, 5))))] = None
    return list(found)


def _power(random: np.random.Generator, most: int, count: int) -> NDArray[np.int64]:
    """Numbers below `most`, small ones far more often: the law of Zipf, nearly."""
    return np.minimum(most ** random.random(count), most - 1).astype(np.int64)


def _saves(
    random: np.random.Generator, topics: NDArray[np.int64], readers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    liked = 1 / (1 + np.arange(len(topics))) ** 0.6
    liked = random.permutation(liked)
    shelves = [np.flatnonzero(topics == topic) for topic in range(TOPICS)]
    counts = np.minimum(LEAST_SAVES + random.pareto(1.3, readers) * (SAVES - LEAST_SAVES) * 0.4, 500).astype(int)
    rows, columns = [], []
    for reader, count in enumerate(counts.tolist()):
        field = int(random.integers(FIELDS))
        of_field = np.arange(field, TOPICS, FIELDS)
        shelf = np.concatenate([shelves[at] for at in random.choice(of_field, size=3, replace=False)])
        if count > len(shelf) // 2:
            shelf = np.concatenate([shelves[at] for at in of_field])
        chance = liked[shelf] / liked[shelf].sum()
        chosen = random.choice(shelf, size=min(count, len(shelf)), replace=False, p=chance)
        rows.append(np.full(len(chosen), reader))
        columns.append(chosen)
    return np.concatenate(rows), np.concatenate(columns)


def _sentences(random: np.random.Generator, topics: NDArray[np.int64], dim: int) -> NDArray[np.float16]:
    """Vectors near those of the topic and the field, as an encoder would make them."""
    middle = random.standard_normal((TOPICS, dim)) + random.standard_normal((FIELDS, dim))[np.arange(TOPICS) % FIELDS]
    noise = random.standard_normal((len(topics), dim), dtype=np.float32)
    return (middle[topics].astype(np.float32) + 1.5 * noise).astype(np.float16)
