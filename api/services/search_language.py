"""The language that searches are written in, as a tree; any text at all has one.

Words, the last of which may still be being typed; "phrases"; -exclusions of either; and fields before either:
title: abstract: author: org: key: cat: id:. What is no part of this is a word or nothing: never an error.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from api.ids import normalised_id
from api.schemas.papers import ARXIV_ID
from api.store.search_query import AllOf, AnyOf, Everything, Node, Phrase, TextField, Without, Word

LONGEST_TEXT: Final = 1000  # characters that are read
MOST_PARTS: Final = 32  # words, phrases and exclusions that count; of an abstract's sentence the first are enough
MOST_PHRASE_WORDS: Final = 24
LONGEST_WORD: Final = 60  # characters
ONE_TYPO_LENGTH: Final = 4  # letters; a shorter word would become too many others
TWO_TYPOS_LENGTH: Final = 8
# Of three words and more some may be missing: the more of them match, the higher a paper comes.
ALL_WORDS: Final = 2
ENOUGH_WORDS: Final = 0.6

FIELDS: Final[dict[str, TextField]] = {
    **dict.fromkeys(("title", "ti"), "title"),
    **dict.fromkeys(("abstract", "abs", "summary"), "summary"),
    **dict.fromkeys(("author", "authors", "au"), "authors"),
    **dict.fromkeys(("org", "organization", "organisation"), "organization"),
    **dict.fromkeys(("key", "keyword", "keywords"), "keywords"),
    **dict.fromkeys(("cat", "category"), "category"),
    **dict.fromkeys(("id", "arxiv"), "id"),
}
_QUOTES: Final = dict.fromkeys(map(ord, "“”„‟«»＂"), '"')
_FIELD: Final = re.compile(rf"({'|'.join(sorted(FIELDS, key=len, reverse=True))}):(?=\S)", re.IGNORECASE)
_EXCLUDES: Final = re.compile(r"-(?=[^\s-])")
_WORD: Final = re.compile(r'[^\s"]+')
_LETTERS: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text as it was understood."""

    node: Node | None  # None: there is text, but nothing in it that any paper could match
    wanted: tuple[Word | Phrase, ...]  # what a match consists of, in the order of the text
    plain: str  # the wanted words and phrases that name no field, for search by meaning
    external_id: str | None = None  # the paper that the whole text names

    @property
    def demands(self) -> tuple[Node, ...]:
        """What must be so whatever words a paper has: phrases, fields, exclusions."""
        parts = self.node.parts if isinstance(self.node, AllOf) else ()
        return tuple(part for part in parts if not isinstance(part, AnyOf) and not _is_plain_word(part))

    @property
    def has_text(self) -> bool:
        """True when papers can be more or less like what was asked for."""
        return bool(self.wanted)


def parse(text: str, *, prefix: bool = True) -> Parsed:
    """Return what a text asks for; with `prefix` its last word may go on unless a space follows it."""
    cleaned = _cleaned(text)
    if not cleaned.strip():
        return Parsed(Everything(), (), "")
    parts = list(_limited(_parts(cleaned, prefix=prefix)))
    wanted = tuple(part for part in parts if not isinstance(part, Without))
    found = tuple(part for part in wanted if isinstance(part, Word | Phrase))
    plain = " ".join(part.text for part in found if part.field == "any")
    return Parsed(_joined(parts), found, plain, named_paper(cleaned))


def loosened(parsed: Parsed) -> Node | None:
    """Return the same with a single word as enough, None where that is no other search."""
    words = [part for part in parsed.wanted if _is_plain_word(part)]
    if len(words) < 2 or not isinstance(parsed.node, AllOf):
        return None
    return AllOf((*parsed.demands, AnyOf(tuple(words))))


def named_paper(text: str) -> str | None:
    """Return the stored id of the paper at arXiv that a text names as a whole: bare, with version, as an address."""
    try:
        found = normalised_id(text.strip().strip('"'))
    except ValueError:
        return None
    return found if ARXIV_ID.fullmatch(found) else None


