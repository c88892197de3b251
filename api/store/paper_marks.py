"""What one reader has said about some papers, as things stand."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from api.store.glance import Glance
from api.store.library import time_or_start
from api.store.tables import IS_VOTE, Event, LibraryItem, Paper
from recommender.domain import EventKind

_READER: Final[sa.BindParameter[int]] = sa.bindparam("reader")
_NAMES: Final[sa.BindParameter[str]] = sa.bindparam("names", expanding=True)
_PAPERS: Final[sa.BindParameter[int]] = sa.bindparam("papers", expanding=True)
_NONE: Final = sa.literal(0, sa.BigInteger)
_IS_DISMISSAL: Final = Event.kind.in_((int(EventKind.DISMISS), int(EventKind.UNDISMISS)))
_VOTE_KINDS: Final = frozenset({EventKind.UPVOTE, EventKind.UNVOTE})
_WHEN: Final = (time_or_start(Event.occurred_at), Event.event_pk)


def _acts(condition: sa.ColumnElement[bool] | sa.TextClause) -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(Event.paper_id, Event.kind, *_WHEN)
    return query.where(condition, Event.kind != sa.literal_column("0"), Event.user_id == _READER)


def _named(query: sa.Select[*tuple[Any, ...]]) -> sa.Select[*tuple[Any, ...]]:
    paper_id = query.selected_columns[0]
    named = query.join(Paper, Paper.paper_id == paper_id).where(Paper.external_id.in_(_NAMES))
    return named.with_only_columns(Paper.external_id, *list(query.selected_columns)[1:], maintain_column_froms=True)


_SAVED: Final[sa.Select[*tuple[Any, ...]]] = sa.select(
    LibraryItem.paper_id, sa.literal(int(EventKind.SAVE), sa.SmallInteger), _NONE, _NONE
).where(LibraryItem.user_id == _READER, LibraryItem.is_saved)
_VOTES: Final = _acts(IS_VOTE)
_DISMISSALS: Final = _acts(_IS_DISMISSAL)
# Put together once: building them takes longer than running them. Each part has an index of its own.
_MARKS: Final = sa.union_all(*map(_named, (_SAVED, _VOTES, _DISMISSALS)))
_GLANCE: Final = sa.union_all(
    _SAVED.where(LibraryItem.paper_id.in_(_PAPERS)),
    *(part.where(Event.paper_id.in_(_PAPERS)) for part in (_VOTES, _DISMISSALS)),
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Papers by their external ids."""

    saved: frozenset[str] = frozenset()
    upvoted: frozenset[str] = frozenset()
    dismissed: frozenset[str] = frozenset()
    # Every vote that was given or taken back, in order: its event, and whether it was given.
    votes: Mapping[str, Sequence[tuple[int, bool]]] = field(default_factory=dict, compare=False)

    def votes_since(self, external_id: str, event_pk: int) -> int:
        """Return what the reader changed in a count of a paper's votes that holds up to this event: -1, 0 or 1."""
        counted = [is_given for pk, is_given in self.votes.get(external_id, ()) if pk <= event_pk]
        return (external_id in self.upvoted) - (bool(counted) and counted[-1])


def load_marks(session: Session, user_id: int, external_ids: Collection[str]) -> Marks:
    """Return which of these papers a reader has saved, voted for and dismissed; one statement, none without papers."""
    if not external_ids:
        return Marks()
    rows = session.connection().execute(_MARKS, {"reader": user_id, "names": sorted(external_ids)}).all()
    return _marks_of(rows)


def glance_marks(glance: Glance, user_id: int, papers: Mapping[int, str]) -> Marks:
    """Return the same of papers by their internal ids, at once; raises NoGlanceError, also for who did much."""
    if not papers:
        return Marks()
    statement, fixed = _spelt(len(papers))
    asked = {f"papers_{at}": paper_id for at, paper_id in enumerate(papers, 1)}
    rows = glance.rows(statement, {**fixed, **asked, "reader": user_id})
    return _marks_of([(papers[paper_id], *rest) for paper_id, *rest in rows])


@lru_cache(maxsize=64)
def _spelt(count: int) -> tuple[str, Mapping[str, int]]:
    """The statement for so many papers as SQLite reads it, and its values but for `reader` and `papers_1`, ..."""
    compiled = _GLANCE.compile(dialect=sqlite.dialect(paramstyle="named"))
    spelt = compiled.construct_expanded_state({"reader": 0, "papers": [0] * count})
    return spelt.statement, spelt.parameters


def _marks_of(rows: Iterable[Any]) -> Marks:
    found: dict[EventKind, set[str]] = {EventKind.SAVE: set(), EventKind.UPVOTE: set(), EventKind.DISMISS: set()}
    ends = {EventKind.UNVOTE: EventKind.UPVOTE, EventKind.UNDISMISS: EventKind.DISMISS}
    votes: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for name, number, _, event_pk in sorted(rows, key=lambda row: (row[2], row[3])):
        kind = EventKind(number)
        if kind in _VOTE_KINDS:
            votes[name].append((event_pk, kind is EventKind.UPVOTE))
        if kind in ends:
            found[ends[kind]].discard(name)
        else:
            found[kind].add(name)
    return Marks(
        saved=frozenset(found[EventKind.SAVE]),
        upvoted=frozenset(found[EventKind.UPVOTE]),
        dismissed=frozenset(found[EventKind.DISMISS]),
        votes=votes,
    )
