"""Where a paper matches a search: its title and the part of its abstract that says most, as HTML with `<mark>`."""

import html
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final, TypeAlias

from api.services.search_language import letters_of
from api.store.search_query import Phrase, Word
from api.store.search_schema import STOP_WORDS, plain_analyzer, stemmed_analyzer

SNIPPET_LENGTH: Final = 240  # characters
LEAD_LENGTH: Final = 60  # of them before the first match, so that it is read in its sentence
LONGEST_READ: Final = 8_000  # characters of an abstract
FIELDS: Final = frozenset({"any", "title", "summary", "keywords"})
ELLIPSIS: Final = "…"
_TOKEN: Final = re.compile(r"[^\W_]+")
_ACCENTED: Final = r"[^\W_\x00-\x7f]"  # which letters it stands for is not worth finding out

Span: TypeAlias = tuple[int, int]
Token: TypeAlias = tuple[Span, str, str]  # where it stands, the word as it is, its stem
Likely: TypeAlias = Callable[[str, int], Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Words that stand side by side: each one of these stems, or a beginning where the last may go on."""

    stems: tuple[frozenset[str], ...]
    beginning: str | None

    @property
    def starts_anywhere(self) -> bool:
        """True when its first word is known by its beginning alone."""
        return self.beginning is not None and len(self.stems) == 1

    def matches(self, tokens: Sequence[Token]) -> bool:
        """True when these tokens, as many as there are stems, are what is looked for."""
        if self.beginning is not None and tokens[-1][1].startswith(self.beginning):
            tokens = tokens[:-1]
        return all(token[2] in stems for token, stems in zip(tokens, self.stems, strict=False))


@dataclass(frozen=True, slots=True)
class Highlighter:
    """Marks what was asked for."""

    patterns: tuple[_Pattern, ...]
    starts: frozenset[str]  # the first stems: most words of a text are none of these
    opening: re.Pattern[str]  # words that may have one of them, by their first letter: looking at all is slow

    @classmethod
    def of(cls, wanted: Iterable[Word | Phrase], *, likely: Likely | None = None) -> "Highlighter":
        """Take what a search wants; `likely` knows the words that were probably meant by one that no paper has."""
        parts = [part for part in wanted if part.field in FIELDS]
        telling = [part for part in parts if part.text.lower() not in STOP_WORDS] or parts
        patterns = tuple(filter(None, (_pattern(part, likely) for part in telling)))
        starts = frozenset[str]().union(*(pattern.stems[0] for pattern in patterns))
        return cls(patterns, starts, _opening({*starts, *(pattern.beginning or "" for pattern in patterns)}))

    def mark_title(self, title: str) -> str:
        """Return the whole title as HTML."""
        return _marked(title, _merged(span for span, _ in self._find(title)))

    def cut_snippet(self, text: str) -> str:
        """Return the part of a text in which most of what was asked for stands, else its beginning, as HTML."""
        text = " ".join(text[:LONGEST_READ].split())
        found = self._find(text)
        start = _best_start(text, found) if found else 0
        end = _word_end(text, start + SNIPPET_LENGTH)
        inside = (span for span, _ in found if start <= span[0] and span[1] <= end)
        marked = _marked(text, _merged(inside), start=start, end=end)
        return ELLIPSIS * (start > 0) + marked + ELLIPSIS * (end < len(text))

    def _find(self, text: str) -> list[tuple[Span, int]]:
        """Each match in the order of the text, with the number of its pattern."""
        if not self.patterns:
            return []
        beginnings = tuple(pattern.beginning or "" for pattern in self.patterns if pattern.starts_anywhere)
        longest = max(len(pattern.stems) for pattern in self.patterns)
        found = []
        for match in self.opening.finditer(text):
            first = _token(match)
            if first[2] in self.starts or first[1].startswith(beginnings):
                more = islice(_TOKEN.finditer(text, match.end()), longest - 1)
                tokens = [first, *map(_token, more)]
                found += [((match.start(), end), number) for number, end in self._matches(tokens)]
        return found

    def _matches(self, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
        """The patterns that these tokens begin with, and where each ends."""
        for number, pattern in enumerate(self.patterns):
            length = len(pattern.stems)
            if length <= len(tokens) and pattern.matches(tokens[:length]):
                yield number, tokens[length - 1][0][1]


def _pattern(part: Word | Phrase, likely: Likely | None) -> _Pattern | None:
    forms = [_forms(word) for word in letters_of(part.text)]
    forms = [(plain, stem) for plain, stem in forms if plain]
    if not forms:
        return None
    stems = [frozenset({stem}) for _, stem in forms]
    if isinstance(part, Word) and part.typos and len(forms) == 1 and likely is not None:
        meant = (_forms(word)[1] for word, _ in likely(forms[0][0], part.typos))
        stems = [stems[0].union(meant)]
    return _Pattern(tuple(stems), forms[-1][0] if part.is_prefix else None)


def _opening(beginnings: Collection[str]) -> re.Pattern[str]:
    """Words that begin as one of these does.

    A stem has the first two letters of its words (dying and die: or y for i), unless a letter has an accent.
    """
    ways = {_beginning(each[:2]) for each in beginnings if each[:1].isascii() and each}
    either = "|".join([_ACCENTED, *sorted(ways)])
    return re.compile(rf"(?<![^\W_])(?:{either})[^\W_]*")


def _beginning(letters: str) -> str:
    first, *others = (f"{each}{each.upper()}" for each in letters)
    if not others or not letters.isascii():
        return f"[{first}]"
    second = "iIyY" if letters[1] in "iy" else others[0]
    return f"[{first}](?:[{second}]|{_ACCENTED})"


def _token(match: re.Match[str]) -> Token:
    return (match.span(), *_forms(match[0]))


@lru_cache(maxsize=65_536)  # the words of some thousand abstracts
def _forms(word: str) -> tuple[str, str]:
    """A word as the index has it, and its stem; empty for one that is too long."""
    plain, stem = plain_analyzer().analyze(word), stemmed_analyzer().analyze(word)
    return (plain[0], stem[0]) if plain and stem else ("", "")


def _best_start(text: str, found: Sequence[tuple[Span, int]]) -> int:
    """Where the stretch begins that holds most different patterns, of equal ones most matches, of these the first."""
    best, best_worth, first = 0, (0, 0), 0
    inside: Counter[int] = Counter()
    for at, ((_, end), number) in enumerate(found):
        inside[number] += 1
        while found[first][0][0] < end - (SNIPPET_LENGTH - LEAD_LENGTH) and found[first][0][1] < end:
            inside[found[first][1]] -= 1
            first += 1
        worth = (sum(count > 0 for count in inside.values()), at + 1 - first)
        if worth > best_worth:
            best, best_worth = found[first][0][0], worth
    if best <= LEAD_LENGTH:
        return 0
    lead = text[best - LEAD_LENGTH : best]
    sentence = max(lead.rfind(". "), lead.rfind("? "), lead.rfind("! "))
    if sentence >= 0:
        return best - LEAD_LENGTH + sentence + 2
    space = lead.find(" ")
    return best if space < 0 else best - LEAD_LENGTH + space + 1


def _word_end(text: str, end: int) -> int:
    """The end of the last whole word before `end`, unless there is none nearby."""
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", max(end - LEAD_LENGTH, 0), end + 1)
    return space if space > 0 else end


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _marked(text: str, spans: Sequence[Span], *, start: int = 0, end: int | None = None) -> str:
    """A part of a text as HTML: what was in it is text, whatever it looks like."""
    parts = []
    for first, last in spans:
        parts += [html.escape(text[start:first]), "<mark>", html.escape(text[first:last]), "</mark>"]
        start = last
    return "".join([*parts, html.escape(text[start:end])])
