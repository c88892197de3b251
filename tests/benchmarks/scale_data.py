"""Readers and papers at the size of a large service, made from a seed: power laws on both sides, topics inside.

Pairs are distinct and as many as asked for. Nothing larger than the result and one block of readers is in memory.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import Dataset
from recommender.domain import Csr, PaperTexts
from recommender.sparse import csr_of, empty_csr
from recommender.vocabulary import Vocabulary

READERS, PAPERS, PAIRS = 138_000, 27_000, 20_000_000
LEAST_PAIRS = 20  # of a reader, where the mean allows it
READER_TAIL = 1.3  # exponents of the power laws: of the histories beyond the least one
PAPER_TAIL = 0.9  # and of popularity against rank
HEAD_OFFSET = 20.0  # ranks by which the head is flattened, or a handful of papers would be everybody's
TOPICS = 50
OWN_TOPIC = 0.7  # share of pairs in one of a reader's two topics
DENSEST = 0.25  # of all papers, the most one reader has
READERS_PER_BLOCK = 1000
ROUNDS = 8  # of drawing what is still missing by the power laws
WORDS_PER_TOPIC, COMMON_WORDS, WORDS = 60, 2_000, 9


@dataclass(frozen=True, slots=True)
class Size:
    """How large a data set is."""

    readers: int = READERS
    papers: int = PAPERS
    pairs: int = PAIRS

    @classmethod
    def scaled(cls, share: float) -> "Size":
        """Readers and pairs times a share, papers times its root: histories stay as long as they are."""
        readers, papers = max(int(READERS * share), 50), max(int(PAPERS * share**0.5), 100)
        return cls(readers, papers, min(max(int(PAIRS * share), readers), int(readers * papers * DENSEST / 4)))


def dataset_of(pairs: Csr, *, seed: int, has_texts: bool = False) -> Dataset:
    """Pairs of `make_pairs` as a dataset, each one save; titles speak of a paper's topic when asked for."""
    readers, count = pairs.shape
    papers = np.arange(count)
    texts = PaperTexts.empty(papers)
    if has_texts:
        texts = replace(texts, titles=_titles(count, seed=seed))
    return Dataset(
        Vocabulary.build(np.arange(readers)),
        Vocabulary.build(papers),
        pairs,
        empty_csr(readers, count),
        texts,
        np.full(pairs.nnz, np.nan),
    )


def make_pairs(size: Size, *, seed: int) -> Csr:
    """(readers, papers) float32 of ones, columns ascending, exactly `size.pairs` entries."""
    random = np.random.default_rng(seed)
    degrees = _degrees(size, random)
    topics = random.integers(0, TOPICS, (size.readers, 2))
    names = _names(size.papers, seed=seed)
    indptr = np.concatenate([[0], np.cumsum(degrees)])
    indices = np.empty(size.pairs, dtype=np.int32)
    for start in range(0, size.readers, READERS_PER_BLOCK):
        block = slice(start, start + READERS_PER_BLOCK)
        end = min(block.stop, size.readers)
        indices[indptr[start] : indptr[end]] = _distinct(degrees[block], topics[block], names, random)
    ones = np.ones(size.pairs, dtype=np.float32)
    return csr_of(ones, indices, indptr.astype(np.int32), (size.readers, size.papers))


def _degrees(size: Size, random: np.random.Generator) -> NDArray[np.int64]:
    """(readers,) papers each has; they add up to the pairs."""
    most = max(int(size.papers * DENSEST), 1)
    if size.pairs > most * size.readers or size.pairs < size.readers:
        raise ValueError(f"{size.pairs} pairs do not fit {size.readers} readers with 1 to {most} papers each")
    least = min(LEAST_PAIRS, max(size.pairs // (2 * size.readers), 1))
    tail = random.pareto(READER_TAIL, size.readers)
    low, high = 0.0, float(size.pairs)
    for _ in range(60):  # the scale at which the capped histories have the sum that is wanted
        middle = (low + high) / 2
        total = np.minimum(least + tail * middle, most).sum()
        low, high = (middle, high) if total < size.pairs else (low, middle)
    degrees = np.floor(np.minimum(least + tail * low, most)).astype(np.int64)
    while (missing := size.pairs - int(degrees.sum())) > 0:
        room = np.flatnonzero(degrees < most)
        degrees[random.permutation(room)[:missing]] += 1
    return degrees


def _distinct(
    degrees: NDArray[np.int64], topics: NDArray[np.int64], names: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """(sum of degrees,) papers of a block of readers, ascending within each, as many as wanted."""
    papers = len(names)
    has = np.zeros((len(degrees), papers), dtype=bool)
    missing, turn = degrees, 0
    while missing.any():
        owner = np.repeat(np.arange(len(degrees)), missing)
        # Heavy readers have all that is popular; what they still miss may be anything.
        ranks = _ranks(len(owner), papers, random) if turn < ROUNDS else random.integers(0, papers, len(owner))
        is_own = random.random(len(owner)) < (OWN_TOPIC if turn < ROUNDS else 0)
        wanted = topics[owner, random.integers(0, 2, len(owner))]
        ranks = np.where(is_own, np.minimum(ranks - ranks % TOPICS + wanted, papers - 1), ranks)
        has[owner, names[ranks]] = True
        missing = degrees - np.count_nonzero(has, axis=1)
        turn += 1
    return np.asarray(np.flatnonzero(has) % papers)


def _ranks(count: int, papers: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Ranks whose frequency falls with (rank + HEAD_OFFSET) ** -PAPER_TAIL."""
    power = 1 - PAPER_TAIL
    low, high = HEAD_OFFSET**power, (papers + HEAD_OFFSET) ** power
    drawn = (low + (high - low) * random.random(count)) ** (1 / power) - HEAD_OFFSET
    return np.asarray(np.minimum(drawn.astype(np.int64), papers - 1))


def _names(papers: int, *, seed: int) -> NDArray[np.int64]:
    """(papers,) the paper of each rank of popularity, so that its number says nothing about it."""
    return np.asarray(np.random.default_rng([seed, 1]).permutation(papers))


def _titles(papers: int, *, seed: int) -> list[str]:
    """Titles of a few words, half of them of the topic `make_pairs` gives a paper of that popularity."""
    random = np.random.default_rng(seed)
    topic_of = np.empty(papers, dtype=np.int64)
    topic_of[_names(papers, seed=seed)] = np.arange(papers) % TOPICS
    own = topic_of[:, None] * WORDS_PER_TOPIC + random.integers(0, WORDS_PER_TOPIC, (papers, WORDS))
    common = TOPICS * WORDS_PER_TOPIC + random.integers(0, COMMON_WORDS, (papers, WORDS))
    codes = np.where(random.random((papers, WORDS)) < 0.5, own, common)
    return [" ".join(_word(code) for code in row) for row in codes.tolist()]


def _word(code: int) -> str:
    letters = "bcdfghjklmnpqrstvwxz"
    parts = []
    for _ in range(3):
        parts.append(letters[code % 20] + "aeiou"[code % 5])
        code //= 20
    return "".join(parts)
