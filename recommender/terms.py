"""What is counted in a text: words in the singular, pairs of them, letter groups. All counting is scikit-learn's.

It is imported where something is counted: its import is a third of the start of a process that may never count.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, columns_of, empty_csr

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import CountVectorizer

PLURALS = ("ss", "us")  # endings in s that are none
LEAST_PLURAL, LEAST_IES = 4, 5  # letters of the shortest word that is brought to its singular
GRAM_SIZES = (3, 5)  # letters, least and most; groups do not cross words
_ONE_LETTER = re.compile(r"\b\w\b")
Counted: TypeAlias = list[list[str]]  # per text what is to be counted
Analyzer: TypeAlias = Callable[[str], list[str]]  # takes a text apart


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms by column, kept as bytes: an artifact maps them and decodes on first use."""

    joined: NDArray[np.uint8]  # UTF-8 of all terms, one after the other
    ends: NDArray[np.int64]  # (terms,)
    _counters: list["CountVectorizer"] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, terms: Sequence[str]) -> Self:
        """The table of these terms in this order."""
        encoded = [term.encode() for term in terms]
        lengths = np.fromiter((len(term) for term in encoded), dtype=np.int64, count=len(encoded))
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), np.cumsum(lengths))

    @classmethod
    def fit(cls, texts: Counted, *, least: int, most: int | None = None) -> tuple[Self, Csr]:
        """The most frequent terms that occur in at least so many texts, with (texts, terms) counts."""
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(analyzer=_as_it_is, min_df=least, max_features=most, dtype=np.float32)
        try:
            counts = as_csr(counter.fit_transform(texts))
        except ValueError:  # scikit-learn's word for "no term is left"
            return cls.of([]), empty_csr(len(texts), 0)
        return cls.of(counter.get_feature_names_out().tolist()), counts

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def in_column_order(self) -> list[str]:
        """The terms."""
        joined, ends = self.joined.tobytes(), self.ends.tolist()
        return [joined[start:end].decode() for start, end in pairwise([0, *ends])]

    def counts(self, texts: Counted) -> Csr:
        """(texts, terms) how often each term occurs."""
        if len(self) == 0 or len(texts) == 0:
            return empty_csr(len(texts), len(self))
        if not self._counters:
            from sklearn.feature_extraction.text import CountVectorizer

            columns = {term: at for at, term in enumerate(self.in_column_order)}
            self._counters.append(CountVectorizer(analyzer=_as_it_is, vocabulary=columns, dtype=np.float32))
        return as_csr(self._counters[0].transform(texts))


def words_of(texts: Sequence[str]) -> Counted:
    """The lower-cased words of two letters and more, without accents."""
    read_words, _ = _analyzers()
    return [read_words(text) for text in texts]


def has_uncounted(text: str) -> bool:
    """True for a text with a word of one letter or digit, which `words_of` leaves out: "k-means", "C++"."""
    return _ONE_LETTER.search(text) is not None


def stems_of(words: Counted) -> Counted:
    """The words in the singular."""
    return [[stem(word) for word in of_text] for of_text in words]


def pairs_of(stems: Counted) -> Counted:
    """Neighbouring words."""
    return [[f"{first} {second}" for first, second in pairwise(of_text)] for of_text in stems]


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The word without its plural ending: longer cuts join words that mean different things."""
    if len(word) >= LEAST_IES and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) >= LEAST_PLURAL and word.endswith("s") and not word.endswith(PLURALS):
        return word[:-1]
    return word


def fit_grams(words: Counted, *, least: int) -> tuple[Terms, Csr]:
    """The letter groups that occur in at least so many texts, with (texts, groups) counts."""
    distinct, of_texts = Terms.fit(words, least=1)
    grams, of_words = Terms.fit(_grams_of(distinct), least=1)
    counts = as_csr(of_texts @ of_words)
    kept = np.flatnonzero(np.bincount(counts.indices, minlength=counts.shape[1]) >= least)
    names = grams.in_column_order
    return Terms.of([names[at] for at in kept]), columns_of(counts, kept)


def gram_counts(grams: Terms, words: Counted) -> Csr:
    """(texts, groups) how often each letter group occurs."""
    distinct, of_texts = Terms.fit(words, least=1)
    return as_csr(of_texts @ grams.counts(_grams_of(distinct)))


def fit_idf(counts: Csr) -> Floats:
    """(terms,) smoothed inverse document frequency."""
    if 0 in counts.shape:
        return np.ones(counts.shape[1], dtype=np.float32)
    from sklearn.feature_extraction.text import TfidfTransformer

    return np.asarray(TfidfTransformer().fit(counts).idf_, dtype=np.float32)


def tfidf(counts: Csr, idf: Floats) -> Csr:
    """Sublinear TF-IDF, rows of length 1; rows without a term stay empty."""
    if 0 in counts.shape:
        return counts
    from sklearn.feature_extraction.text import TfidfTransformer

    weigher = TfidfTransformer(sublinear_tf=True)
    weigher.idf_ = idf
    return as_csr(weigher.transform(counts))


def _grams_of(distinct: Terms) -> Counted:
    """The letter groups of each distinct word: it is taken apart once, however often it is written."""
    _, read_grams = _analyzers()
    return [read_grams(word) for word in distinct.in_column_order]


@cache
def _analyzers() -> tuple[Analyzer, Analyzer]:
    """What reads words from a text, and letter groups from a word."""
    from sklearn.feature_extraction.text import CountVectorizer

    grams = CountVectorizer(analyzer="char_wb", ngram_range=GRAM_SIZES, lowercase=False)
    return CountVectorizer(strip_accents="unicode").build_analyzer(), grams.build_analyzer()


def _as_it_is(terms: list[str]) -> list[str]:
    return terms
