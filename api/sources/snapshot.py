"""The arXiv metadata snapshot: one JSON object a line."""

from datetime import datetime

from api.sources.records import (
    BadRecord,
    Json,
    PaperRecord,
    authors_of,
    categories_of,
    id_of,
    line_of_text,
    summary_of,
    time_of,
    title_of,
)

SOURCE = "arxiv"


def record_of(line: Json) -> PaperRecord:
    """Return the paper of one line of the snapshot."""
    external_id = id_of(line.get("id"))
    if external_id is None:
        raise BadRecord("the id is missing")
    return PaperRecord(
        title=title_of(line.get("title")),
        source=SOURCE,
        external_id=external_id,
        summary=summary_of(line.get("abstract")),
        authors=_authors(line),
        categories=categories_of(line.get("categories")),
        published_at=_first_version(line),
    )


def _authors(line: Json) -> tuple[str, ...]:
    parsed = line.get("authors_parsed")
    if not isinstance(parsed, list):
        return authors_of(line.get("authors"))
    return tuple(name for name in map(_author, parsed) if name)


def _author(parts: object) -> str:
    if not isinstance(parts, list):
        raise BadRecord("authors_parsed is not a list of lists")
    last, first, suffix = ([line_of_text(part, name="author") for part in parts] + ["", "", ""])[:3]
    return " ".join(part for part in (first, last, suffix) if part)


def _first_version(line: Json) -> datetime | None:
    versions = line.get("versions")
    if isinstance(versions, list) and versions and isinstance(versions[0], dict):
        return time_of(versions[0].get("created"), name="versions[0].created")
    return time_of(line.get("update_date"), name="update_date")
