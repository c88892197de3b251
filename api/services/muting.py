"""What a reader never wants to see: terms, authors and categories, as whole words whatever their case and accents.

Rules are taken apart once; a paper is looked at by its words, so a hundred rules cost little more than one.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from api.store.taste_rows import PaperWords, load_decisions, load_paper_words
from recommender.domain import Ids

MOST_RULES: Final = 200  # of each kind
LONGEST_RULE: Final = 100  # characters
KEPT_TEXTS: Final = 4_000  # whose words are remembered: about 10 MB
# Letters with a stroke and pairs of letters, which have no accent that could be taken off.
_PLAIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"})
KINDS: Final = ("terms", "authors", "categories")
# A sign of a script that puts no spaces between words is a word of its own. `C++` and `C#` are words, too.
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff][\w+#]*")


@dataclass(frozen=True, slots=True)
class Muted:
    """What a reader muted, as they wrote it."""

    terms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @classmethod
    def from_stored(cls, stored: Mapping[str, Sequence[str]]) -> "Muted":
        """Return the rules of a reader's row."""
        return cls(*(tuple(stored.get(kind, ())) for kind in KINDS))

    def to_stored(self) -> dict[str, list[str]]:
        """Return the same as plain JSON."""
        return {"terms": list(self.terms), "authors": list(self.authors), "categories": list(self.categories)}

    @property
    def is_empty(self) -> bool:
        """True when nothing is muted."""
        return not (self.terms or self.authors or self.categories)


@dataclass(frozen=True, slots=True)
class Rules:
    """The same, ready to be compared: phrases by their first word."""

    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    authors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()

    @classmethod
    def of(cls, muted: Muted) -> "Rules":
        """Take the rules apart; one without any word says nothing."""
        return cls(
            _by_first_word(muted.terms),
            _by_first_word(muted.authors),
            frozenset(filter(None, (category.strip().casefold() for category in muted.categories))),
        )

    @property
    def is_empty(self) -> bool:
        """True when no paper can be muted."""
        return not (self.terms or self.authors or self.categories)


NOTHING_MUTED: Final = Rules()


def is_muted(rules: Rules, paper: PaperWords) -> bool:
    """True when a rule names something of the paper; `math` stands for all of `math.AG` and the others."""
    if rules.categories and not rules.categories.isdisjoint(_category_keys(paper.categories)):
        return True
    if rules.authors and any(_names(rules.authors, author) for author in paper.authors):
        return True
    return bool(rules.terms) and any(_names(rules.terms, text) for text in paper.texts)


def muted_among(session: Session, rules: Rules, paper_ids: Collection[int]) -> frozenset[int]:
    """Return which of these papers the rules mute; one statement for some thousand papers, none without rules."""
    if rules.is_empty or not paper_ids:
        return frozenset()
    words = load_paper_words(session, paper_ids)
    return frozenset(paper_id for paper_id, paper in words.items() if is_muted(rules, paper))


def muted_of(rules: Rules, words: Mapping[int, PaperWords], paper_ids: Iterable[int]) -> Ids:
    """Return the same of papers whose words are known, in any order; (papers,) int64."""
    if rules.is_empty:
        return np.empty(0, dtype=np.int64)
    found = {paper_id for paper_id in paper_ids if paper_id in words and is_muted(rules, words[paper_id])}
    return np.array(sorted(found), dtype=np.int64)


def muted_paper_ids(session: Session, user_id: int | None, paper_ids: Collection[int]) -> frozenset[int]:
    """Return which of these papers the reader never wants to see: one statement, two for readers with rules."""
    if user_id is None or not paper_ids:
        return frozenset()
    return muted_among(session, read_rules(session, user_id), paper_ids)


def read_muted(session: Session, user_id: int | None) -> Muted:
    """Return what a reader muted; nothing for one nobody has heard of."""
    found = {} if user_id is None else load_decisions(session, [user_id])
    return Muted.from_stored(found[user_id].muted) if user_id in found else Muted()


def read_rules(session: Session, user_id: int | None) -> Rules:
    """Return the same, ready to be compared."""
    return rules_of(read_muted(session, user_id))


@lru_cache(maxsize=1_000)
def rules_of(muted: Muted) -> Rules:
    """Return the rules, taken apart once for those who look often."""
    return NOTHING_MUTED if muted.is_empty else Rules.of(muted)


@lru_cache(maxsize=KEPT_TEXTS)
def words_of(text: str) -> str:
    """Return the words of a text in lower case, without accents, each between spaces."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
    found = _WORD.findall(plain.casefold().translate(_PLAIN))
    return f" {' '.join(found)} " if found else " "


def _by_first_word(rules: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for rule in rules:
        phrase = words_of(rule)
        if phrase.strip():
            found.setdefault(phrase.split()[0], []).append(phrase)
    return {first: tuple(phrases) for first, phrases in found.items()}


def _names(rules: Mapping[str, tuple[str, ...]], text: str) -> bool:
    words = words_of(text)
    firsts = rules.keys() & set(words.split())
    return any(phrase in words for first in firsts for phrase in rules[first])


def _category_keys(categories: Iterable[str]) -> set[str]:
    keys = {category.casefold() for category in categories}
    return keys | {key.partition(".")[0] for key in keys}
