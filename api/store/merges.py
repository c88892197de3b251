"""Anonymous readers who signed in, and the accounts to which their events belong."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.library import LibraryChange, project_changes
from api.store.tables import Event, LibraryItem
from api.store.tables_letters import Merge
from api.store.upsert import insert_into


def load_targets(session: Session, user_ids: Collection[int]) -> dict[int, int]:
    """Return the account of each of these readers that was merged into one."""
    if not user_ids:
        return {}
    query = sa.select(Merge.user_id, Merge.into_user_id).where(Merge.user_id.in_(user_ids))
    return {row.user_id: row.into_user_id for row in session.execute(query)}


def note_merge(session: Session, *, user_id: int, into_user_id: int, now: datetime) -> int:
    """Note that a reader belongs to an account, unless they belong to one already; return the one they belong to."""
    statement = insert_into(session, Merge).values(user_id=user_id, into_user_id=into_user_id, merged_at=now, events=0)
    session.execute(statement.on_conflict_do_nothing(index_elements=["user_id"]))
    return session.execute(sa.select(Merge.into_user_id).where(Merge.user_id == user_id)).scalar_one()


def move_events(session: Session, *, user_id: int, into_user_id: int) -> int:
    """Give a reader's events to an account and return how many; an event that the account has already is dropped."""
    theirs = sa.select(Event.event_id).where(Event.user_id == into_user_id)
    session.execute(
        sa.delete(Event).where(Event.user_id == user_id, Event.event_id.in_(theirs)),
        execution_options={"synchronize_session": False},
    )
    move = sa.update(Event).where(Event.user_id == user_id).values(user_id=into_user_id)
    moved = session.connection().execute(move).rowcount
    if moved:
        more = sa.update(Merge).where(Merge.user_id == user_id).values(events=Merge.events + moved)
        session.connection().execute(more)
    return moved


def move_library(session: Session, *, user_id: int, into_user_id: int) -> None:
    """Fold a reader's saves and unsaves into an account's library: the latest by its own time wins."""
    rows = session.scalars(sa.select(LibraryItem).where(LibraryItem.user_id == user_id)).all()
    changes = [LibraryChange(into_user_id, row.paper_id, row.is_saved, row.changed_at, row.changed_pk) for row in rows]
    project_changes(session, changes)
    session.connection().execute(sa.delete(LibraryItem).where(LibraryItem.user_id == user_id))
