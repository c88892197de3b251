"""Papers on the wire."""

import re
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

ARXIV_ID: Final = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7}")

EXAMPLE_PAPER: Final[dict[str, Any]] = {
    "id": "2401.01234",
    "title": "A title",
    "summary": "What the paper says in one paragraph.",
    "authors": ["Ada Lovelace", "Alan Turing"],
    "num_authors": 2,
    "categories": ["cs.LG", "cs.IR"],
    "keywords": ["recommendation"],
    "organization": {"name": "example", "fullname": "Example Institute"},
    "published_at": "2024-01-03T18:00:00+00:00",
    "daily_at": "2024-01-04T00:00:00+00:00",
    "submitted_by": "ada",
    "upvotes": 12,
    "num_comments": 3,
    "project_page": None,
    "github_repo": None,
    "github_stars": None,
    "thumbnail": None,
    "ai_summary": None,
    "url": "https://arxiv.org/abs/2401.01234",
    "version": 2,
    "revised_at": "2024-02-07T09:30:00+00:00",
    "withdrawn_at": None,
    "doi": "10.1000/example.1",
    "journal_ref": "Example Letters 7 (2024) 12",
    "citations": 4,
    "references": 31,
    "fields": ["Computer Science"],
    "source": "arxiv",
    "provenance": {"upvotes": "huggingface", "citations": "semanticscholar"},
    "demonstration": False,
}


class Organization(BaseModel):
    """Who is behind a paper."""

    name: str | None = None
    fullname: str | None = None


class PaperOut(BaseModel):
    """A paper as every list and page shows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_PAPER]})

    id: str = Field(description="arXiv id without version, or the id its source gave it.")
    title: str
    summary: str
    authors: list[str]
    num_authors: int | None = Field(description="Number of authors, also where their names are not known.")
    categories: list[str] = Field(description="Primary category first.")
    keywords: list[str]
    organization: Organization | None
    published_at: datetime | None
    daily_at: datetime | None = Field(description="When it entered a daily list.")
    submitted_by: str | None
    upvotes: int = Field(
        description="Votes at its source alone; the site and `/api/papers` add those of this service's readers."
    )
    num_comments: int = Field(description="At its source and here.")
    project_page: str | None
    github_repo: str | None
    github_stars: int | None
    thumbnail: str | None
    ai_summary: str | None
    url: str | None = Field(description="Its page at arXiv, where it has one.")
    version: int | None = Field(description="Of the text, where its source counts versions.")
    revised_at: datetime | None = Field(description="The day of that version.")
    withdrawn_at: datetime | None = Field(description="Withdrawn by its authors: it is in no list any more.")
    doi: str | None = Field(description="Of the published paper.")
    journal_ref: str | None
    citations: int | None
    references: int | None = Field(description="How many works it cites.")
    fields: list[str] = Field(description="Fields of study.")
    source: str = Field(description="Who named the paper first.")
    provenance: dict[str, str] = Field(description="The fields that another source gave, and which one.")
    demonstration: bool = Field(description="True for a made-up paper of the demonstration.")


class PaperRow(Protocol):
    """What rendering reads of a stored paper."""

    external_id: Any
    title: Any
    summary: Any
    authors: Any
    num_authors: Any
    categories: Any
    keywords: Any
    organization: Any
    published_at: Any
    daily_at: Any
    submitted_by: Any
    upvotes: Any
    num_comments: Any
    project_page: Any
    github_repo: Any
    github_stars: Any
    thumbnail: Any
    ai_summary: Any
    version: Any
    revised_at: Any
    withdrawn_at: Any
    doi: Any
    journal_ref: Any
    citations: Any
    references_count: Any
    fields: Any
    source: Any
    provenance: Any
    is_demo: Any
    id_from_title: Any


def paper_json(row: PaperRow, *, comments: int = 0) -> dict[str, object]:
    """Return the fields of `PaperOut` as plain JSON values; `comments` are those written here."""
    return {
        "id": row.external_id,
        "title": row.title,
        "summary": row.summary,
        "authors": row.authors,
        "num_authors": len(row.authors) or row.num_authors,
        "categories": row.categories,
        "keywords": row.keywords,
        "organization": row.organization,
        "published_at": _time(row.published_at),
        "daily_at": _time(row.daily_at),
        "submitted_by": row.submitted_by,
        "upvotes": row.upvotes,
        "num_comments": row.num_comments + comments,
        "project_page": row.project_page,
        "github_repo": row.github_repo,
        "github_stars": row.github_stars,
        "thumbnail": row.thumbnail,
        "ai_summary": row.ai_summary,
        "url": arxiv_page(row),
        "version": row.version,
        "revised_at": _time(row.revised_at),
        "withdrawn_at": _time(row.withdrawn_at),
        "doi": row.doi,
        "journal_ref": row.journal_ref,
        "citations": row.citations,
        "references": row.references_count,
        "fields": row.fields or [],
        "source": row.source,
        "provenance": row.provenance or {},
        "demonstration": row.is_demo,
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def arxiv_page(row: PaperRow) -> str | None:
    """Return the address of a paper's page at arXiv, None where it has none."""
    if row.is_demo or row.id_from_title or not ARXIV_ID.fullmatch(row.external_id):
        return None
    return f"https://arxiv.org/abs/{row.external_id}"
