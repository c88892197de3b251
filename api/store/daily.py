"""Papers by the day they entered a daily list, and by the day they were published."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import EPOCH, IS_LISTED, ONE_MICROSECOND, Event, Paper

COMMIT_OVERLAP: Final = timedelta(seconds=60)  # no transaction that writes papers takes longer
MOST_SUMMED: Final = 2_000  # papers written in that time; while more are, the newest moves anyway
MOST_OF_A_SPAN: Final = 20_000  # papers of a month that are ordered by votes: ten times as many as there are


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which papers of the daily lists: of a span of time, of one who submitted them, or all."""

    since: datetime | None = None
    until: datetime | None = None  # first moment after the span
    submitter: str | None = None


class Listed(NamedTuple):
    """A paper in a daily list."""

    paper_id: int
    upvotes: int  # at its source
    daily_at: datetime


def newest_daily_ids(
    session: Session, wanted: Wanted, *, without: Collection[int] = (), offset: int, limit: int
) -> list[int]:
    """Return papers of the daily lists, newest first."""
    query = sa.select(Paper.paper_id).where(*_conditions(wanted))
    if without:
        query = query.where(Paper.paper_id.not_in(without))
    query = query.order_by(Paper.daily_at.desc(), Paper.paper_id.desc())
    return list(session.scalars(query.offset(offset).limit(limit)))


def newest_daily_at(session: Session, *, before: datetime | None = None) -> datetime | None:
    """Return when the newest paper entered a daily list, or the newest one before a moment: one step of an index."""
    query = sa.select(Paper.daily_at).where(*_conditions(Wanted(until=before)))
    return session.scalar(query.order_by(Paper.daily_at.desc()).limit(1))


def oldest_daily_at(session: Session, *, since: datetime) -> datetime | None:
    """Return when the first paper since a moment entered a daily list."""
    query = sa.select(Paper.daily_at).where(*_conditions(Wanted(since=since)))
    return session.scalar(query.order_by(Paper.daily_at).limit(1))


def load_listed(session: Session, wanted: Wanted, *, among: Collection[int] | None = None) -> list[Listed]:
    """Return all papers of a span of the daily lists, newest first, or those of them that are `among` these."""
    query = sa.select(Paper.paper_id, Paper.upvotes, Paper.daily_at).where(*_conditions(wanted))
    if among is not None:
        query = query.where(Paper.paper_id.in_(among))
    query = query.order_by(Paper.daily_at.desc(), Paper.paper_id.desc()).limit(MOST_OF_A_SPAN)
    return [Listed(paper_id, upvotes, daily_at) for paper_id, upvotes, daily_at in session.execute(query) if daily_at]


def published_ids(session: Session, *, offset: int, limit: int) -> list[int]:
    """Return papers whose day of publication is known, the latest first."""
    query = sa.select(Paper.paper_id).where(IS_LISTED, Paper.published_at.is_not(None))
    query = query.order_by(Paper.published_at.desc(), Paper.paper_id.desc())
    return list(session.scalars(query.offset(offset).limit(limit)))


def load_shown(session: Session, paper_ids: Collection[int]) -> dict[int, Paper]:
    """Return the papers among these that their source has not removed, by id."""
    if not paper_ids:
        return {}
    query = sa.select(Paper).where(Paper.paper_id.in_(paper_ids), Paper.deleted_at.is_(None))
    return {paper.paper_id: paper for paper in session.scalars(query)}


class Marks(NamedTuple):
    """What moves when papers are written or events arrive."""

    written_at: datetime | None  # of the paper written last
    written_before: int  # sum of the times shortly before it: a writer's `updated_at` is older than its commit
    newest_paper_id: int
    newest_event_pk: int


def read_written_at(session: Session) -> datetime | None:
    """Return when a paper was written last, None without papers: the end of an index."""
    return session.scalar(sa.select(sa.func.max(Paper.updated_at)))


def read_marks(session: Session) -> Marks:
    """Return the marks as they are; each is the end of an index."""
    written_at = read_written_at(session)
    written_before = 0
    if written_at is not None:
        time = sa.type_coerce(Paper.updated_at, sa.BigInteger).label("time")
        lately = sa.select(time).where(Paper.updated_at >= written_at - COMMIT_OVERLAP).limit(MOST_SUMMED).subquery()
        start = (written_at - EPOCH) // ONE_MICROSECOND  # sums of whole times would leave the numbers of a database
        written_before = int(session.scalar(sa.select(sa.func.sum(lately.c.time - start))) or 0)
    return Marks(
        written_at,
        written_before,
        session.scalar(sa.select(sa.func.max(Paper.paper_id))) or 0,
        session.scalar(sa.select(sa.func.max(Event.event_pk))) or 0,
    )


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [Paper.daily_at.is_not(None)]
    if wanted.since is not None:
        found.append(Paper.daily_at >= wanted.since)
    if wanted.until is not None:
        found.append(Paper.daily_at < wanted.until)
    if wanted.submitter is not None:
        found.append(Paper.submitted_by == wanted.submitter)
    found += [Paper.deleted_at.is_(None), Paper.withdrawn_at.is_(None)]
    return found
