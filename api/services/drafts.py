"""Papers between a record and a row: what a chunk of records makes of what is stored."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from api.ids import title_key
from api.sentences import sentence_text, text_hash
from api.sources.records import Organization, PaperRecord
from api.store.paper_rows import PaperRow, StoredPaper


@dataclass(frozen=True, slots=True)
class Draft:
    """A paper on its way into SQL; `stored` is None for a new one."""

    external_id: str
    id_from_title: bool
    is_demo: bool
    record: PaperRecord
    title_key: str
    content_hash: str
    stored: StoredPaper | None = None

    @property
    def is_changed(self) -> bool:
        """True if the row has to be written."""
        return self.stored is None or self.stored.content_hash != self.content_hash


def draft_of(
    record: PaperRecord, *, external_id: str, id_from_title: bool, is_demo: bool, stored: StoredPaper | None
) -> Draft:
    """Return the draft of `record`, with its fingerprints."""
    key = title_key(record.title)
    draft = Draft(external_id, id_from_title, is_demo, record, key, "", stored)
    return replace(draft, content_hash=hashlib.sha256(orjson.dumps(_content_of(draft))).hexdigest())


def row_of(draft: Draft, *, now: datetime) -> PaperRow:
    """Return the row that `draft` becomes."""
    record = draft.record
    created_at = now if draft.stored is None else draft.stored.created_at
    values = {
        **_content_of(draft),
        "title_key": draft.title_key,
        "content_hash": draft.content_hash,
        "text_hash": text_hash(sentence_text(record.title, record.summary)),
        "listed_at": min(record.daily_at or record.published_at or created_at, now),
        "created_at": now,
        "updated_at": now,
    }
    return PaperRow(values, draft.stored)


def draft_of_row(row: sa.Row[Any]) -> Draft:
    """Return the draft of a stored paper as it is."""
    organization = row.organization and Organization(row.organization["name"], row.organization["fullname"])
    record = PaperRecord(
        title=row.title,
        source=row.source,
        external_id=row.external_id,
        summary=row.summary,
        authors=tuple(row.authors),
        num_authors=row.num_authors,
        categories=tuple(row.categories),
        keywords=tuple(row.keywords),
        organization=organization,
        published_at=row.published_at,
        daily_at=row.daily_at,
        submitted_by=row.submitted_by,
        upvotes=row.upvotes,
        num_comments=row.num_comments,
        project_page=row.project_page,
        github_repo=row.github_repo,
        github_stars=row.github_stars,
        thumbnail=row.thumbnail,
        ai_summary=row.ai_summary,
    )
    stored = StoredPaper(
        row.paper_id, row.external_id, row.content_hash, record.categories, row.listed_at, row.created_at
    )
    return Draft(row.external_id, row.id_from_title, row.is_demo, record, row.title_key, row.content_hash, stored)


def _content_of(draft: Draft) -> dict[str, Any]:
    record = draft.record
    organization = record.organization
    return {
        "external_id": draft.external_id,
        "title": record.title,
        "id_from_title": draft.id_from_title,
        "summary": record.summary,
        "authors": list(record.authors),
        "num_authors": len(record.authors) or record.num_authors,
        "categories": list(record.categories),
        "keywords": list(record.keywords),
        "organization": organization and {"name": organization.name, "fullname": organization.fullname},
        "published_at": record.published_at,
        "daily_at": record.daily_at,
        "submitted_by": record.submitted_by,
        "upvotes": record.upvotes or 0,
        "num_comments": record.num_comments or 0,
        "project_page": record.project_page,
        "github_repo": record.github_repo,
        "github_stars": record.github_stars,
        "thumbnail": record.thumbnail,
        "ai_summary": record.ai_summary,
        "source": record.source,
        "is_demo": draft.is_demo,
    }
