"""The words of the index: which exist, which were probably meant, which go on from a beginning."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tantivy import Searcher

from api.store.search_schema import TEXT, TITLE_WORDS, WORDS, stemmed_analyzer

SHORTEST: Final = 3  # letters of a word that may have been meant
LONGEST: Final = 24
MOST_WORDS: Final = 40_000  # per first letter, the most frequent ones: about 30 bytes each
MOST_MEANT: Final = 4
RARE: Final = 20  # papers: a word in more of them is taken as it is
MOST_REMEMBERED: Final = 10_000  # words whose meant ones are kept
RARE_BESIDE: Final = 100  # a word this many times rarer than one like it was probably meant to be that one
_FIRST_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_PAUSE_SECONDS: Final = 0.002  # the engine holds the interpreter while it hands over words: requests go in between


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of an index in Latin letters and digits, as arrays to compare one word with all of them."""

    letters: NDArray[np.uint8]  # (words, LONGEST) zero-padded
    lengths: NDArray[np.int16]  # (words,)
    signatures: NDArray[np.uint64]  # (words,) one bit a letter or digit
    papers: NDArray[np.int64]  # (words,) papers with the word

    @classmethod
    def read(cls, searcher: Searcher) -> "Vocabulary":
        """Read all words of an index, letter by letter."""
        words: list[bytes] = []
        papers: list[int] = []
        for letter in _FIRST_LETTERS:
            for word, count in searcher.terms_with_prefix(WORDS, letter, limit=MOST_WORDS):
                if SHORTEST <= len(word) <= LONGEST and word.isascii():
                    words.append(word.encode())
                    papers.append(count)
            time.sleep(_PAUSE_SECONDS)
        return cls.of(words, papers)

    @classmethod
    def of(cls, words: Sequence[bytes], papers: Sequence[int]) -> "Vocabulary":
        """Return the vocabulary of these words."""
        letters = np.array(words, dtype=f"S{LONGEST}").view(np.uint8).reshape(len(words), LONGEST)
        lengths = np.count_nonzero(letters, axis=1).astype(np.int16)
        return cls(letters, lengths, _signatures(letters), np.array(papers, dtype=np.int64))

    def near(self, word: str, typos: int) -> list[tuple[str, int, int]]:
        """Return (word, letters that differ, papers) of those at most `typos` away, nearest and most frequent first."""
        if not len(self.lengths) or not word.isascii() or not SHORTEST <= len(word) <= LONGEST:
            return []
        wanted = np.frombuffer(word.encode(), dtype=np.uint8)
        # One letter for another changes two bits of the signature at most.
        differing = np.bitwise_count(self.signatures ^ _signatures(wanted.reshape(1, -1))[0])
        rows = np.flatnonzero((np.abs(self.lengths - len(word)) <= typos) & (differing <= 2 * typos))
        distances = _distances(self.letters[rows, : len(word) + typos], self.lengths[rows], wanted)
        close = np.flatnonzero((distances <= typos) & (distances > 0))
        order = close[np.lexsort((-self.papers[rows[close]], distances[close]))][:MOST_MEANT]
        return [
            (self.letters[row].tobytes().rstrip(b"\0").decode(), int(distances[at]), int(self.papers[row]))
            for at, row in zip(order, rows[order], strict=True)
        ]


@dataclass(frozen=True, slots=True)
class IndexLexicon:
    """What one state of the index knows about its words."""

    searcher: Searcher
    vocabulary: Vocabulary
    # One search asks for the same words several times, and so do those of somebody who is typing.
    _meant: dict[tuple[str, int], list[tuple[str, int]]] = field(default_factory=dict, repr=False, compare=False)

    def is_known(self, word: str) -> bool:
        """Say whether the word, as written or by its stem, is in any paper."""
        return self._papers_with(word) > 0

    def likely(self, word: str, typos: int) -> Sequence[tuple[str, int]]:
        """Return the words that were probably meant, with how many letters differ; mostly none for a known word."""
        if typos <= 0:
            return []
        known = self._meant.get((word, typos))
        if known is None:
            if len(self._meant) >= MOST_REMEMBERED:
                self._meant.clear()
            known = self._meant[word, typos] = self._find_likely(word, typos)
        return known

    def completions(self, beginning: str, limit: int) -> Sequence[str]:
        """Return the most frequent words with this beginning, of titles first; none for a single letter."""
        if len(beginning) < 2:
            return []
        found = [word for word, _ in self.searcher.terms_with_prefix(TITLE_WORDS, beginning, limit=limit)]
        if len(found) < limit:
            found += [word for word, _ in self.searcher.terms_with_prefix(WORDS, beginning, limit=limit)]
        return list(dict.fromkeys(found))[:limit]

    def _find_likely(self, word: str, typos: int) -> list[tuple[str, int]]:
        papers_with = self._papers_with(word)
        needed = RARE_BESIDE * papers_with
        if papers_with > RARE or needed > self.searcher.num_docs:  # no word is in so many papers
            return []
        return [(other, distance) for other, distance, papers in self.vocabulary.near(word, typos) if papers >= needed]

    def _papers_with(self, word: str) -> int:
        written = self.searcher.doc_freq(WORDS, word)
        stems = stemmed_analyzer().analyze(word)
        if written or len(stems) != 1:
            return written
        return self.searcher.doc_freq(TEXT, stems[0])


def _signatures(letters: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the set of letters of each row, as bits; (rows,) uint64."""
    bits = np.zeros(256, dtype=np.uint64)
    for place, letter in enumerate(_FIRST_LETTERS):
        bits[ord(letter)] = 1 << place
    found: NDArray[np.uint64] = np.bitwise_or.reduce(bits[letters], axis=1)
    return found


def _distances(letters: NDArray[np.uint8], lengths: NDArray[np.int16], wanted: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return how many letters of each row must be changed, added, dropped or swapped with their neighbour; (rows,)."""
    rows, width = letters.shape
    before: NDArray[np.int16] | None = None
    last = np.tile(np.arange(width + 1, dtype=np.int16), (rows, 1))
    for i, letter in enumerate(wanted):
        current = np.empty_like(last)
        current[:, 0] = i + 1
        changed = last[:, :-1] + (letters != letter)
        current[:, 1:] = np.minimum(changed, last[:, 1:] + 1)
        if before is not None:
            swapped = (letters[:, :-1] == letter) & (letters[:, 1:] == wanted[i - 1])
            current[:, 2:] = np.where(swapped, np.minimum(current[:, 2:], before[:, :-2] + 1), current[:, 2:])
        for j in range(1, width + 1):  # a letter too many depends on the column before
            np.minimum(current[:, j], current[:, j - 1] + 1, out=current[:, j])
        before, last = last, current
    found: NDArray[np.int16] = np.take_along_axis(last, lengths[:, None].astype(np.intp), axis=1)[:, 0]
    return found
