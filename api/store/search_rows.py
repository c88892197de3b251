"""Papers in SQL as the search index reads them: by number, and by when they changed."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.search_documents import PaperDocument
from api.store.tables import EPOCH, ONE_MICROSECOND, Paper

MICROSECONDS: Final = 1_000_000
IDS_PER_QUERY: Final = 5_000  # well under SQLite's 32,766 parameters
_updated_us: Final = sa.type_coerce(Paper.updated_at, sa.BigInteger())
_IS_FOUND: Final = Paper.deleted_at.is_(None)
_COLUMNS: Final = (
    Paper.paper_id,
    Paper.external_id,
    Paper.title,
    Paper.summary,
    Paper.keywords,
    Paper.authors,
    Paper.categories,
    Paper.organization,
    Paper.github_repo,
    Paper.upvotes,
    Paper.withdrawn_at,
    Paper.listed_at,
    Paper.published_at,
    Paper.daily_at,
    _updated_us.label("updated_us"),
)


def load_documents(session: Session, paper_ids: Collection[int]) -> list[PaperDocument]:
    """Return what is indexed of those of these papers that can be found."""
    wanted = list(paper_ids)
    found: list[PaperDocument] = []
    for start in range(0, len(wanted), IDS_PER_QUERY):
        part = Paper.paper_id.in_(wanted[start : start + IDS_PER_QUERY])
        found += map(_document, session.execute(sa.select(*_COLUMNS).where(part, _IS_FOUND)))
    return found


def load_documents_after(session: Session, paper_id: int, *, limit: int) -> list[PaperDocument]:
    """Return what is indexed of the next papers that can be found, in the order of their numbers."""
    query = sa.select(*_COLUMNS).where(Paper.paper_id > paper_id, _IS_FOUND).order_by(Paper.paper_id).limit(limit)
    return list(map(_document, session.execute(query)))


def changes_since(session: Session, since_us: int, *, limit: int) -> list[tuple[int, int]]:
    """Return (paper_id, updated_us) of the papers written at that time or later, in the order of writing.

    More than `limit` only where many were written at once: whoever goes on from the last time misses none.
    """
    query = (
        sa.select(Paper.paper_id, _updated_us).where(_updated_us >= since_us).order_by(Paper.updated_at).limit(limit)
    )
    found = [(row[0], row[1]) for row in session.execute(query)]
    if len(found) < limit:
        return found
    last = found[-1][1]
    rest = sa.select(Paper.paper_id, _updated_us).where(_updated_us == last)
    return [change for change in found if change[1] < last] + [(row[0], row[1]) for row in session.execute(rest)]


def newest_change_us(session: Session) -> int:
    """Return when a paper was last written, 0 without papers."""
    return session.scalar(sa.select(sa.func.max(_updated_us))) or 0


def count_found(session: Session) -> int:
    """Return how many papers can be found; it reads them all."""
    return session.scalar(sa.select(sa.func.count()).select_from(Paper).where(_IS_FOUND)) or 0


def count_rows(session: Session) -> int:
    """Return how many papers have a row, found or not; it reads the smallest index."""
    return session.scalar(sa.select(sa.func.count()).select_from(Paper)) or 0


def versions_after(session: Session, paper_id: int, *, limit: int) -> dict[int, int]:
    """Return `updated_us` of the next papers that can be found."""
    query = sa.select(Paper.paper_id, _updated_us).where(Paper.paper_id > paper_id, _IS_FOUND)
    return {row[0]: row[1] for row in session.execute(query.order_by(Paper.paper_id).limit(limit))}


def iter_documents(session: Session, *, per_fetch: int) -> Iterator[list[PaperDocument]]:
    """Walk through all papers that can be found, a chunk at a time."""
    last = 0
    while part := load_documents_after(session, last, limit=per_fetch):
        yield part
        session.rollback()  # a reader who stays keeps the database from tidying its log
        last = part[-1].paper_id


def _document(row: sa.Row[Any]) -> PaperDocument:
    organization = row.organization or {}
    return PaperDocument(
        paper_id=row.paper_id,
        external_id=row.external_id,
        title=row.title,
        summary=row.summary,
        keywords=tuple(row.keywords),
        authors=tuple(row.authors),
        categories=tuple(row.categories),
        organization_name=str(organization.get("name") or ""),
        organization_fullname=str(organization.get("fullname") or ""),
        has_code=bool(row.github_repo),
        is_withdrawn=row.withdrawn_at is not None,
        upvotes=row.upvotes,
        updated_us=row.updated_us,
        listed_s=_seconds(row.listed_at),
        published_s=None if row.published_at is None else _seconds(row.published_at),
        daily_s=None if row.daily_at is None else _seconds(row.daily_at),
        year=row.listed_at.year,
    )


def _seconds(at: datetime) -> int:
    return (at - EPOCH) // ONE_MICROSECOND // MICROSECONDS
