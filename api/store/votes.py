"""What readers of this service have voted: a reader's last word on a paper counts."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.library import time_or_start
from api.store.tables import IS_VOTE, Event
from recommender.domain import EventKind

_LATEST = (time_or_start(Event.occurred_at).desc(), Event.event_pk.desc())


def count_upvotes(session: Session, paper_ids: Collection[int]) -> dict[int, int]:
    """Return how many readers' last vote on each of these papers is an upvote; papers without any are left out."""
    if not paper_ids:
        return {}
    place = sa.func.row_number().over(partition_by=(Event.paper_id, Event.user_id), order_by=_LATEST)
    words = (
        sa.select(Event.paper_id, Event.kind, place.label("place"))
        .where(IS_VOTE, Event.paper_id.in_(paper_ids))
        .subquery()
    )
    query = (
        sa.select(words.c.paper_id, sa.func.count())
        .where(words.c.place == 1, words.c.kind == int(EventKind.UPVOTE))
        .group_by(words.c.paper_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def has_votes_between(session: Session, after_event_pk: int, last_event_pk: int) -> bool:
    """True when one of these events is a vote: a walk along the log, as long as there are events."""
    query = sa.select(Event.event_pk).where(IS_VOTE, Event.event_pk > after_event_pk, Event.event_pk <= last_event_pk)
    return session.scalar(query.limit(1)) is not None
