"""A paper as a bibliography tells of it, whatever the format."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from api.ids import LONGEST_ID, has_control_characters, is_arxiv_id, normalised_id
from api.sources.records import LONGEST_TITLE, doi_of, line_of_text

MOST_REFERENCES: Final = 20_000  # of one import: their saves take a few seconds
MOST_REJECTED: Final = 1_000  # told one by one: a file of another kind has a reason for each line
MOST_AUTHORS: Final = 5_000  # collaborations in physics have about three thousand
MOST_TAGS: Final = 50  # of one paper
MOST_TOLD: Final = 20  # of the tags that are left out of one entry, one by one: a file may hold a million
LONGEST_TAG: Final = 60  # characters, as wide as the column
LONGEST_NOTE: Final = 10_000  # characters
LONGEST_ABSTRACT: Final = 10_000  # characters that are kept of a paper that is not here
LONGEST_SHOWN: Final = 160  # characters of a broken entry that are repeated
LONGEST_WORD: Final = 500  # characters of a venue, an address or a name
TAG_SEPARATORS: Final = re.compile(r"[,;\n]")

_ARXIV: Final = re.compile(
    r"arxiv(?:\.org/(?:abs|pdf|html)/|[.:\s]\s*)(\d{4}\.\d{4,5}|[a-z][a-z-]{1,20}(?:\.[a-z]{2})?/\d{7})(?!\d)",
    re.IGNORECASE,
)
_DATE: Final = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?(?!\d)")
_YEAR: Final = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_KEPT_BLANKS: Final = frozenset("\n\t")


@dataclass(frozen=True, slots=True)
class Reference:
    """What one entry says; empty where it says nothing."""

    title: str = ""
    line: int = 0  # where it begins in its file, from 1
    paper_id: str | None = None  # an arXiv id without version, or the id under which a paper is stored here
    doi: str | None = None  # lower case
    authors: tuple[str, ...] = ()
    published: str = ""  # 2024, 2024-03 or 2024-03-05
    venue: str = ""  # a journal or the like
    url: str = ""
    abstract: str = ""
    category: str = ""  # arXiv's primary one
    tags: tuple[str, ...] = ()
    note: str = ""
    saved_at: datetime | None = None
    key: str = ""  # by which its file calls it
    is_pending: bool = False  # of our own files: not here when they were written
    remarks: tuple[str, ...] = ()  # what was left out of it while it was read

    @property
    def arxiv_id(self) -> str | None:
        """Its arXiv id, if it has one."""
        return self.paper_id if self.paper_id is not None and is_arxiv_id(self.paper_id) else None

    @property
    def shown(self) -> str:
        """What to call it on a page."""
        return self.title or self.paper_id or self.doi or self.key or "an entry without a title"


@dataclass(frozen=True, slots=True)
class RejectedReference:
    """An entry that could not be understood: where, why, and how it begins."""

    line: int
    reason: str
    text: str


ReadReferences: TypeAlias = tuple[list[Reference], list[RejectedReference]]


class BadReference(ValueError):
    """An entry that names no paper; the message says why."""


def tidy_reference(reference: Reference, *, hints: Sequence[str] = ()) -> Reference:
    """Return a reference with each part in the form under which it is kept; BadReference where it names no paper.

    An arXiv id is taken from the first of `hints` that mentions one, where the reference names no id itself.
    """
    if len(reference.title) > 4 * LONGEST_TITLE:
        raise BadReference(f"the title is longer than {LONGEST_TITLE} characters")
    title = one_line(reference.title)
    if len(title) > LONGEST_TITLE:
        raise BadReference(f"the title is longer than {LONGEST_TITLE} characters")
    paper_id = _paper_id(reference.paper_id) or find_arxiv_id(reference.doi or "", reference.url, *hints)
    doi = doi_of(one_line(reference.doi or "")) or _doi_in(reference.url)
    if not (title or paper_id or doi):
        raise BadReference("there is no title, arXiv id or DOI in it")
    tags, left_out = tidy_tags(reference.tags)
    note, remarks = tidy_note(reference.note), list(left_out[:MOST_TOLD])
    if len(left_out) > MOST_TOLD:
        remarks.append(f"{len(left_out) - MOST_TOLD:,} more of its tags were left out")
    if len(note) > LONGEST_NOTE:
        note = note[:LONGEST_NOTE].rstrip()
        remarks.append(f"its note was cut after {LONGEST_NOTE} characters")
    authors = tuple(name for one in reference.authors[:MOST_AUTHORS] if (name := one_line(one)[:LONGEST_WORD].strip()))
    return replace(
        reference,
        title=title,
        paper_id=paper_id,
        doi=doi,
        authors=authors,
        published=tidy_date(reference.published),
        venue=one_line(reference.venue)[:LONGEST_WORD].strip(),
        url=_address(reference.url),
        abstract=one_line(reference.abstract[:LONGEST_ABSTRACT]),
        category=one_line(reference.category)[:LONGEST_TAG].strip(),
        tags=tags,
        note=note,
        key=one_line(reference.key)[:LONGEST_WORD].strip(),
        remarks=tuple(remarks),
    )


def tidy_tags(words: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return tags as they are kept, each once whatever its case, and what was left out; a comma or semicolon ends one.

    A tag keeps its spelling, spaces are collapsed.
    """
    kept: dict[str, str] = {}
    left_out: list[str] = []
    for word in words:
        for part in TAG_SEPARATORS.split(word):
            tag = one_line(part)
            if not tag or tag_key(tag) in kept:
                continue
            if len(tag) > LONGEST_TAG or len(tag_key(tag)) > LONGEST_TAG:
                left_out.append(f"the tag “{tag[:40]}…” is longer than {LONGEST_TAG} characters")
            elif len(kept) >= MOST_TAGS:
                left_out.append(f"the tag “{tag}” is one more than the {MOST_TAGS} that a paper can have")
            else:
                kept[tag_key(tag)] = tag
    return tuple(kept.values()), tuple(left_out)


