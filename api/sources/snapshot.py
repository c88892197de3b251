"""The arXiv metadata snapshot: one JSON object a line."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from api.sources.arxiv import is_withdrawn
from api.sources.records import (
    BadRecord,
    Json,
    PaperRecord,
    RejectedLine,
    authors_of,
    categories_of,
    doi_of,
    id_of,
    line_of_text,
    summary_of,
    text_or_none,
    time_of,
    title_of,
)

SOURCE = "arxiv"
LONGEST_VERSION: Final = 3  # digits
NOTICE_WITHIN: Final = 100  # characters of an abstract: further on stands no notice

_TIME: Final = re.compile(r"[A-Z][a-z]{2}, (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def record_of(line: Json) -> PaperRecord:
    """Return the paper of one line of the snapshot."""
    external_id = id_of(line.get("id"))
    if external_id is None:
        raise BadRecord("the id is missing")
    summary, comments = summary_of(line.get("abstract")), line_of_text(line.get("comments"), name="comments")
    may_be_withdrawn = "withdrawn" in f"{summary[:NOTICE_WITHIN]} {comments}".lower()  # few are: seldom a second look
    versions = _versions(line)
    first = _day(versions[0]) if versions else time_of(line.get("update_date"), name="update_date")
    latest = first if len(versions) == 1 else _day_if_any(versions)
    return PaperRecord(
        title=title_of(line.get("title")),
        source=SOURCE,
        external_id=external_id,
        summary=summary,
        authors=_authors(line),
        categories=categories_of(line.get("categories")),
        published_at=first,
        version=_number(versions[-1]) if versions else None,
        revised_at=latest,
        is_withdrawn=may_be_withdrawn and is_withdrawn(summary, comment=comments),
        doi=doi_of(line.get("doi")),
        journal_ref=text_or_none(line.get("journal-ref"), name="journal-ref"),
    )


def parse_line(number: int, data: bytes) -> PaperRecord | RejectedLine:
    """Return the paper of a line as it stands in the file, or why it is none."""
    try:
        value = orjson.loads(data)
        if not isinstance(value, dict):
            raise BadRecord("not a JSON object")
        return record_of(value)
    except orjson.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at character {error.pos}"
    except BadRecord as error:
        reason = str(error)
    return RejectedLine(number, reason, data.decode(errors="replace"))


def _authors(line: Json) -> tuple[str, ...]:
    parsed = line.get("authors_parsed")
    if not isinstance(parsed, list):
        return authors_of(line.get("authors"))
    return tuple(name for name in map(_author, parsed) if name)


def _author(parts: object) -> str:
    if not isinstance(parts, list):
        raise BadRecord("authors_parsed is not a list of lists")
    last, first, suffix = [*parts, "", "", ""][:3]
    # As one text: its length is checked once, and blanks between missing parts go with the others.
    return line_of_text(" ".join([_part(first), _part(last), _part(suffix)]).strip(), name="author")


def _part(value: object) -> str:
    return value if isinstance(value, str) else line_of_text(value, name="author")


def _versions(line: Json) -> list[dict[str, Any]]:
    versions = line.get("versions")
    is_usual = isinstance(versions, list) and all(isinstance(version, dict) for version in versions)
    return versions if isinstance(versions, list) and is_usual else []


def _day(version: dict[str, Any]) -> datetime | None:
    created = version.get("created")
    usual = _TIME.fullmatch(created) if isinstance(created, str) else None
    if usual is None or usual[2] not in _MONTHS:
        return time_of(created, name="versions.created")
    day, year, hour, minute, second = (int(usual[part]) for part in (1, 3, 4, 5, 6))
    try:
        return datetime(year, _MONTHS.index(usual[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise BadRecord(f"versions.created is not a date: {created}") from None


def _day_if_any(versions: list[dict[str, Any]]) -> datetime | None:
    try:
        return _day(versions[-1]) if versions else None
    except BadRecord:  # a paper is not lost for the day of its latest version
        return None


def _number(version: dict[str, Any]) -> int | None:
    name = version.get("version")
    digits = name.removeprefix("v") if isinstance(name, str) else ""
    return int(digits) if digits.isdecimal() and len(digits) <= LONGEST_VERSION else None
