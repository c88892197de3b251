"""Imports into libraries: those that wait for a worker, and the reports of those that are done."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from api.store.tables_shelf import LibraryImport

WAITING: Final = "waiting"
DONE: Final = "done"
FAILED: Final = "failed"
_NO_SYNC: Final = {"synchronize_session": False}


def insert_import(session: Session, values: Mapping[str, Any]) -> int:
    """Add an import and return its number."""
    return session.execute(sa.insert(LibraryImport).values(**values).returning(LibraryImport.import_id)).scalar_one()


def load_import(session: Session, user_id: int, import_id: int) -> LibraryImport | None:
    """Return one import of a reader, None where there is none."""
    query = sa.select(LibraryImport).where(LibraryImport.user_id == user_id, LibraryImport.import_id == import_id)
    return session.scalar(query)


def load_imports(session: Session, user_id: int) -> Sequence[LibraryImport]:
    """Return a reader's imports without what became of their entries, the last one first."""
    query = sa.select(LibraryImport).where(LibraryImport.user_id == user_id).order_by(LibraryImport.import_id.desc())
    return session.scalars(query.options(defer(LibraryImport.outcomes, raiseload=True))).all()


def has_waiting(session: Session, user_id: int) -> bool:
    """True where an import of this reader waits for a worker."""
    query = sa.select(LibraryImport.import_id).where(LibraryImport.user_id == user_id, LibraryImport.state == WAITING)
    return session.scalar(query.limit(1)) is not None


def delete_older(session: Session, user_id: int, *, kept: int) -> None:
    """Forget a reader's finished imports but the last ones."""
    mine = sa.select(LibraryImport.import_id).where(LibraryImport.user_id == user_id)
    last = session.scalars(mine.order_by(LibraryImport.import_id.desc()).limit(kept)).all()
    statement = sa.delete(LibraryImport).where(
        LibraryImport.user_id == user_id, LibraryImport.import_id.not_in(last), LibraryImport.state != WAITING
    )
    session.execute(statement.execution_options(**_NO_SYNC))


def find_due(session: Session, *, now: datetime) -> int | None:
    """Return the import that has been due for longest, None without one."""
    due = _waiting().where(LibraryImport.due_at <= now)
    return session.scalar(due.order_by(LibraryImport.due_at, LibraryImport.import_id).limit(1))


def take_import(session: Session, import_id: int, *, now: datetime, until: datetime) -> LibraryImport | None:
    """Take a due import until a time; None where somebody else has it, or it is done."""
    statement = (
        sa.update(LibraryImport)
        .where(LibraryImport.import_id == import_id, LibraryImport.state == WAITING, LibraryImport.due_at <= now)
        .values(due_at=until, tries=LibraryImport.tries + 1)
        .returning(LibraryImport)
    )
    return session.scalar(statement.execution_options(**_NO_SYNC))


def update_import(session: Session, import_id: int, *, tries: int, values: Mapping[str, Any]) -> bool:
    """Write how an import went; False where somebody else has taken it since, or its reader is gone."""
    statement = sa.update(LibraryImport).where(
        LibraryImport.import_id == import_id, LibraryImport.state == WAITING, LibraryImport.tries == tries
    )
    found = session.execute(statement.values(**values).returning(LibraryImport.import_id).execution_options(**_NO_SYNC))
    return found.first() is not None


def _waiting() -> "sa.Select[int]":
    return sa.select(LibraryImport.import_id).where(sa.text("library_imports.state = 'waiting'"))
