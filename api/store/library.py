"""The library of saved papers: a projection of the event log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.store.pairs import OfPairs
from api.store.tables import EPOCH, ONE_MICROSECOND, LibraryItem

BEFORE_ALL: Final = -(2**62)  # stands for an unknown time
_FIELDS: Final = ("user_id", "paper_id", "is_saved", "saved_at", "changed_at", "changed_pk")  # as `_row` gives them
_UPSERT: Final = (
    f"INSERT INTO library ({', '.join(_FIELDS)}) VALUES ({{}})"  # noqa: S608 - our own names
    " ON CONFLICT (user_id, paper_id) DO UPDATE"
    f" SET {', '.join(f'{name} = excluded.{name}' for name in _FIELDS[2:])}"
    f" WHERE (coalesce(excluded.changed_at, {BEFORE_ALL}), excluded.changed_pk)"
    f" > (coalesce(library.changed_at, {BEFORE_ALL}), library.changed_pk)"
)
_TOUCH: Final = "UPDATE collections SET updated_at = {0} WHERE user_id = {0} AND is_library AND updated_at < {0}"
_SAVED: Final = OfPairs(
    "SELECT library.user_id, library.paper_id FROM {asked}"
    " JOIN library ON library.user_id = asked.first AND library.paper_id = asked.second WHERE library.is_saved",
    types=("bigint", "bigint"),
)


_CHANGES: Final = OfPairs(
    "SELECT library.user_id, library.paper_id, library.changed_pk FROM {asked}"
    " JOIN library ON library.user_id = asked.first AND library.paper_id = asked.second",
    types=("bigint", "bigint"),
)


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
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    rows = sorted(map(_row, latest.values()))
    connection.exec_driver_sql(_UPSERT.format(", ".join([mark] * len(_FIELDS))), rows)
    changed = {user_id: 0 for user_id, *_ in rows}
    for user_id, *_, at, _ in rows:
        changed[user_id] = max(changed[user_id], at or 0)
    # Lists of collections are ordered by their rows alone; most readers' libraries have none.
    connection.exec_driver_sql(_TOUCH.format(mark), [(at, user_id, at) for user_id, at in changed.items()])


def saved_among(session: Session, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of these (user_id, paper_id) that are saved, as things stand."""
    return {(user_id, paper_id) for user_id, paper_id in _SAVED.rows(session, sorted(pairs))}


def changes_among(session: Session, pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return the event_pk of the latest save or unsave of those of these (user_id, paper_id) that have one."""
    return {(user_id, paper_id): pk for user_id, paper_id, pk in _CHANGES.rows(session, sorted(pairs))}


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
    return sa.func.coalesce(sa.type_coerce(column, sa.BigInteger), BEFORE_ALL)


def _row(change: LibraryChange) -> tuple[int, int, bool, int | None, int | None, int]:
    changed = None if change.occurred_at is None else (change.occurred_at - EPOCH) // ONE_MICROSECOND
    saved = changed if change.is_save else None
    return change.user_id, change.paper_id, change.is_save, saved, changed, change.event_pk
