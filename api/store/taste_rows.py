"""What readers decided about their lists, and the words of papers that it is compared with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.store.tables import Event, Paper, PaperCategory
from api.store.tables_tastes import ReaderTaste
from api.store.upsert import insert_into
from recommender.domain import Ids

Span: TypeAlias = tuple[int, int | None]  # numbers of the first and the last event; None: until now
IDS_PER_STATEMENT: Final = 5_000
FOREVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one reader decided."""

    muted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_personal: bool = True
    silent: tuple[Span, ...] = ()
    reset_at: datetime | None = None

    @property
    def unheard(self) -> tuple[Span, ...]:
        """Events from which nothing is learned as things stand: all of them while lists are not personal."""
        return self.silent if self.is_personal else ((0, None),)


UNDECIDED: Final = Decisions()


@dataclass(frozen=True, slots=True)
class PaperWords:
    """What mutings look at."""

    texts: tuple[str, ...]  # title, summary, keywords
    authors: tuple[str, ...]
    categories: tuple[str, ...]


def load_decisions(session: Session, user_ids: Collection[int]) -> dict[int, Decisions]:
    """Return what those of these readers decided who decided anything; one statement."""
    query = sa.select(ReaderTaste).where(ReaderTaste.user_id.in_(user_ids))
    return {row.user_id: decisions_of(row) for row in session.scalars(query)}


def write_decisions(session: Session, user_id: int, decisions: Decisions, *, now: datetime) -> None:
    """Replace what a reader decided."""
    values: dict[str, Any] = {
        "muted": {name: list(texts) for name, texts in decisions.muted.items()},
        "is_personal": decisions.is_personal,
        "silent": [list(span) for span in decisions.silent],
        "reset_at": decisions.reset_at,
        "updated_at": now,
    }
    statement = insert_into(session, ReaderTaste).values(user_id=user_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
    session.expire_all()


def last_event_pk(session: Session, user_id: int) -> int:
    """Return the number of the latest thing a reader did or was shown, 0 without any."""
    return session.execute(sa.select(sa.func.max(Event.event_pk)).where(Event.user_id == user_id)).scalar_one() or 0


def load_silent_spans(session: Session) -> dict[int, tuple[Span, ...]]:
    """Return the events of all readers that teach nothing, by reader; only of those who have any."""
    spans = {row.user_id: decisions_of(row).unheard for row in session.scalars(sa.select(ReaderTaste))}
    return {user_id: of_reader for user_id, of_reader in spans.items() if of_reader}


def silenced(user_ids: Ids, event_pks: NDArray[np.int64], spans: Mapping[int, Sequence[Span]]) -> NDArray[np.bool_]:
    """Return which events, of these readers and with these numbers, teach nothing."""
    found = np.zeros(len(event_pks), dtype=bool)
    for user_id, of_reader in spans.items():
        at = np.flatnonzero(user_ids == user_id)
        for first, last in of_reader if len(at) else ():
            found[at] |= (event_pks[at] >= first) & (event_pks[at] <= (FOREVER if last is None else last))
    return found


def joined_silence(session: Session, *, user_id: int, into_user_id: int) -> tuple[Span, ...] | None:
    """Return what is to be silent of two readers who become one, None where neither decided anything.

    To be asked before the events move: exactly those that teach nothing now, of either, teach nothing after.
    """
    decided = load_decisions(session, [user_id, into_user_id])
    if not decided:
        return None
    query = sa.select(Event.user_id, Event.event_pk).where(Event.user_id.in_([user_id, into_user_id]))
    rows = np.array([tuple(row) for row in session.execute(query.order_by(Event.event_pk))], dtype=np.int64)
    rows = rows.reshape(-1, 2)
    is_silent = silenced(rows[:, 0], rows[:, 1], {reader: one.silent for reader, one in decided.items()})
    edges = np.flatnonzero(np.diff(is_silent.astype(np.int8), prepend=0, append=0))
    runs = [(int(rows[first, 1]), int(rows[end - 1, 1])) for first, end in edges.reshape(-1, 2)]
    if (decided.get(into_user_id) or decided[user_id]).is_personal:
        return tuple(runs)
    return (*runs, (int(rows[-1, 1]) + 1 if len(rows) else 0, None))


def write_silence(session: Session, user_id: int, silent: Sequence[Span]) -> None:
    """Replace which of a reader's events teach nothing."""
    values = [list(span) for span in silent]
    session.execute(sa.update(ReaderTaste).where(ReaderTaste.user_id == user_id).values(silent=values))


def load_paper_words(session: Session, paper_ids: Collection[int]) -> dict[int, PaperWords]:
    """Return the words of the papers that exist."""
    found: dict[int, PaperWords] = {}
    wanted = sorted(set(paper_ids))
    columns = (Paper.paper_id, Paper.title, Paper.summary, Paper.keywords, Paper.authors, Paper.categories)
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        query = sa.select(*columns).where(Paper.paper_id.in_(wanted[start : start + IDS_PER_STATEMENT]))
        for paper_id, title, summary, keywords, authors, categories in session.execute(query):
            found[paper_id] = PaperWords((title, summary, *keywords), tuple(authors), tuple(categories))
    return found


def count_categories(session: Session, *, among_latest: int, limit: int) -> dict[str, int]:
    """Return the categories of the latest papers with how many have each, the most first."""
    since = sa.select(sa.func.max(Paper.paper_id)).scalar_subquery() - among_latest
    count = sa.func.count()
    query = (
        sa.select(PaperCategory.category, count)
        .where(PaperCategory.paper_id > since)
        .group_by(PaperCategory.category)
        .order_by(count.desc(), PaperCategory.category)
        .limit(limit)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def load_titles(session: Session, external_ids: Collection[str]) -> dict[str, str]:
    """Return the titles of the papers that exist, by external id."""
    query = sa.select(Paper.external_id, Paper.title).where(Paper.external_id.in_(external_ids))
    return {row[0]: row[1] for row in session.execute(query)} if external_ids else {}


def decisions_of(row: ReaderTaste) -> Decisions:
    """Return what a row says."""
    return Decisions(row.muted, row.is_personal, _spans(row.silent), row.reset_at)


def _spans(stored: Sequence[Sequence[int | None]]) -> tuple[Span, ...]:
    return tuple((int(first or 0), last) for first, last in stored)
