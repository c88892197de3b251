"""Bulk writing of history: a few statements for thousands of rows, on either database."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.library import time_or_start
from api.store.tables import Event, LibraryItem
from api.store.upsert import insert_into
from recommender.domain import EventKind

# user_id, event_id, kind, paper_id, occurred_at, received_at, value, payload_hash; times in microseconds
ImportRow: TypeAlias = tuple[int, str, int, int, int | None, int, float | None, str]

_SQLITE: Final = (
    "INSERT INTO events"
    " (user_id, event_id, kind, paper_id, occurred_at, received_at, value, payload_hash, is_import)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING"
)
_POSTGRESQL: Final = (
    "INSERT INTO events"
    " (user_id, event_id, kind, paper_id, occurred_at, received_at, value, payload_hash, is_import)"
    " SELECT *, TRUE FROM unnest(%s::bigint[], %s::varchar[], %s::smallint[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::float8[], %s::varchar[]) ON CONFLICT DO NOTHING"
)
_SQLITE_ACTIVE: Final = (
    "UPDATE users SET last_active_at = ?2 WHERE user_id = ?1 AND (last_active_at IS NULL OR last_active_at < ?2)"
)
_POSTGRESQL_ACTIVE: Final = (
    "UPDATE users SET last_active_at = new.active FROM unnest(%s::bigint[], %s::bigint[]) AS new (reader, active)"
    " WHERE user_id = new.reader AND (last_active_at IS NULL OR last_active_at < new.active)"
)
# Lists of collections are ordered by their rows alone: that of a library follows what was saved and unsaved.
_TOUCH: Final = (
    "UPDATE collections SET updated_at = changes.changed"  # noqa: S608 - our own numbers
    " FROM (SELECT user_id AS reader, max(occurred_at) AS changed FROM events"
    f" WHERE event_pk > {{}} AND kind IN ({int(EventKind.SAVE)}, {int(EventKind.UNSAVE)}) GROUP BY user_id) AS changes"
    " WHERE user_id = changes.reader AND is_library AND updated_at < changes.changed"
)


def append_history(session: Session, rows: Sequence[ImportRow]) -> int:
    """Append the rows whose (user_id, event_id) is new; return how many those were."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql(_SQLITE, list(rows)).rowcount
    return connection.exec_driver_sql(_POSTGRESQL, tuple(map(list, zip(*rows, strict=True)))).rowcount


def project_history(session: Session, *, after_event_pk: int) -> None:
    """Fold saves and unsaves that came after an event into the library; folding one twice changes nothing."""
    newest_first = (time_or_start(Event.occurred_at).desc(), Event.event_pk.desc())
    place = sa.func.row_number().over(partition_by=(Event.user_id, Event.paper_id), order_by=newest_first)
    changes = (
        sa.select(Event.user_id, Event.paper_id, Event.kind, Event.occurred_at, Event.event_pk, place.label("place"))
        .where(Event.event_pk > after_event_pk, Event.kind.in_([int(EventKind.SAVE), int(EventKind.UNSAVE)]))
        .subquery()
    )
    is_save = changes.c.kind == int(EventKind.SAVE)
    latest = sa.select(
        changes.c.user_id,
        changes.c.paper_id,
        is_save,
        sa.case((is_save, changes.c.occurred_at)),
        changes.c.occurred_at,
        changes.c.event_pk,
    ).where(changes.c.place == 1)
    fields = ("is_saved", "saved_at", "changed_at", "changed_pk")
    statement = insert_into(session, LibraryItem).from_select(["user_id", "paper_id", *fields], latest)
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id", "paper_id"],
            set_={name: new[name] for name in fields},
            where=sa.tuple_(time_or_start(new.changed_at), new.changed_pk)
            > sa.tuple_(time_or_start(LibraryItem.changed_at), LibraryItem.changed_pk),
        )
    )
    session.connection().exec_driver_sql(
        _TOUCH.format("?" if session.get_bind().dialect.name == "sqlite" else "%s"), (after_event_pk,)
    )


def raise_last_active(session: Session, active: Mapping[int, int]) -> None:
    """Move each reader's time of last activity forward to these microseconds, never back."""
    connection = session.connection()
    rows = sorted(active.items())
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE_ACTIVE, rows)
    else:
        connection.exec_driver_sql(_POSTGRESQL_ACTIVE, tuple(map(list, zip(*rows, strict=True))))
