"""What one reader has said about some papers, as things stand."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.library import time_or_start
from api.store.tables import IS_VOTE, Event, LibraryItem, Paper
from recommender.domain import EventKind

_READER: Final[sa.BindParameter[int]] = sa.bindparam("reader")
_NAMES: Final[sa.BindParameter[str]] = sa.bindparam("names", expanding=True)
_NONE: Final = sa.literal(0, sa.BigInteger)
_IS_DISMISSAL: Final = Event.kind.in_((int(EventKind.DISMISS), int(EventKind.UNDISMISS)))
_WHEN: Final = (time_or_start(Event.occurred_at), Event.event_pk)


def _acts(condition: sa.ColumnElement[bool] | sa.TextClause) -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(Paper.external_id, Event.kind, *_WHEN).join(Paper, Paper.paper_id == Event.paper_id)
    return query.where(condition, Event.kind != sa.literal_column("0"), Event.user_id == _READER, _IS_ASKED)


_IS_ASKED: Final = Paper.external_id.in_(_NAMES)
_SAVED: Final = (
    sa.select(Paper.external_id, sa.literal(int(EventKind.SAVE), sa.SmallInteger), _NONE, _NONE)
    .join(LibraryItem, LibraryItem.paper_id == Paper.paper_id)
    .where(LibraryItem.user_id == _READER, LibraryItem.is_saved, _IS_ASKED)
)
# Put together once: building it takes longer than running it. Each part has an index of its own.
_MARKS: Final[sa.CompoundSelect[*tuple[Any, ...]]] = sa.union_all(_SAVED, _acts(IS_VOTE), _acts(_IS_DISMISSAL))


@dataclass(frozen=True, slots=True)
class Marks:
    """Papers by their external ids."""

    saved: frozenset[str] = frozenset()
    upvoted: frozenset[str] = frozenset()
    dismissed: frozenset[str] = frozenset()


def load_marks(session: Session, user_id: int, external_ids: Collection[str]) -> Marks:
    """Return which of these papers a reader has saved, voted for and dismissed; one statement, none without papers."""
    if not external_ids:
        return Marks()
    rows = session.connection().execute(_MARKS, {"reader": user_id, "names": sorted(external_ids)}).all()
    found: dict[EventKind, set[str]] = {EventKind.SAVE: set(), EventKind.UPVOTE: set(), EventKind.DISMISS: set()}
    ends = {EventKind.UNVOTE: EventKind.UPVOTE, EventKind.UNDISMISS: EventKind.DISMISS}
    for name, number, _, _ in sorted(rows, key=lambda row: (row[2], row[3])):
        kind = EventKind(number)
        if kind in ends:
            found[ends[kind]].discard(name)
        else:
            found[kind].add(name)
    return Marks(*map(frozenset, (found[EventKind.SAVE], found[EventKind.UPVOTE], found[EventKind.DISMISS])))
