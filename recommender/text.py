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

from recommender import terms
from recommender.domain import Csr, Floats, Rows
from recommender.sparse import as_csr, hstacked
from recommender.terms import Counted, Terms

Arrays = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]
PAIR_WEIGHT = 0.5  # of word pairs beside words, in the kernel
SMALL_CORPUS = 200  # below this many texts a word seen once is still worth keeping
LEAST_TEXTS = 2  # with a word or pair, in larger ones
LEAST_GRAM_TEXTS = 3
OVERSAMPLING = 16  # directions of the SVD more than asked for
PASSES = 2  # of the SVD; more find the last directions more exactly and cost more
LEAST_SHARE = 1e-6  # of the largest singular value; below it a direction is noise


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

    singles: Terms  # words in the singular
    pairs: Terms  # of neighbouring words
    idf: Floats  # (words + pairs,)
    components: Floats  # (words + pairs, directions), orthonormal columns
    grams: Terms
    gram_idf: Floats  # (grams,)
    gram_components: Floats  # (grams, gram directions)
    vector_dim: int  # leading directions that make the text vector

    @classmethod
    def fit(cls, texts: Sequence[str], *, sizes: Sizes, seed: int) -> tuple[Self, Csr, Floats] | None:
        """The encoder with features and blocks of its own texts; None when they hold no two usable words."""
        words = terms.words_of(texts)
        is_small = len(texts) < SMALL_CORPUS
        stems = terms.stems_of(words)
        least = 1 if is_small else LEAST_TEXTS
        singles, counts = Terms.fit(stems, least=least, most=sizes.max_terms)
        pairs, pair_counts = Terms.fit(terms.pairs_of(stems), least=least, most=sizes.max_terms)
        if len(texts) < 2 or len(singles) < 2:
            return None
        idf = np.concatenate([terms.fit_idf(counts), terms.fit_idf(pair_counts)])
        features = _features(counts, pair_counts, idf)
        components = _directions(features, sizes.directions, seed=seed)
        grams, gram_counts = terms.fit_grams(words, least=1 if is_small else LEAST_GRAM_TEXTS)
        gram_idf = terms.fit_idf(gram_counts)
        gram_rows = terms.tfidf(gram_counts, gram_idf)
        gram_components = _directions(gram_rows, sizes.grams, seed=seed)
        dim = min(sizes.vector, components.shape[1])
        encoder = cls(singles, pairs, idf, components, grams, gram_idf, gram_components, dim)
        return encoder, features, encoder._blocks(features, gram_rows)

    @property
    def dim(self) -> int:
        """Length of a text vector."""
        return self.vector_dim

    @property
    def width(self) -> int:
        """Columns of `project`."""
        return self.directions + self.dim + int(self.gram_components.shape[1])

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
        return self._features_of(terms.words_of(texts))

    def project(self, texts: Sequence[str]) -> tuple[Csr, Floats]:
        """Features with blocks (texts, directions + vector + grams): coordinates, unit vector, unit letter groups."""
        words = terms.words_of(texts)
        features = self._features_of(words)
        gram_rows = terms.tfidf(terms.gram_counts(self.grams, words), self.gram_idf)
        return features, self._blocks(features, gram_rows)

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, dim) float32, rows of length 1 or 0."""
        return self.unit_vectors(self.features(texts))

    def unit_vectors(self, features: Csr) -> Floats:
        """(texts, dim) float32 of `features`, rows of length 1 or 0."""
        return normalise(np.asarray(features @ self.components[:, : self.vector_dim], dtype=np.float32))

    def columns_of_words(self, texts: Sequence[str], features: Csr) -> list[Rows | None]:
        """The columns of each text's distinct words in its `features`; None for one with a word that has no column."""
        columns: list[Rows | None] = []
        for at, (text, stems) in enumerate(zip(texts, terms.stems_of(terms.words_of(texts)), strict=True)):
            entries = features.indices[features.indptr[at] : features.indptr[at + 1]]
            known = entries[entries < len(self.singles)]
            is_told = 0 < len(known) == len(set(stems)) and not terms.has_uncounted(text)
            columns.append(known.astype(np.int32) if is_told else None)
        return columns

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the encoder, without pickle."""
        return {
            "text_terms": self.singles.joined,
            "text_term_ends": self.singles.ends,
            "text_pairs": self.pairs.joined,
            "text_pair_ends": self.pairs.ends,
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
            Terms(arrays["text_terms"].view(np.uint8), arrays["text_term_ends"].view(np.int64)),
            Terms(arrays["text_pairs"].view(np.uint8), arrays["text_pair_ends"].view(np.int64)),
            arrays["text_idf"].view(np.float32),
            arrays["text_components"].view(np.float32),
            Terms(arrays["text_grams"].view(np.uint8), arrays["text_gram_ends"].view(np.int64)),
            arrays["text_gram_idf"].view(np.float32),
            arrays["text_gram_components"].view(np.float32),
            int(arrays["text_vector_dim"].view(np.int64)[0]),
        )

    def _features_of(self, words: Counted) -> Csr:
        stems = terms.stems_of(words)
        return _features(self.singles.counts(stems), self.pairs.counts(terms.pairs_of(stems)), self.idf)

    def _blocks(self, features: Csr, gram_rows: Csr) -> Floats:
        coords = np.asarray(features @ self.components, dtype=np.float32)
        unit = normalise(coords[:, : self.vector_dim])
        letters = normalise(np.asarray(gram_rows @ self.gram_components, dtype=np.float32))
        return np.concatenate([coords, unit, letters], axis=1)


def normalise(vectors: Floats) -> Floats:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def _features(counts: Csr, pair_counts: Csr, idf: Floats) -> Csr:
    """Words and pairs, each of its own length, side by side."""
    singles = counts.shape[1]
    pairs = terms.tfidf(pair_counts, idf[singles:]) * np.float32(np.sqrt(PAIR_WEIGHT))
    return hstacked(terms.tfidf(counts, idf[:singles]), as_csr(pairs))


def _directions(matrix: Csr, count: int, *, seed: int) -> Floats:
    """(columns, at most count) orthonormal right singular vectors, largest first, signs fixed."""
    if 0 in matrix.shape or matrix.nnz == 0 or count == 0:
        return np.zeros((matrix.shape[1], 0), dtype=np.float32)
    from sklearn.utils.extmath import randomized_svd

    # Transposed, the random start lies on the short side of papers: half the time for 1.2% less energy.
    _, sizes, found = randomized_svd(
        matrix,
        min(count, *matrix.shape),
        n_oversamples=OVERSAMPLING,
        n_iter=PASSES,
        power_iteration_normalizer="none",
        transpose=True,
        random_state=seed,
    )
    kept = sizes > LEAST_SHARE * sizes[0]
    return np.ascontiguousarray(found[kept].T, dtype=np.float32)
