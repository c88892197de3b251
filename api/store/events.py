"""The append-only log of events."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.store.hiding import acts_of, load_hidden_ids
from api.store.tables import Event, User
from api.store.taste_rows import load_silent_spans, silenced
from api.store.upsert import insert_into
from recommender.domain import EventKind, Interactions

EventKey: TypeAlias = tuple[int, str]  # user_id, event_id
KEYS_PER_STATEMENT: Final = 500
MICROSECONDS: Final = 1e6

ACT_COLUMNS = (
    Event.user_id,
    Event.paper_id,
    Event.kind,
    sa.type_coerce(Event.occurred_at, sa.BigInteger).label("occurred"),
    Event.value,
)


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One stored event as a reader's history shows it."""

    event_pk: int
    event_id: str
    kind: EventKind
    paper_id: int
    occurred_at: datetime | None


def insert_events(session: Session, rows: Sequence[dict[str, Any]]) -> dict[EventKey, int]:
    """Append the rows whose (user_id, event_id) is new, in their order; return the event_pk of each of those."""
    if not rows:
        return {}
    statement = (
        insert_into(session, Event)
        .on_conflict_do_nothing(index_elements=["user_id", "event_id"])
        .returning(Event.user_id, Event.event_id, Event.event_pk)
    )
    result = session.connection().execute(statement, rows)
    return {(user_id, event_id): event_pk for user_id, event_id, event_pk in result}


def payload_hashes(session: Session, keys: Collection[EventKey]) -> dict[EventKey, str]:
    """Return the payload hash of each of these events that is stored."""
    found: dict[EventKey, str] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), KEYS_PER_STATEMENT):
        part = wanted[start : start + KEYS_PER_STATEMENT]
        query = sa.select(Event.user_id, Event.event_id, Event.payload_hash).where(
            sa.tuple_(Event.user_id, Event.event_id).in_(part)
        )
        found |= {(user_id, event_id): payload for user_id, event_id, payload in session.execute(query)}
    return found


def lock_readers(session: Session, user_ids: Collection[int]) -> None:
    """Hold these readers' rows, lowest id first, so that writers of the same reader follow each other."""
    if session.get_bind().dialect.name == "sqlite":
        return  # there is one writer at a time
    query = sa.select(User.user_id).where(User.user_id.in_(user_ids)).order_by(User.user_id)
    session.execute(query.with_for_update(key_share=True)).all()


def load_interactions(session: Session, user_id: int) -> Interactions:
    """Return what one reader did, in log order and without what they were only shown; ids are int64."""
    query = sa.select(*ACT_COLUMNS).where(acts_of(user_id)).order_by(Event.event_pk)
    return interactions_of(session.execute(query).all())


def load_all_interactions(session: Session, *, up_to_event_pk: int, chunk: int = 200_000) -> Iterator[Interactions]:
    """Yield the log up to and with one event, in log order, `chunk` events at a time; without what readers silenced."""
    after, silent = 0, load_silent_spans(session)
    while True:
        query = (
            sa.select(*ACT_COLUMNS, Event.event_pk)
            .where(Event.event_pk > after, Event.event_pk <= up_to_event_pk)
            .order_by(Event.event_pk)
            .limit(chunk)
        )
        rows = session.execute(query).all()
        if not rows:
            return
        part = interactions_of(rows)
        teaches = ~silenced(part.user_ids, np.array([row[5] for row in rows], dtype=np.int64), silent)
        yield part if teaches.all() else part.select(teaches)
        after = rows[-1][5]


def hidden_paper_ids(session: Session, user_id: int) -> NDArray[np.int64]:
    """Return the papers a list must leave out, ascending: saved, dismissed or opened, and not brought back."""
    return load_hidden_ids(session, user_id)


def count_events_since(session: Session, event_pk: int, *, api_only: bool = True) -> int:
    """Return how many events came after one; imported history does not count unless asked for."""
    query = sa.select(sa.func.count()).select_from(Event).where(Event.event_pk > event_pk)
    if api_only:
        query = query.where(sa.not_(Event.is_import))
    return session.execute(query).scalar_one()


def newest_event_pk(session: Session) -> int:
    """Return the key of the newest event, 0 without any."""
    return session.execute(sa.select(sa.func.max(Event.event_pk))).scalar_one() or 0


def load_history(
    session: Session, user_id: int, *, after: tuple[datetime | None, int] | None, limit: int
) -> list[HistoryEvent]:
    """Return a reader's events, newest first and those of unknown time last, that follow the event `after`."""
    rows: list[HistoryEvent] = []
    if after is None or after[0] is not None:
        known = _history_of(user_id).where(Event.occurred_at.is_not(None))
        if after is not None:
            known = known.where(sa.tuple_(Event.occurred_at, Event.event_pk) < sa.tuple_(*_literals(after)))
        rows = _events(session, known.order_by(Event.occurred_at.desc(), Event.event_pk.desc()).limit(limit))
    if len(rows) < limit:
        unknown = _history_of(user_id).where(Event.occurred_at.is_(None))
        if after is not None and after[0] is None:
            unknown = unknown.where(Event.event_pk < after[1])
        rows += _events(session, unknown.order_by(Event.event_pk.desc()).limit(limit - len(rows)))
    return rows


def _literals(after: tuple[datetime | None, int]) -> tuple[sa.BindParameter[Any], sa.BindParameter[Any]]:
    return sa.literal(after[0], Event.occurred_at.type), sa.literal(after[1], sa.BigInteger)


def _history_of(user_id: int) -> sa.Select[int, str, int, int, datetime | None]:
    return sa.select(Event.event_pk, Event.event_id, Event.kind, Event.paper_id, Event.occurred_at).where(
        Event.user_id == user_id
    )


def _events(session: Session, query: sa.Select[int, str, int, int, datetime | None]) -> list[HistoryEvent]:
    return [
        HistoryEvent(event_pk, event_id, EventKind(kind), paper_id, occurred_at)
        for event_pk, event_id, kind, paper_id, occurred_at in session.execute(query)
    ]


def interactions_of(rows: Sequence[sa.Row[*tuple[Any, ...]]]) -> Interactions:
    """Return rows of `ACT_COLUMNS` as arrays; ids are int64."""
    if not rows:
        empty = np.empty(0, dtype=np.int64)
        return Interactions(empty, empty, np.empty(0, np.uint8), np.empty(0), np.empty(0, np.float32))
    users, papers, kinds, times, values, *_ = zip(*rows, strict=True)
    return Interactions(
        np.array(users, dtype=np.int64),
        np.array(papers, dtype=np.int64),
        np.array(kinds, dtype=np.uint8),
        np.array(times, dtype=np.float64) / MICROSECONDS,  # None becomes NaN
        np.array(values, dtype=np.float32),
    )
