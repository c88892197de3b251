"""Rows of the demonstration: everything that is marked as made up, and its removal."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.every_table import every_table, paper_columns
from api.store.tables import Event, LibraryItem, Paper, User

_DEMO_PAPERS = sa.select(Paper.paper_id).where(Paper.is_demo.is_(True))
_DEMO_READERS = sa.select(User.user_id).where(User.is_demo.is_(True))


@dataclass(frozen=True, slots=True)
class DemoRows:
    """What a removal has to look at."""

    paper_ids: tuple[int, ...]
    user_ids: tuple[int, ...]
    newest_event_pk: int
    newest_user_id: int


def load_demo_rows(session: Session) -> DemoRows:
    """Return the papers and readers that are made up, and how far the tables reach that refer to them."""
    return DemoRows(
        tuple(session.scalars(_DEMO_PAPERS.order_by(Paper.paper_id))),
        tuple(session.scalars(_DEMO_READERS.order_by(User.user_id))),
        session.scalar(sa.select(sa.func.max(Event.event_pk))) or 0,
        session.scalar(sa.select(sa.func.max(User.user_id))) or 0,
    )


def write_last_active(session: Session, times: Mapping[int, datetime]) -> None:
    """Note when these readers were last active."""
    if times:
        change = sa.update(User).where(User.user_id == sa.bindparam("reader")).values(last_active_at=sa.bindparam("at"))
        rows = [{"reader": user_id, "at": at} for user_id, at in times.items()]
        session.connection().execute(change, rows)


def delete_demo_events(session: Session, *, first_pk: int, last_pk: int) -> tuple[int, list[int]]:
    """Delete events of made-up readers or on made-up papers, of a range of the log.

    Returns how many, and the real readers among their authors, one entry an event.
    """
    chosen = sa.and_(
        Event.event_pk.between(first_pk, last_pk),
        sa.or_(Event.user_id.in_(_DEMO_READERS), Event.paper_id.in_(_DEMO_PAPERS)),
    )
    return _delete_events(session, chosen)


def delete_demo_library(session: Session, *, first_user_id: int, last_user_id: int) -> None:
    """Delete library items of made-up readers or papers, of a range of readers."""
    session.execute(
        sa.delete(LibraryItem)
        .where(LibraryItem.user_id.between(first_user_id, last_user_id))
        .where(sa.or_(LibraryItem.user_id.in_(_DEMO_READERS), LibraryItem.paper_id.in_(_DEMO_PAPERS)))
        .execution_options(synchronize_session=False)
    )


def delete_demo_papers(session: Session, paper_ids: Collection[int]) -> tuple[int, int, list[int]]:
    """Delete those of these papers that are made up, with whatever any table says of them.

    Returns how many papers, how many late events, and the real readers of those events, one entry each.
    """
    still_demo = list(session.scalars(_DEMO_PAPERS.where(Paper.paper_id.in_(paper_ids))))
    events, others = _delete_events(session, Event.paper_id.in_(still_demo))
    for table in reversed(every_table()):
        for column in paper_columns(table):
            session.execute(sa.delete(table).where(column.in_(still_demo)))
    session.execute(sa.delete(Paper).where(Paper.paper_id.in_(still_demo)).execution_options(synchronize_session=False))
    return len(still_demo), events, others


def delete_demo_readers(session: Session, user_ids: Collection[int]) -> int:
    """Delete these made-up readers, with what they did meanwhile; return how many."""
    chosen = list(session.scalars(_DEMO_READERS.where(User.user_id.in_(user_ids))))
    _delete_events(session, Event.user_id.in_(chosen))
    for table, column in ((LibraryItem, LibraryItem.user_id), (User, User.user_id)):
        session.execute(sa.delete(table).where(column.in_(chosen)).execution_options(synchronize_session=False))
    return len(chosen)


def _delete_events(session: Session, chosen: sa.ColumnElement[bool]) -> tuple[int, list[int]]:
    others = sa.select(Event.user_id).where(chosen, Event.user_id.not_in(_DEMO_READERS))
    real = list(session.scalars(others))
    deleted = session.execute(
        sa.delete(Event).where(chosen).returning(Event.event_pk).execution_options(synchronize_session=False)
    )
    return len(deleted.all()), real
