"""What readers and sources did to papers lately, in columns: the raw material of trending."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.store.tables import IS_LISTED, IS_UNLISTED, Event, Paper

BUCKET_SECONDS: Final = 3600  # events of one paper, kind and hour come as one row
MICROSECONDS: Final = 1_000_000
MOST_VOTED: Final = 20_000
HOUR_US: Final = BUCKET_SECONDS * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Touches:
    """Events of recent hours, one row per paper, kind and hour."""

    paper_ids: NDArray[np.int64]  # (rows,)
    kinds: NDArray[np.int64]  # (rows,) EventKind
    at: NDArray[np.float64]  # (rows,) epoch seconds of the middle of the hour
    readers: NDArray[np.float64]  # (rows,) distinct readers


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes that papers had at their source, and the stars of their code."""

    paper_ids: NDArray[np.int64]  # (papers,)
    at: NDArray[np.float64]  # (papers,) epoch seconds of the day they were listed
    upvotes: NDArray[np.float64]  # (papers,)
    stars: NDArray[np.float64]  # (papers,)


def load_touches(session: Session, *, since: datetime) -> Touches:
    """Return what readers did since to papers that are listed; events of unknown time are left out."""
    unlisted = sa.select(Paper.paper_id).where(IS_UNLISTED)  # few, and an index of their own
    hour = (sa.type_coerce(Event.occurred_at, sa.BigInteger) // sa.literal(HOUR_US, sa.BigInteger)).label("hour")
    query = (
        sa.select(Event.paper_id, Event.kind, hour, sa.func.count(Event.user_id.distinct()))
        # An event is received after it happened, so the index on arrival bounds the scan.
        .where(Event.received_at >= since, Event.occurred_at >= since, Event.paper_id.not_in(unlisted))
        .group_by(Event.paper_id, Event.kind, hour)
    )
    columns = _columns(session.execute(query), count=4)
    middle = columns[2].astype(np.float64) * BUCKET_SECONDS + BUCKET_SECONDS / 2
    return Touches(columns[0], columns[1], middle, columns[3].astype(np.float64))


def load_votes(session: Session, *, since: datetime) -> Votes:
    """Return the source's votes and stars of papers listed since on a day that is known."""
    stars = sa.func.coalesce(Paper.github_stars, 0)
    query = (
        sa.select(Paper.paper_id, sa.type_coerce(Paper.listed_at, sa.BigInteger), Paper.upvotes, stars)
        .where(IS_LISTED, Paper.listed_at >= since, _has_day(), sa.or_(Paper.upvotes > 0, Paper.github_stars > 0))
        .order_by(Paper.listed_at.desc())
        .limit(MOST_VOTED)
    )
    columns = _columns(session.execute(query), count=4)
    return Votes(columns[0], columns[1] / MICROSECONDS, columns[2].astype(np.float64), columns[3].astype(np.float64))


def load_recent_paper_ids(session: Session, *, since: datetime, limit: int) -> list[int]:
    """Return papers listed since on a day that is known, newest first."""
    query = sa.select(Paper.paper_id).where(IS_LISTED, Paper.listed_at >= since, _has_day())
    return list(session.scalars(query.order_by(Paper.listed_at.desc(), Paper.paper_id.desc()).limit(limit)))


def touched_paper_ids(
    session: Session, paper_ids: Sequence[int], *, since: datetime, kinds: Sequence[int], least: int
) -> set[int]:
    """Return those papers that had at least so many events of these kinds received since."""
    if not paper_ids:
        return set()
    query = (
        sa.select(Event.paper_id)
        .where(Event.received_at >= since, Event.kind.in_(kinds), Event.paper_id.in_(paper_ids))
        .group_by(Event.paper_id)
        .having(sa.func.count() >= least)
    )
    return set(session.scalars(query))


def _has_day() -> sa.ColumnElement[bool]:
    return sa.or_(Paper.daily_at.is_not(None), Paper.published_at.is_not(None))


def _columns(rows: Iterable[sa.Row[Any]], *, count: int) -> list[NDArray[np.int64]]:
    table = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, count)
    return [table[:, at] for at in range(count)]