def letters_of(text: str) -> list[str]:
    """Return the runs of letters and digits of a text."""
    return _LETTERS.findall(text)


def _cleaned(text: str) -> str:
    """The text with one form for every letter, without what cannot be shown."""
    shortened = text[:LONGEST_TEXT].translate(_QUOTES)
    normal = unicodedata.normalize("NFKC", shortened)[:LONGEST_TEXT]
    return "".join(letter if letter.isprintable() else " " for letter in normal)


def _parts(text: str, *, prefix: bool) -> Iterator[Node]:
    """Read one part after another; each step goes on by at least one character."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        excludes = _EXCLUDES.match(text, at)
        at = excludes.end() if excludes else at
        named = _FIELD.match(text, at)
        field: TextField = FIELDS[named[1].lower()] if named else "any"
        at = named.end() if named else at
        if text[at] == '"':
            part, at = _phrase(text, at, field=field, prefix=prefix and not excludes)
        else:
            part, at = _word(text, at, field=field, prefix=prefix and not excludes)
        if part is not None:
            yield Without(part) if excludes else part


def _phrase(text: str, at: int, *, field: TextField, prefix: bool) -> tuple[Word | Phrase | None, int]:
    """Read from an opening quote; one that nothing closes is closed by the end of the text."""
    closed = text.find('"', at + 1)
    end = len(text) if closed < 0 else closed
    is_open = closed < 0 and prefix and _ends_in_word(text)
    words = text[at + 1 : end].split()[:MOST_PHRASE_WORDS]
    words = [word for word in words if letters_of(word) and len(word) <= LONGEST_WORD]
    part: Word | Phrase | None = None
    if len(words) == 1:
        part = Word(words[0], field, is_prefix=is_open)
    elif words:
        part = Phrase(" ".join(words), field, is_prefix=is_open)
    return part, end + (closed >= 0)


def _word(text: str, at: int, *, field: TextField, prefix: bool) -> tuple[Word | None, int]:
    found = _WORD.match(text, at)
    if found is None:
        return None, at + 1
    end = found.end()
    external_id = named_paper(found[0])
    if external_id is not None:
        return Word(external_id, field), end
    word = _bare(found[0])
    if not letters_of(word) or len(word) > LONGEST_WORD:
        return None, end
    is_prefix = prefix and end == len(text) and _ends_in_word(text)
    return Word(word, field, is_prefix=is_prefix, typos=0 if field in ("id", "category") else _typos(word)), end


def _bare(word: str) -> str:
    """The word without punctuation around it."""
    places = [at for at, letter in enumerate(word) if letter.isalnum()]
    return word[places[0] : places[-1] + 1] if places else ""


def _ends_in_word(text: str) -> bool:
    return bool(text) and (text[-1].isalnum() or text[-1] in "-_")


def _typos(word: str) -> int:
    """How many letters may be wrong: none in names with digits, and none where every sign is a word."""
    if not word.isalpha() or ord(max(word)) > 0x24F:  # beyond Latin letters
        return 0
    return (len(word) >= ONE_TYPO_LENGTH) + (len(word) >= TWO_TYPOS_LENGTH)


def _limited(parts: Iterable[Node]) -> Iterator[Node]:
    """The first parts, each once."""
    seen: set[Node] = set()
    for part in parts:
        if len(seen) == MOST_PARTS:
            return
        if part not in seen:
            seen.add(part)
            yield part


def _is_plain_word(part: Node) -> bool:
    return isinstance(part, Word) and part.field == "any"


def _joined(parts: Sequence[Node]) -> Node | None:
    """All parts as one: fields, phrases and exclusions as they are said, of the plain words most."""
    if not parts:
        return None
    words = tuple(part for part in parts if _is_plain_word(part))
    if len(words) <= ALL_WORDS:
        return AllOf(tuple(parts))
    others = (part for part in parts if not _is_plain_word(part))
    return AllOf((*others, AnyOf(words, share=ENOUGH_WORDS)))