def tag_key(tag: str) -> str:
    """Return the form in which equal tags meet, whatever their case."""
    return tag.casefold()


def tidy_note(text: str) -> str:
    """Return a note with its lines, without control characters and blanks at the ends of lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if has_control_characters(lines):
        lines = "".join(one for one in lines if one in _KEPT_BLANKS or not has_control_characters(one))
    return "\n".join(line.rstrip() for line in lines.split("\n")).strip()


def tidy_date(text: str) -> str:
    """Return the day, month or year of a date, empty where it says none: 2024-03-05, 2024-03 or 2024."""
    found = _DATE.match(text.strip())
    if found is None:
        year = _YEAR.search(text[:LONGEST_WORD])
        return year[1] if year else ""
    parts, limits = [found[1]], (12, 31)
    for part, limit in zip((found[2], found[3]), limits, strict=True):
        if part is None or not 1 <= int(part) <= limit:
            break
        parts.append(f"{int(part):02}")
    return "-".join(parts)


def time_of_text(text: str) -> datetime | None:
    """Return an aware UTC time from ISO 8601, None for anything else."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None


def find_arxiv_id(*texts: str) -> str | None:
    """Return the first arXiv id that one of these texts is or mentions."""
    for text in texts:
        if not text:
            continue
        if len(text) <= LONGEST_ID and (whole := _paper_id(text)) is not None and is_arxiv_id(whole):
            return whole
        mentioned = _ARXIV.search(text[:LONGEST_ABSTRACT])
        if mentioned is not None:
            return mentioned[1]
    return None


def one_line(text: str) -> str:
    """Return text as one line without control characters."""
    return line_of_text(text, name="text")


def reject(line: int, reason: str, text: str) -> RejectedReference:
    """Return what is told about an entry that could not be understood."""
    return RejectedReference(line, reason, one_line(text[: 4 * LONGEST_SHOWN])[:LONGEST_SHOWN])


def too_many(line: int) -> RejectedReference:
    """Return what is told about all that follows the last entry that is read."""
    reason = f"an import takes {MOST_REFERENCES:,} entries: nothing from this line on was read; import the rest alone"
    return RejectedReference(line, reason, "")


def bounded(rejected: Sequence[RejectedReference]) -> list[RejectedReference]:
    """Return what is told about a file of which hardly anything can be read: the first of them, and how many follow."""
    if len(rejected) <= MOST_REJECTED:
        return list(rejected)
    told, rest = rejected[: MOST_REJECTED - 1], rejected[MOST_REJECTED - 1 :]
    return [*told, reject(rest[0].line, f"from here on {len(rest):,} more entries could not be read", "")]


def _paper_id(text: str | None) -> str | None:
    try:
        return normalised_id(one_line(text)) if text else None
    except ValueError:
        return None


def _doi_in(url: str) -> str | None:
    return doi_of(one_line(url)) if "doi.org/" in url[:LONGEST_WORD].lower() else None


def _address(url: str) -> str:
    text = one_line(url)
    is_whole = text.startswith(("https://", "http://")) and " " not in text and len(text) <= LONGEST_WORD
    return text if is_whole else ""
