"""What readers of this service have voted: a reader's last word on a paper counts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.library import time_or_start
from api.store.tables import IS_VOTE, Event
from recommender.domain import EventKind

_NO_PAPER = -1
_LATEST = (time_or_start(Event.occurred_at).desc(), Event.event_pk.desc())


@dataclass(frozen=True, slots=True)
class Votes:
    """How many readers' last vote on papers is an upvote, and how much of the log the count has read."""

    by_paper: Mapping[int, int]  # papers without any are left out
    last_event_pk: int = 0  # the newest event there was


def count_upvotes(session: Session, paper_ids: Collection[int]) -> dict[int, int]:
    """Return how many readers' last vote on each of these papers is an upvote; papers without any are left out."""
    if not paper_ids:
        return {}
    return {row[0]: row[1] for row in session.execute(_upvotes_of(paper_ids))}


def count_votes(session: Session, paper_ids: Collection[int]) -> Votes:
    """Return the same with the place in the log up to which it holds, of one moment: one statement."""
    if not paper_ids:
        return Votes({})
    newest = sa.select(sa.literal(_NO_PAPER, sa.BigInteger), sa.func.coalesce(sa.func.max(Event.event_pk), 0))
    found = {row[0]: row[1] for row in session.execute(sa.union_all(_upvotes_of(paper_ids), newest))}
    return Votes(found, found.pop(_NO_PAPER))


def _upvotes_of(paper_ids: Collection[int]) -> sa.Select[*tuple[Any, ...]]:
    place = sa.func.row_number().over(partition_by=(Event.paper_id, Event.user_id), order_by=_LATEST)
    words = (
        sa.select(Event.paper_id, Event.kind, place.label("place"))
        .where(IS_VOTE, Event.paper_id.in_(paper_ids))
        .subquery()
    )
    return (
        sa.select(words.c.paper_id, sa.func.count())
        .where(words.c.place == 1, words.c.kind == int(EventKind.UPVOTE))
        .group_by(words.c.paper_id)
    )


def has_votes_between(session: Session, after_event_pk: int, last_event_pk: int) -> bool:
    """True when one of these events is a vote: a walk along the log, as long as there are events."""
    query = sa.select(Event.event_pk).where(IS_VOTE, Event.event_pk > after_event_pk, Event.event_pk <= last_event_pk)
    return session.scalar(query.limit(1)) is not None
