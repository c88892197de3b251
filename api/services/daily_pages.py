"""Pages of the daily lists: the papers of a span with their votes, and the spans around it that have some."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy.orm import Session

from api.runtime.orders import Orders
from api.services.daily import DailyAsk, list_daily
from api.services.daily import Sort as DailySort
from api.services.spans import Span, span_of
from api.store.daily import Wanted, newest_daily_at, oldest_daily_at
from api.store.feeds import FeedStore
from api.store.papers import latest_paper_ids
from api.store.votes import Votes, count_votes

Sort: TypeAlias = Literal["votes", "trending", "newest"]
SORTS: Final[tuple[Sort, ...]] = ("votes", "trending", "newest")


@dataclass(frozen=True, slots=True)
class ListedPapers:
    """A page of papers."""

    paper_ids: Sequence[int]
    votes: Votes  # of this service's readers
    has_more: bool


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest spans of the same kind that have papers, None where there are none."""

    previous: Span | None
    following: Span | None


def list_span(
    session: Session,
    feeds: FeedStore,
    orders: Orders,
    span: Span,
    *,
    sort: Sort,
    offset: int,
    limit: int,
    now: datetime,
) -> ListedPapers:
    """Return papers that entered a daily list in a span."""
    order: DailySort = "trending" if sort == "trending" else "publishedAt"
    ask = DailyAsk(
        Wanted(since=span.since, until=span.until),
        order,
        is_of_one_day=sort == "votes",
        window="month" if span.kind == "month" else "week",
        offset=offset,
        limit=limit,
    )
    paper_ids, has_more = list_daily(session, feeds, ask, now=now, orders=orders)
    return ListedPapers(paper_ids, count_votes(session, paper_ids), has_more)


def list_newest(session: Session, *, limit: int) -> ListedPapers:
    """Return the newest papers of all, for an installation without daily lists."""
    places = latest_paper_ids(session, limit=limit + 1)
    paper_ids = [paper_id for paper_id, _ in places[:limit]]
    return ListedPapers(paper_ids, count_votes(session, paper_ids), len(places) > limit)


def find_neighbours(session: Session, span: Span) -> Neighbours:
    """Return the spans before and after this one that have papers: the empty ones between are skipped."""
    before = newest_daily_at(session, before=span.since)
    after = oldest_daily_at(session, since=span.until)
    return Neighbours(
        None if before is None else span_of(span.kind, before.date()),
        None if after is None else span_of(span.kind, after.date()),
    )


def find_newest_span(session: Session, span: Span) -> Span | None:
    """Return the newest span of the same kind that has papers."""
    newest = newest_daily_at(session)
    return None if newest is None else span_of(span.kind, newest.date())
