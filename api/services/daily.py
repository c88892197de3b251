"""The daily lists: papers by the day they entered one, newest first, by votes or by what is trending."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy.orm import Session

from api.errors import NotFound
from api.ids import normalised_id
from api.runtime.orders import Orders
from api.services.listings import find_paper
from api.services.trending import Board, Window, read_board
from api.settings import read_settings
from api.store.comments import load_commented_papers
from api.store.daily import MOST_OF_A_SPAN, Wanted, load_listed, newest_daily_ids, published_ids
from api.store.feeds import FeedStore
from api.store.tables import Paper
from api.store.votes import count_upvotes

Sort: TypeAlias = Literal["publishedAt", "trending"]
# How deep pages go: whoever asks for more walks over all papers before them, at each page again.
DEEPEST_DAILY: Final = 100_000
DEEPEST_PUBLISHED: Final = 10_000
SORTS: Final[tuple[Sort, ...]] = ("publishedAt", "trending")


@dataclass(frozen=True, slots=True)
class DailyAsk:
    """One page of the daily lists."""

    wanted: Wanted
    sort: Sort
    is_of_one_day: bool  # then the most upvoted come first
    window: Window  # over which trending is reckoned
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Voted:
    """A paper with the upvotes and the comments of this service's readers."""

    paper: Paper
    upvotes: int
    comments: int


def list_daily(
    session: Session, feeds: FeedStore, ask: DailyAsk, *, now: datetime, orders: Orders
) -> tuple[list[int], bool]:
    """Return the papers of a page in their order, and whether there are more after it."""
    if ask.offset >= DEEPEST_DAILY:
        return [], False
    if ask.sort == "trending":
        board = _read_board(session, feeds, now=now)
        if ask.wanted.since is None:
            found = _most_trending(session, ask, dict(board.trending(ask.window)))
        else:
            found = _trending_of_span(session, ask, board, orders=orders)
    elif ask.is_of_one_day:
        found = _by_votes(session, ask.wanted, orders, offset=ask.offset, limit=ask.limit + 1)
    else:
        found = newest_daily_ids(session, ask.wanted, offset=ask.offset, limit=ask.limit + 1)
    return found[: ask.limit], len(found) > ask.limit


def list_published(session: Session, *, offset: int, limit: int) -> tuple[list[int], bool]:
    """Return a page of all papers by day of publication, the latest first, and whether there are more after it."""
    if offset >= DEEPEST_PUBLISHED:
        return [], False
    found = published_ids(session, offset=offset, limit=limit + 1)
    return found[:limit], len(found) > limit


def load_voted(session: Session, paper_ids: Sequence[int]) -> list[Voted]:
    """Return the papers that are shown, in this order, with the votes and comments they have here."""
    papers = load_commented_papers(session, paper_ids)
    upvotes = count_upvotes(session, papers)
    shown = (papers[paper_id] for paper_id in paper_ids if paper_id in papers)
    return [Voted(paper, upvotes.get(paper.paper_id, 0), comments) for paper, comments in shown]


def find_voted(session: Session, name: str) -> Voted:
    """Return a paper by any form of its id; raises NotFound, also for one that its source has removed."""
    try:
        external_id = normalised_id(name)
    except ValueError:
        raise NotFound(f"there is no paper {name!r}", paper_id=name) from None
    found = load_voted(session, [find_paper(session, external_id)])
    if not found:  # removed between two statements
        raise NotFound(f"there is no paper {external_id!r}", paper_id=external_id)
    return found[0]


def _read_board(session: Session, feeds: FeedStore, *, now: datetime) -> Board:
    return read_board(session, now=now, half_life_days=read_settings().trending_half_life_days, feeds=feeds)


def _most_trending(session: Session, ask: DailyAsk, scores: dict[int, float]) -> list[int]:
    """Return what is trending by its score, then the others, newest first."""
    listed = {paper.paper_id for paper in load_listed(session, ask.wanted, among=scores)}
    trending = [paper_id for paper_id in scores if paper_id in listed]
    found = trending[ask.offset : ask.offset + ask.limit + 1]
    missing = ask.limit + 1 - len(found)
    if missing > 0:
        offset = max(ask.offset - len(trending), 0)
        found += newest_daily_ids(session, ask.wanted, without=trending, offset=offset, limit=missing)
    return found


def _trending_of_span(session: Session, ask: DailyAsk, board: Board, *, orders: Orders) -> list[int]:
    """Return what is trending by its score, then the others of the span by votes."""

    def load() -> list[int]:
        scores = dict(board.trending(ask.window))
        voted = _by_votes(session, ask.wanted, orders, offset=0, limit=MOST_OF_A_SPAN)
        return sorted(voted, key=lambda paper_id: -scores.get(paper_id, 0.0))

    key = (ask.wanted, ask.window, board.built_at)
    return orders.read(key, load, offset=ask.offset, limit=ask.limit + 1)


def _by_votes(session: Session, wanted: Wanted, orders: Orders, *, offset: int, limit: int) -> list[int]:
    """Return papers by all their upvotes; the newest first among equals."""

    def load() -> list[int]:
        papers = {paper.paper_id: paper.upvotes for paper in load_listed(session, wanted)}
        here = count_upvotes(session, papers)
        return sorted(papers, key=lambda paper_id: -(papers[paper_id] + here.get(paper_id, 0)))

    return orders.read(wanted, load, offset=offset, limit=limit)
