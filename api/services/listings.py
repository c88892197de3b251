"""Lists that are the same for everybody: trending, latest, similar."""

from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from api.errors import NotFound
from api.runtime.serving import Served
from api.services.feed import NO_VERSION, NOBODY
from api.services.feed_places import Filters
from api.services.trending import Window, read_board
from api.settings import read_settings
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.feeds import FeedStore
from api.store.paper_changes import unlisted_paper_ids
from api.store.papers import Place, is_removed, latest_paper_ids, paper_ids_of

MOST_LISTED: Final = 300  # papers of a trending or similar list: all its pages fit into a cursor


def find_paper(session: Session, external_id: str) -> int:
    """Return the internal id of a paper; raises NotFound."""
    found = paper_ids_of(session, [external_id])
    if external_id not in found:
        raise NotFound(f"there is no paper {external_id!r}", paper_id=external_id)
    if is_removed(session, found[external_id]):
        raise NotFound(f"the paper {external_id!r} was removed by its source", paper_id=external_id)
    return found[external_id]


def list_trending(
    session: Session, feeds: FeedStore, *, window: Window, categories: tuple[str, ...], now: datetime
) -> FeedList:
    """Return what is trending in a window, best first."""
    half_life_days = read_settings().trending_half_life_days
    board = read_board(session, now=now, half_life_days=half_life_days, feeds=feeds)
    listed = board.trending(window, categories=categories)[:MOST_LISTED]
    reason = Reason(ReasonKind.TRENDING)
    entries = [Entry(paper_id, score, Source.TRENDING, reason) for paper_id, score in listed]
    return list_of(entries, user_id=NOBODY, version=NO_VERSION, seq=0, built_at=board.built_at)


def list_latest(session: Session, filters: Filters, *, before: Place | None, limit: int) -> list[Place]:
    """Return the newest papers and their places, after the place `before`."""
    return latest_paper_ids(session, categories=filters.categories, since=filters.since, before=before, limit=limit)


def list_similar(session: Session, served: Served | None, paper_id: int, *, now: datetime) -> FeedList:
    """Return the papers most like one, best first; empty without a model or for a paper it does not know yet."""
    entries: list[Entry] = []
    if served is not None:
        [found] = served.model.similar(np.array([paper_id], dtype=np.int64), k=MOST_LISTED)
        gone = unlisted_paper_ids(session, found.paper_ids.tolist())
        reason = Reason(ReasonKind.TASTE)
        entries = [
            Entry(similar_id, score, Source.PERSONAL, reason)
            for similar_id, score in zip(found.paper_ids.tolist(), found.scores.tolist(), strict=True)
            if similar_id not in gone
        ]
    version = NO_VERSION if served is None else served.version
    return list_of(entries, user_id=NOBODY, version=version, seq=0, built_at=now)
