"""Papers' words as arrays: exact sparse rows, and their leading directions (SVD).

A text has a sparse row (words and word pairs, each of unit length, pairs weighing half) and dense coordinates:
the leading directions of the sparse rows, the same again at unit length, and those of letter groups at unit
length. Letter groups find "phosphorylation" in "dephosphorylated", which no stemmer does; see content.py for
how the two add up to a kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from recommender import words
from recommender.domain import Csr, Floats
from recommender.sparse import columns_of, hstacked
from recommender.svd import leading_directions
from recommender.words import TermTable

Arrays = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]
PAIR_WEIGHT = 0.5  # of word pairs beside words, in the kernel
SMALL_CORPUS = 200  # below this many texts a word seen once is still worth keeping
LEAST_TEXTS = 2  # with a word or pair, in larger ones
LEAST_GRAM_TEXTS = 3
WORD_PASSES, GRAM_PASSES = 2, 1  # of the SVD; letter groups are many and their directions easily found


class TextEncoder(Protocol):
    """Anything that turns texts into L2-normalised vectors."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, dim) float32, rows of length 1 or 0."""
        ...


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many columns of each kind."""

    directions: int  # leading directions of words
    vector: int  # how many of them make the text vector
    grams: int  # leading directions of letter groups
    max_terms: int


@dataclass(frozen=True, slots=True)
class TfidfEncoder:
    """Vocabularies and directions of a corpus."""

    singles: TermTable  # words
    pairs: NDArray[np.int64]  # (pairs,) ascending keys: first word * words + second word
    idf: Floats  # (words + pairs,)
    components: Floats  # (words + pairs, directions), orthonormal columns
    grams: TermTable
    gram_idf: Floats  # (grams,)
    gram_components: Floats  # (grams, gram directions)
    vector_dim: int  # leading directions that make the text vector

    @classmethod
    def fit(cls, texts: Sequence[str], *, sizes: Sizes, seed: int) -> tuple[Self, Csr, Floats] | None:
        """The encoder with features and blocks of its own texts; None when they hold no two usable words."""
        tokens = words.tokens_of(texts)
        is_small = len(texts) < SMALL_CORPUS
        singles, pairs, counts = _count_words(tokens, least=1 if is_small else LEAST_TEXTS, most=sizes.max_terms)
        if min(counts.shape) < 2 or len(singles) < 2:
            return None
        idf = words.idf_of(words.readers_of_columns(counts), len(texts))
        features = _features(counts, idf, len(singles))
        components = leading_directions(features, sizes.directions, passes=WORD_PASSES, seed=seed)
        table, gram_counts = _count_grams(tokens, least=1 if is_small else LEAST_GRAM_TEXTS)
        gram_idf = words.idf_of(words.readers_of_columns(gram_counts), len(texts))
        gram_rows = words.tfidf(gram_counts, gram_idf, length=1.0)
        gram_components = leading_directions(gram_rows, sizes.grams, passes=GRAM_PASSES, seed=seed)
        dim = min(sizes.vector, components.shape[1])
        encoder = cls(singles, pairs, idf, components, table, gram_idf, gram_components, dim)
        return encoder, features, encoder._blocks(features, gram_rows)

    @property
    def dim(self) -> int:
        """Length of a text vector."""
        return self.vector_dim

    @property
    def directions(self) -> int:
        """How many leading directions of words there are."""
        return int(self.components.shape[1])

    def truncated(self, directions: int) -> Self:
        """The encoder with only its first directions of words."""
        components = np.ascontiguousarray(self.components[:, :directions])
        kept = (self.singles, self.pairs, self.idf, components, self.grams, self.gram_idf, self.gram_components)
        return type(self)(*kept, min(self.vector_dim, components.shape[1]))

    def features(self, texts: Sequence[str]) -> Csr:
        """(texts, terms) float32 TF-IDF rows: words of length 1, pairs of length sqrt(PAIR_WEIGHT)."""
        return self._features_of(words.tokens_of(texts))

    def project(self, texts: Sequence[str]) -> tuple[Csr, Floats]:
        """Features with blocks (texts, directions + vector + grams): coordinates, unit vector, unit letter groups."""
        tokens = words.tokens_of(texts)
        features = self._features_of(tokens)
        counts = words.gram_counts(tokens, self.grams.columns, is_open=False)
        return features, self._blocks(features, words.tfidf(counts, self.gram_idf, length=1.0))

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, dim) float32, rows of length 1 or 0."""
        features = self.features(texts)
        return normalise(np.asarray(features @ self.components[:, : self.vector_dim], dtype=np.float32))

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the encoder, without pickle."""
        return {
            "text_terms": self.singles.joined,
            "text_term_ends": self.singles.ends,
            "text_pairs": self.pairs,
            "text_idf": self.idf,
            "text_components": self.components,
            "text_grams": self.grams.joined,
            "text_gram_ends": self.grams.ends,
            "text_gram_idf": self.gram_idf,
            "text_gram_components": self.gram_components,
            "text_vector_dim": np.array([self.vector_dim]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The encoder of `to_arrays`; its words are decoded on first use."""
        return cls(
            TermTable(arrays["text_terms"].view(np.uint8), arrays["text_term_ends"].view(np.int64)),
            arrays["text_pairs"].view(np.int64),
            arrays["text_idf"].view(np.float32),
            arrays["text_components"].view(np.float32),
            TermTable(arrays["text_grams"].view(np.uint8), arrays["text_gram_ends"].view(np.int64)),
            arrays["text_gram_idf"].view(np.float32),
            arrays["text_gram_components"].view(np.float32),
            int(arrays["text_vector_dim"].view(np.int64)[0]),
        )

    def _features_of(self, tokens: words.Tokens) -> Csr:
        stemmed, stems = words.stem_codes(tokens)
        known = self.singles.columns
        columns = np.array([known.get(stem, words.UNKNOWN) for stem in stems], dtype=np.int64)
        counts = stemmed.recoded(columns, len(known))
        keys, text_of = words.pair_keys(columns, stemmed, len(known))
        at = np.minimum(np.searchsorted(self.pairs, keys), max(len(self.pairs) - 1, 0))
        found = self.pairs[at] == keys if len(self.pairs) else np.zeros(len(keys), dtype=bool)
        paired = words.counted(text_of[found], at[found], (tokens.texts, len(self.pairs)))
        return _features(hstacked(counts, paired), self.idf, len(known))

    def _blocks(self, features: Csr, gram_rows: Csr) -> Floats:
        coords = np.asarray(features @ self.components, dtype=np.float32)
        unit = normalise(coords[:, : self.vector_dim])
        letters = normalise(np.asarray(gram_rows @ self.gram_components, dtype=np.float32))
        return np.concatenate([coords, unit, letters], axis=1)


