"""What parsers give back: papers as a source tells them, and lines that could not be understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

from api.ids import normalised_id

LONGEST_TITLE: Final = 2_000  # characters; longer ones are broken lines
LONGEST_SUMMARY: Final = 100_000  # characters
LONGEST_CATEGORY: Final = 60  # characters, as wide as the column
LONGEST_NAME: Final = 200  # characters, as wide as the column
LARGEST_COUNT: Final = 2**31 - 1  # a 32-bit column
EARLIEST_YEAR: Final = 1000
LATEST_YEAR: Final = 9000
ARXIV_DOI: Final = "10.48550/arxiv."

Json: TypeAlias = dict[str, object]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DOI_PREFIX: Final = re.compile(r"^(?:https?://)?(?:dx\.)?(?:doi\.org/|doi:)")
_YEAR_OR_MONTH: Final = re.compile(r"(\d{4})(?:-(\d{2}))?")


class BadRecord(ValueError):
    """A record that cannot become a paper; the message says why."""


@dataclass(frozen=True, slots=True)
class Organization:
    """Who stands behind a paper."""

    name: str
    fullname: str


@dataclass(frozen=True, slots=True)
class PaperRecord:
    """One paper as one source tells it; None and empty mean that the source says nothing."""

    title: str
    source: str
    external_id: str | None = None
    summary: str = ""
    authors: tuple[str, ...] = ()
    num_authors: int | None = None
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    organization: Organization | None = None
    published_at: datetime | None = None
    daily_at: datetime | None = None
    submitted_by: str | None = None
    upvotes: int | None = None
    num_comments: int | None = None
    project_page: str | None = None
    github_repo: str | None = None
    github_stars: int | None = None
    thumbnail: str | None = None
    ai_summary: str | None = None
    version: int | None = None  # of the text, such as 2 for arXiv's v2
    revised_at: datetime | None = None  # that version
    is_withdrawn: bool | None = None
    doi: str | None = None  # of the published paper
    journal_ref: str | None = None
    citations: int | None = None
    references: int | None = None  # how many works it cites
    fields: tuple[str, ...] = ()  # of study


@dataclass(frozen=True, slots=True)
class Deletion:
    """A source says that a paper is no longer there."""

    external_id: str
    source: str


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line of the input that became no paper."""

    line: int
    reason: str
    text: str


def line_of_text(value: object, *, name: str) -> str:
    """Return text as one line without control characters; None gives an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRecord(f"{name} is not text")
    if value.isprintable() and "  " not in value:  # most texts: then a space is the only blank there can be
        return value.strip(" ")
    line = " ".join(value.split())
    return line if line.isprintable() else " ".join(_CONTROL.sub(" ", value).split())


def title_of(value: object) -> str:
    """Return a paper's title, which it must have."""
    title = line_of_text(value, name="title")
    if not title:
        raise BadRecord("the title is missing")
    if len(title) > LONGEST_TITLE:
        raise BadRecord(f"the title is longer than {LONGEST_TITLE} characters")
    return title


def summary_of(value: object) -> str:
    """Return a paper's abstract, empty where there is none."""
    summary = line_of_text(value, name="summary")
    if len(summary) > LONGEST_SUMMARY:
        raise BadRecord(f"the summary is longer than {LONGEST_SUMMARY} characters")
    return summary


def id_of(value: object) -> str | None:
    """Return the stored form of an id, None where the source gives none."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadRecord("the id is not text")
    try:
        return normalised_id(value)
    except ValueError as error:
        raise BadRecord(str(error)) from error


def doi_of(value: object) -> str | None:
    """Return the first DOI of a text in lower case, None where there is none or only arXiv's own, which is an id."""
    words = line_of_text(value, name="doi").lower().split()
    doi = _DOI_PREFIX.sub("", words[0]) if words else ""
    is_own = doi.startswith(ARXIV_DOI)
    return doi if doi.startswith("10.") and not is_own and len(doi) <= LONGEST_NAME else None


def count_of(value: object, *, name: str) -> int | None:
    """Return a number of things, None where the source gives none."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRecord(f"{name} is not a number")
    if not 0 <= value <= LARGEST_COUNT:
        raise BadRecord(f"{name} is out of range")
    return value


def text_or_none(value: object, *, name: str) -> str | None:
    """Return text as one line, None where there is none."""
    return line_of_text(value, name=name) or None


def name_or_none(value: object, *, name: str) -> str | None:
    """Return a name, cut to the width of its column."""
    return line_of_text(value, name=name)[:LONGEST_NAME] or None


def words_of(value: object, *, name: str, separator: str | None) -> tuple[str, ...]:
    """Return the distinct texts of a list, or of one text split at `separator` (None: spaces), in order."""
    if value is None:
        return ()
    parts: Sequence[object] = value.split(separator) if isinstance(value, str) else _as_list(value, name=name)
    words = (line_of_text(part, name=name) for part in parts)
    return tuple(dict.fromkeys(word for word in words if word))


def categories_of(value: object) -> tuple[str, ...]:
    """Return a paper's categories, primary first, from a list or a text with spaces."""
    categories = words_of(value, name="categories", separator=None)
    if any(len(category) > LONGEST_CATEGORY for category in categories):
        raise BadRecord(f"a category is longer than {LONGEST_CATEGORY} characters")
    return categories


def authors_of(value: object) -> tuple[str, ...]:
    """Return author names in order from a list of names or of objects with `name`, or one text with commas."""
    if value is None:
        return ()
    if isinstance(value, str):
        return words_of(value, name="authors", separator=",")
    names = (_author_name(author) for author in _as_list(value, name="authors"))
    return tuple(name for name in names if name)


def organization_of(value: object) -> Organization | None:
    """Return the organisation from its name or from an object with `name` and `fullname`."""
    if isinstance(value, dict):
        name = line_of_text(value.get("name"), name="organization")
        fullname = line_of_text(value.get("fullname"), name="organization")
        return Organization(name or fullname, fullname or name) if name or fullname else None
    name = line_of_text(value, name="organization")
    return Organization(name, name) if name else None


def time_of(value: object, *, name: str) -> datetime | None:
    """Return an aware UTC time from an ISO 8601 date or time, a year, a month, or a mail header's date."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRecord(f"{name} is not a date")
    try:
        found = _parsed_time(value.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise BadRecord(f"{name} is not a date: {value[:40]}") from error
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        raise BadRecord(f"{name} is not a date: {value[:40]}")
    return found


def _parsed_time(text: str) -> datetime:
    if text[:1].isalpha():
        return parsedate_to_datetime(text)
    if partial := _YEAR_OR_MONTH.fullmatch(text):
        return datetime(int(partial[1]), int(partial[2] or 1), 1, tzinfo=UTC)
    if len(text) == len("2025-12-08"):
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
    return datetime.fromisoformat(text)


def _as_list(value: object, *, name: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise BadRecord(f"{name} is not a list")
    return value


def _author_name(author: object) -> str:
    if not isinstance(author, dict):
        return line_of_text(author, name="author")
    return "" if author.get("hidden") is True else line_of_text(author.get("name"), name="author")
