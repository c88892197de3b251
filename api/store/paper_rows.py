"""Rows of papers as the catalogue writes them: one lock, one look, one upsert for a whole chunk."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Paper, PaperCategory
from api.store.upsert import insert_into

# Writers of papers read, merge and write: on PostgreSQL one at a time, as SQLite has it anyway.
PAPERS_LOCK: Final = 0x7066_7061  # any number that nobody else uses for an advisory lock
_KEPT: Final = frozenset({"paper_id", "external_id", "created_at"})  # what a later write never changes
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


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A row to write, by column; `stored` is None for a new paper."""

    values: dict[str, Any]
    stored: StoredPaper | None


def lock_papers(session: Session) -> None:
    """Let no other transaction write papers until this one ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(PAPERS_LOCK)))


def load_rows(
    session: Session, *, external_ids: Collection[str], title_keys: Collection[str], is_demo: bool
) -> list[sa.Row[Any]]:
    """Return the papers with these ids and the first paper of each of these titles, in the order of `paper_id`."""
    conditions: list[sa.ColumnElement[bool]] = [Paper.external_id.in_(external_ids)]
    if title_keys:
        titles = sa.select(sa.func.min(Paper.paper_id)).where(Paper.title_key.in_(title_keys))
        conditions.append(Paper.paper_id.in_(titles.where(Paper.is_demo.is_(is_demo)).group_by(Paper.title_key)))
    rows: dict[int, sa.Row[Any]] = {}
    for condition in conditions:  # apart, because an OR would keep either index from being used
        rows.update((row.paper_id, row) for row in session.execute(sa.select(*_COLUMNS).where(condition)))
    return [rows[paper_id] for paper_id in sorted(rows)]


def write_rows(session: Session, rows: Sequence[PaperRow]) -> None:
    """Insert or replace these rows and those of their categories."""
    if not rows:
        return
    _take_real_ids(session, rows)
    statement = insert_into(session, Paper)
    statement = statement.on_conflict_do_update(
        index_elements=["external_id"], set_={name: statement.excluded[name] for name in _REPLACED}
    )
    values = [row.values for row in rows]
    written = session.connection().execute(statement.returning(Paper.external_id, Paper.paper_id), values)
    _write_categories(session, rows, paper_ids={row.external_id: row.paper_id for row in written})


def _take_real_ids(session: Session, rows: Sequence[PaperRow]) -> None:
    renamed = [
        {"row": row.stored.paper_id, "name": row.values["external_id"]}
        for row in rows
        if row.stored is not None and row.stored.external_id != row.values["external_id"]
    ]
    if renamed:
        change = sa.update(Paper).where(Paper.paper_id == sa.bindparam("row"))
        session.connection().execute(change.values(external_id=sa.bindparam("name")), renamed)


def _write_categories(session: Session, rows: Sequence[PaperRow], *, paper_ids: dict[str, int]) -> None:
    moved = [row for row in rows if row.stored is None or _place_of(row.stored) != _new_place_of(row)]
    emptied = [row.stored.paper_id for row in moved if row.stored is not None and row.stored.categories]
    if emptied:
        session.execute(sa.delete(PaperCategory).where(PaperCategory.paper_id.in_(emptied)))
    filled = [
        {
            "category": category,
            "paper_id": paper_ids[row.values["external_id"]],
            "listed_at": row.values["listed_at"],
        }
        for row in moved
        for category in row.values["categories"]
    ]
    if filled:
        session.connection().execute(sa.insert(PaperCategory), filled)


def _place_of(stored: StoredPaper) -> tuple[list[str], datetime]:
    return list(stored.categories), stored.listed_at


def _new_place_of(row: PaperRow) -> tuple[list[str], datetime]:
    return row.values["categories"], row.values["listed_at"]
