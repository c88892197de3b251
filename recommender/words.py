"""Counting words, pairs of words and letter groups: texts in, sparse TF-IDF rows out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self
from unicodedata import combining, normalize

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, csr_of

WORD = re.compile(r"\w\w+")
PLURALS = ("ss", "us")  # endings in s that are none
LEAST_PLURAL, LEAST_IES = 4, 5  # letters of the shortest word that is brought to its singular
GRAM_SIZES = (3, 4, 5)  # letters; groups do not cross words
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class TermTable:
    """Terms by column, kept as bytes: an artifact maps them and decodes on first use."""

    joined: NDArray[np.uint8]  # UTF-8 of all terms, one after the other
    ends: NDArray[np.int64]  # (terms,)
    _columns: list[dict[str, int]] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, terms: Sequence[str]) -> Self:
        """The table of these terms in this order."""
        encoded = [term.encode() for term in terms]
        lengths = np.fromiter((len(term) for term in encoded), dtype=np.int64, count=len(encoded))
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def columns(self) -> dict[str, int]:
        """Column of each term."""
        if not self._columns:
            joined, ends = self.joined.tobytes(), self.ends.tolist()
            spans = zip([0, *ends[:-1]], ends, strict=True)
            self._columns.append({joined[a:b].decode(): at for at, (a, b) in enumerate(spans)})
        return self._columns[0]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of texts as codes, in the order they are written."""

    codes: NDArray[np.int64]  # (tokens,) into `distinct`
    text_of: NDArray[np.int64]  # (tokens,) ascending
    texts: int
    distinct: list[str]

    def recoded(self, columns: NDArray[np.int64], width: int) -> Csr:
        """(texts, width) counts, each distinct word counted in its column, UNKNOWN ones not at all."""
        found = columns[self.codes]
        known = found != UNKNOWN
        return counted(self.text_of[known], found[known], (self.texts, width))


def tokens_of(texts: Sequence[str]) -> Tokens:
    """The lower-cased words of two letters and more, without accents."""
    codes: dict[str, int] = {}
    flat: list[int] = []
    lengths = []
    for text in texts:
        words = WORD.findall(_plain(text))
        flat += [codes.setdefault(word, len(codes)) for word in words]
        lengths.append(len(words))
    text_of = np.repeat(np.arange(len(texts)), lengths)
    return Tokens(np.array(flat, dtype=np.int64), text_of.astype(np.int64), len(texts), list(codes))


def stem_codes(tokens: Tokens) -> tuple[Tokens, list[str]]:
    """The same text in singular forms, with the distinct stems."""
    stems: dict[str, int] = {}
    of_word = [stems.setdefault(stem(word), len(stems)) for word in tokens.distinct]
    codes = np.array(of_word, dtype=np.int64)[tokens.codes] if of_word else tokens.codes
    return Tokens(codes, tokens.text_of, tokens.texts, list(stems)), list(stems)


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The word without its plural ending: longer cuts join words that mean different things."""
    if len(word) >= LEAST_IES and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) >= LEAST_PLURAL and word.endswith("s") and not word.endswith(PLURALS):
        return word[:-1]
    return word


def pair_keys(columns: NDArray[np.int64], tokens: Tokens, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys first * width + second of neighbouring known words, with the text of each."""
    found = columns[tokens.codes]
    first, second = found[:-1], found[1:]
    fits = (first != UNKNOWN) & (second != UNKNOWN) & (tokens.text_of[:-1] == tokens.text_of[1:])
    return first[fits] * width + second[fits], tokens.text_of[:-1][fits]


def grams_of(word: str) -> list[str]:
    """The letter groups of a word with its borders; a short word gives itself once."""
    bordered = f" {word} "
    grams: list[str] = []
    for size in GRAM_SIZES:
        grams += [bordered[at : at + size] for at in range(max(1, len(bordered) - size + 1))]
        if len(bordered) <= size:
            break
    return grams


def gram_counts(tokens: Tokens, columns: dict[str, int], *, is_open: bool) -> Csr:
    """(texts, grams) counts; an open table takes in groups it does not know, a closed one skips them."""
    owners: list[int] = []
    found: list[int] = []
    for at, word in enumerate(tokens.distinct):
        for gram in grams_of(word):
            column = columns.setdefault(gram, len(columns)) if is_open else columns.get(gram, UNKNOWN)
            if column != UNKNOWN:
                owners.append(at)
                found.append(column)
    shape = (len(tokens.distinct), len(columns))
    of_words = counted(np.array(owners, dtype=np.int64), np.array(found, dtype=np.int64), shape)
    of_texts = tokens.recoded(np.arange(len(tokens.distinct)), len(tokens.distinct))
    return as_csr(of_texts @ of_words)


def counted(rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> Csr:
    """How often each (row, column) occurs."""
    return as_csr(coo_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape))


def readers_of_columns(counts: Csr) -> NDArray[np.int64]:
    """(columns,) in how many rows each occurs."""
    return np.bincount(counts.indices, minlength=counts.shape[1])


def idf_of(texts_with: NDArray[np.int64], texts: int) -> Floats:
    """(terms,) smoothed inverse document frequency."""
    return (np.log((1 + texts) / (1 + texts_with)) + 1).astype(np.float32)


def tfidf(counts: Csr, idf: Floats, *, length: float) -> Csr:
    """Sublinear TF-IDF, rows scaled to this length; rows without a term stay empty."""
    data = (1 + np.log(counts.data)) * idf[counts.indices]
    ends = np.concatenate([[0.0], np.cumsum(np.square(data, dtype=np.float64))])
    squares = ends[counts.indptr[1:]] - ends[counts.indptr[:-1]]
    scale = length / np.sqrt(np.where(squares > 0, squares, 1.0))
    data = data * np.repeat(scale, np.diff(counts.indptr)).astype(np.float32)
    return csr_of(data, counts.indices, counts.indptr, (counts.shape[0], counts.shape[1]))


def _plain(text: str) -> str:
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    return "".join(letter for letter in normalize("NFKD", lowered) if not combining(letter))
