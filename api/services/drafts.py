"""Papers between a record and a row: what a chunk of records makes of what is stored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from api.ids import title_key
from api.sentences import sentence_text, text_hash
from api.services.provenance import Known
from api.sources.records import Organization, PaperRecord
from api.store.paper_rows import PaperRow, StoredPaper, stored_paper


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
    givers: Mapping[str, str] = field(default_factory=dict)  # {field: source} where it is not the record's own source
    is_deleted: bool = False

    @property
    def known(self) -> Known:
        """What is known of the paper, and who said so."""
        return Known(self.record, self.givers)

    @property
    def is_changed(self) -> bool:
        """True if the row has to be written."""
        return self.stored is None or self.stored.content_hash != self.content_hash


def with_fingerprints(draft: Draft) -> Draft:
    """Return `draft` with the fingerprints of its title and of all of its content."""
    content = _content_of(draft) | _later_content_of(draft)
    content_hash = hashlib.sha256(orjson.dumps(content)).hexdigest()
    return replace(draft, title_key=title_key(draft.record.title), content_hash=content_hash)


def row_of(draft: Draft, *, now: datetime) -> PaperRow:
    """Return the row that `draft` becomes."""
    record, stored = draft.record, draft.stored
    created_at = now if stored is None else stored.created_at
    withdrawn_at = stored.withdrawn_at if stored is not None and stored.withdrawn_at else record.revised_at or now
    deleted_at = stored.deleted_at if stored is not None and stored.deleted_at else now
    values = {
        **_content_of(draft),
        "version": record.version,
        "revised_at": record.revised_at,
        "withdrawn_at": withdrawn_at if record.is_withdrawn else None,
        "deleted_at": deleted_at if draft.is_deleted else None,
        "doi": record.doi,
        "journal_ref": record.journal_ref,
        "citations": record.citations,
        "references_count": record.references,
        "fields": list(record.fields) or None,
        "provenance": dict(draft.givers) or None,
        "title_key": draft.title_key,
        "content_hash": draft.content_hash,
        "text_hash": text_hash(sentence_text(record.title, record.summary)),
        "listed_at": min(record.daily_at or record.published_at or created_at, now),
        "created_at": now,
        "updated_at": now,
    }
    return PaperRow(values, stored)


def draft_of_row(row: sa.Row[Any]) -> Draft:
    """Return the draft of a stored paper as it is."""
    return Draft(
        row.external_id,
        row.id_from_title,
        row.is_demo,
        _record_of_row(row),
        row.title_key,
        row.content_hash,
        stored_paper(row),
        row.provenance or {},
        row.deleted_at is not None,
    )


def _record_of_row(row: sa.Row[Any]) -> PaperRecord:
    organization = row.organization and Organization(row.organization["name"], row.organization["fullname"])
    return PaperRecord(
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
        version=row.version,
        revised_at=row.revised_at,
        is_withdrawn=True if row.withdrawn_at else None,
        doi=row.doi,
        journal_ref=row.journal_ref,
        citations=row.citations,
        references=row.references_count,
        fields=tuple(row.fields or ()),
    )


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


def _later_content_of(draft: Draft) -> dict[str, Any]:
    """Return what later versions of the service added: only what is there, so that fingerprints of old rows hold."""
    record = draft.record
    content = {
        "version": record.version,
        "revised_at": record.revised_at,
        "is_withdrawn": record.is_withdrawn or None,
        "is_deleted": draft.is_deleted or None,
        "doi": record.doi,
        "journal_ref": record.journal_ref,
        "citations": record.citations,
        "references": record.references,
        "fields": list(record.fields) or None,
        "provenance": dict(sorted(draft.givers.items())) or None,
    }
    return {name: value for name, value in content.items() if value is not None}
