"""Rows of papers as the catalogue writes them: one lock, one look, one upsert for a whole chunk."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.paper_inserts import insert_categories, insert_papers
from api.store.tables import Paper, PaperCategory

# Writers of papers read, merge and write: on PostgreSQL one at a time, as SQLite has it anyway.
PAPERS_LOCK: Final = 0x7066_7061  # any number that nobody else uses for an advisory lock
_KEPT: Final = frozenset({"paper_id", "created_at"})  # what a later write never changes
_COLUMNS: Final = [column for column in Paper.__table__.columns if column.name != "updated_at"]
_REPLACED: Final = [column.name for column in Paper.__table__.columns if column.name not in _KEPT]


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """What SQL holds of a paper before it is written again."""

    paper_id: int
    external_id: str
    content_hash: str
    categories: tuple[str, ...]
    listed_at: datetime
    created_at: datetime
    withdrawn_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A row to write, by column; `stored` is None for a new paper."""

    values: dict[str, Any]
    stored: StoredPaper | None


def stored_paper(row: sa.Row[Any]) -> StoredPaper:
    """Return what a row of `load_rows` says of a stored paper."""
    return StoredPaper(
        row.paper_id,
        row.external_id,
        row.content_hash,
        tuple(row.categories),
        row.listed_at,
        row.created_at,
        row.withdrawn_at,
        row.deleted_at,
    )


def lock_papers(session: Session) -> None:
    """Let no other transaction write papers until this one ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(PAPERS_LOCK)))


def load_rows(
    session: Session,
    *,
    external_ids: Collection[str],
    title_keys: Collection[str],
    dois: Collection[str],
    is_demo: bool,
) -> list[sa.Row[Any]]:
    """Return the papers with these ids or DOIs and the first paper of each of these titles, by `paper_id`."""
    conditions: list[sa.ColumnElement[bool]] = [Paper.external_id.in_(external_ids)]
    if dois:
        conditions.append(Paper.doi.in_(dois))
    if title_keys:
        titles = sa.select(sa.func.min(Paper.paper_id)).where(Paper.title_key.in_(title_keys))
        conditions.append(Paper.paper_id.in_(titles.where(Paper.is_demo.is_(is_demo)).group_by(Paper.title_key)))
    rows: dict[int, sa.Row[Any]] = {}
    for condition in conditions:  # apart, because an OR would keep either index from being used
        rows.update((row.paper_id, row) for row in session.execute(sa.select(*_COLUMNS).where(condition)))
    return [rows[paper_id] for paper_id in sorted(rows)]


def write_rows(session: Session, rows: Sequence[PaperRow]) -> None:
    """Insert or replace these rows and those of their categories."""
    new = [row for row in rows if row.stored is None]
    changed = [(row, row.stored) for row in rows if row.stored is not None]
    placed: list[tuple[PaperRow, int]] = []
    if changed:
        _replace(session, changed)
        _forget_categories(session, changed)
        placed += [(row, stored.paper_id) for row, stored in changed if _place_of(stored) != _new_place_of(row)]
    if new:
        placed += zip(new, insert_papers(session, [row.values for row in new]), strict=True)
    _write_categories(session, placed)


def _replace(session: Session, rows: Sequence[tuple[PaperRow, StoredPaper]]) -> None:
    change = sa.update(Paper).where(Paper.paper_id == sa.bindparam("row"))
    change = change.values({name: sa.bindparam(f"new_{name}") for name in _REPLACED})
    values = [
        {"row": stored.paper_id, **{f"new_{name}": row.values[name] for name in _REPLACED}} for row, stored in rows
    ]
    session.connection().execute(change, values)


def _forget_categories(session: Session, rows: Sequence[tuple[PaperRow, StoredPaper]]) -> None:
    emptied = [
        stored.paper_id for row, stored in rows if _place_of(stored)[0] and _place_of(stored) != _new_place_of(row)
    ]
    if emptied:
        session.execute(sa.delete(PaperCategory).where(PaperCategory.paper_id.in_(emptied)))


def _write_categories(session: Session, rows: Sequence[tuple[PaperRow, int]]) -> None:
    filled = [
        {"category": category, "paper_id": paper_id, "listed_at": row.values["listed_at"]}
        for row, paper_id in rows
        for category in _new_place_of(row)[0]
    ]
    insert_categories(session, filled)


def _place_of(stored: StoredPaper) -> tuple[list[str], datetime]:
    is_listed = stored.withdrawn_at is None and stored.deleted_at is None
    return list(stored.categories) if is_listed else [], stored.listed_at


def _new_place_of(row: PaperRow) -> tuple[list[str], datetime]:
    is_listed = row.values["withdrawn_at"] is None and row.values["deleted_at"] is None
    return row.values["categories"] if is_listed else [], row.values["listed_at"]