def normalise(vectors: Floats) -> Floats:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def _features(counts: Csr, idf: Floats, singles: int) -> Csr:
    """Words and pairs, each of its own length, side by side."""
    first = words.tfidf(columns_of(counts, np.arange(singles)), idf[:singles], length=1.0)
    rest = columns_of(counts, np.arange(singles, counts.shape[1]))
    return hstacked(first, words.tfidf(rest, idf[singles:], length=float(np.sqrt(PAIR_WEIGHT))))


def _count_words(tokens: words.Tokens, *, least: int, most: int) -> tuple[TermTable, NDArray[np.int64], Csr]:
    """The vocabulary of words and pairs with (texts, words + pairs) counts."""
    stemmed, stems = words.stem_codes(tokens)
    everything = stemmed.recoded(np.arange(len(stems)), len(stems))
    kept = _frequent(everything, least=least, most=most)
    columns = np.full(len(stems), words.UNKNOWN, dtype=np.int64)
    columns[kept] = np.arange(len(kept))
    keys, text_of = words.pair_keys(columns, stemmed, len(kept))
    pairs, pair_of = np.unique(keys, return_inverse=True)
    paired = words.counted(text_of, pair_of, (tokens.texts, len(pairs)))
    kept_pairs = _frequent(paired, least=least, most=most)
    counts = hstacked(columns_of(everything, kept), columns_of(paired, kept_pairs))
    return TermTable.of([stems[at] for at in kept]), pairs[kept_pairs], counts


def _count_grams(tokens: words.Tokens, *, least: int) -> tuple[TermTable, Csr]:
    columns: dict[str, int] = {}
    counts = words.gram_counts(tokens, columns, is_open=True)
    kept = _frequent(counts, least=least, most=counts.shape[1])
    terms = list(columns)
    return TermTable.of([terms[at] for at in kept]), columns_of(counts, kept)


def _frequent(counts: Csr, *, least: int, most: int) -> NDArray[np.int64]:
    """Columns that occur in enough texts, ascending; the most frequent ones where they are too many."""
    texts_with = words.readers_of_columns(counts)
    kept = np.flatnonzero(texts_with >= least)
    if len(kept) > most:
        kept = np.sort(kept[np.argsort(-texts_with[kept], kind="stable")[:most]])
    return kept
