"""Known-item queries: made from a title or a sentence of an abstract, the answer is the paper they were made from."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
LEAST_TITLE: Final = 4  # words of a title that queries are made from
LEAST_WORDS: Final = 3  # of a query
KEPT_SHARE: Final = 0.6  # of the words where some are dropped
SENTENCE_WORDS: Final = (6, 60)
LEAST_SENTENCES: Final = 3  # of an abstract that gives one
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Query:
    """A text and the place of the paper that it was made from."""

    text: str
    paper: int


def title_queries(titles: Sequence[str], papers: Sequence[int], *, seed: int) -> dict[str, list[Query]]:
    """Queries of each kind from these titles: the same for the same numbers."""
    chance = random.Random(seed)
    found: dict[str, list[Query]] = {}
    for paper in papers:
        words = titles[paper].split()
        if len(words) < LEAST_TITLE:
            continue
        half = _stretch(words, chance)
        texts = {
            "title": words,
            "title, 2 typos": _misspelt(words, 2, chance),
            "title, words dropped and shuffled": _dropped(words, chance),
            "half of the title": half,
            "half of the title, 1 typo": _misspelt(half, 1, chance),
        }
        for kind, made in texts.items():
            found.setdefault(kind, []).append(Query(" ".join(made), paper))
    return found


def sentence_queries(abstracts: Sequence[str], papers: Sequence[int], *, seed: int) -> list[Query]:
    """One sentence of each of these abstracts that has enough of them."""
    chance = random.Random(seed)
    found = []
    for paper in papers:
        sentences = _SENTENCE_END.split(abstracts[paper])
        usable = [text for text in sentences if SENTENCE_WORDS[0] <= len(text.split()) <= SENTENCE_WORDS[1]]
        if len(usable) >= LEAST_SENTENCES:
            found.append(Query(chance.choice(usable), paper))
    return found


def _stretch(words: list[str], chance: random.Random) -> list[str]:
    """Neighbouring words, half of them."""
    length = max(LEAST_WORDS, round(len(words) / 2))
    start = chance.randrange(len(words) - length + 1)
    return words[start : start + length]


def _dropped(words: list[str], chance: random.Random) -> list[str]:
    kept = [word for word in words if chance.random() < KEPT_SHARE]
    if len(kept) < LEAST_WORDS:
        kept = chance.sample(words, LEAST_WORDS)
    return chance.sample(kept, len(kept))


def _misspelt(words: list[str], count: int, chance: random.Random) -> list[str]:
    """The words with one letter of so many of the longer ones wrong, missing, doubled up or swapped."""
    long = [at for at, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    wrong = set(chance.sample(long, min(count, len(long))))
    return [_typo(word, chance) if at in wrong else word for at, word in enumerate(words)]


def _typo(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    letter = chance.choice(LETTERS)
    return chance.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
    )
