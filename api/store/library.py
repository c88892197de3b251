"""The library of saved papers: a projection of the event log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.store.tables import LibraryItem
from api.store.upsert import insert_into


@dataclass(frozen=True, slots=True)
class LibraryChange:
    """A save or an unsave as the log holds it."""

    user_id: int
    paper_id: int
    is_save: bool
    occurred_at: datetime | None
    event_pk: int


@dataclass(frozen=True, slots=True)
class SavedPaper:
    """A paper in a reader's library."""

    paper_id: int
    saved_at: datetime | None


def project_changes(session: Session, changes: Sequence[LibraryChange]) -> None:
    """Fold saves and unsaves into the library: the latest by its own time wins, log order breaks ties."""
    latest: dict[tuple[int, int], LibraryChange] = {}
    for change in sorted(changes, key=_order):
        latest[change.user_id, change.paper_id] = change
    if not latest:
        return
    statement = insert_into(session, LibraryItem)
    new = statement.excluded
    fields = ("is_saved", "saved_at", "changed_at", "changed_pk")
    upsert = statement.on_conflict_do_update(
        index_elements=["user_id", "paper_id"],
        set_={name: new[name] for name in fields},
        where=sa.tuple_(time_or_start(new.changed_at), new.changed_pk)
        > sa.tuple_(time_or_start(LibraryItem.changed_at), LibraryItem.changed_pk),
    )
    rows = sorted((_row(change) for change in latest.values()), key=lambda row: (row["user_id"], row["paper_id"]))
    session.connection().execute(upsert, rows)


def load_saved(
    session: Session, user_id: int, *, after: tuple[datetime | None, int] | None, limit: int
) -> list[SavedPaper]:
    """Return a reader's saved papers, last saved first and those of unknown time last, that follow `after`."""
    saved = sa.select(LibraryItem.paper_id, LibraryItem.saved_at).where(
        LibraryItem.user_id == user_id, LibraryItem.is_saved
    )
    found: list[SavedPaper] = []
    if after is None or after[0] is not None:
        known = saved.where(LibraryItem.saved_at.is_not(None))
        if after is not None:
            place = sa.tuple_(sa.literal(after[0], LibraryItem.saved_at.type), sa.literal(after[1], sa.BigInteger))
            known = known.where(sa.tuple_(LibraryItem.saved_at, LibraryItem.paper_id) < place)
        known = known.order_by(LibraryItem.saved_at.desc(), LibraryItem.paper_id.desc()).limit(limit)
        found = [SavedPaper(paper_id, saved_at) for paper_id, saved_at in session.execute(known)]
    if len(found) < limit:
        unknown = saved.where(LibraryItem.saved_at.is_(None))
        if after is not None and after[0] is None:
            unknown = unknown.where(LibraryItem.paper_id < after[1])
        unknown = unknown.order_by(LibraryItem.paper_id.desc()).limit(limit - len(found))
        found += [SavedPaper(paper_id, saved_at) for paper_id, saved_at in session.execute(unknown)]
    return found


def _order(change: LibraryChange) -> tuple[float, int]:
    # An unknown time comes before every known one: the later word is the one that has a date.
    return (float("-inf") if change.occurred_at is None else change.occurred_at.timestamp(), change.event_pk)


def time_or_start(column: sa.ColumnElement[Any] | InstrumentedAttribute[datetime | None]) -> sa.ColumnElement[Any]:
    """The time as microseconds, an unknown one before all known ones."""
    return sa.func.coalesce(sa.type_coerce(column, sa.BigInteger), -(2**62))


def _row(change: LibraryChange) -> dict[str, Any]:
    return {
        "user_id": change.user_id,
        "paper_id": change.paper_id,
        "is_saved": change.is_save,
        "saved_at": change.occurred_at if change.is_save else None,
        "changed_at": change.occurred_at,
        "changed_pk": change.event_pk,
    }
