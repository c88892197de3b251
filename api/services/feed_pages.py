"""Pages of a list: cut from a frozen list, filled up from "latest" when it ends, never twice the same paper."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.services.feed import NOBODY
from api.services.slates import FeedPlace, Filters
from api.services.trending import read_board
from api.settings import read_settings
from api.store.events import hidden_paper_ids
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.paper_changes import listed_at_of
from api.store.papers import Place, categories_of, latest_paper_ids

TAIL_BATCH: Final = 100  # papers read at once while filling a page


@dataclass(frozen=True, slots=True)
class Turn:
    """One page and the place after it, None at the end."""

    page: FeedList
    first_rank: int
    after: FeedPlace | None


def open_list(feed: FeedList, *, has_tail: bool = True) -> FeedPlace:
    """Return the place before the first paper of a list."""
    lowest = feed.scores[-1] if len(feed) else 0.0
    return FeedPlace(feed, feed.main_source.name.lower(), lowest=lowest, has_tail=has_tail)


def open_filtered(
    session: Session, feed: FeedList, filters: Filters, *, exclude: Collection[int], now: datetime
) -> FeedPlace:
    """Return the place before the first paper of a list narrowed by filters and topped up with what is trending."""
    board = read_board(session, now=now, half_life_days=read_settings().trending_half_life_days)
    listed = set(feed.paper_ids)
    lowest = feed.scores[-1] if len(feed) else 0.0
    more = [
        Entry(paper_id, lowest, Source.TRENDING, Reason(ReasonKind.TRENDING, text=_first(filters.categories)))
        for paper_id, _ in board.trending("week", categories=filters.categories)
        if paper_id not in listed
    ]
    fits = _fitting(session, [*feed.paper_ids, *(entry.paper_id for entry in more)], filters) - set(exclude)
    own = [
        Entry(feed.paper_ids[at], feed.scores[at], feed.source(at), feed.reason(at))
        for at in range(len(feed))
        if feed.paper_ids[at] in fits
    ]
    top_up = [entry for entry in more if entry.paper_id in fits][: max(len(feed) - len(own), 0)]
    narrowed = list_of(
        [*own, *top_up],
        user_id=feed.user_id,
        version=feed.version,
        seq=feed.seq,
        built_at=feed.built_at,
        hidden=feed.hidden,
    )
    source = feed.main_source.name.lower()
    return FeedPlace(narrowed, source, skip=tuple(exclude), filters=filters, lowest=lowest)


def turn(place: FeedPlace, *, hidden: Collection[int], limit: int) -> Turn | None:
    """Return the next page, None when the frozen list alone cannot fill it and say what follows."""
    visible = [at for at, paper_id in enumerate(place.rest.paper_ids) if paper_id not in hidden]
    if len(visible) <= limit and place.has_tail:
        return None
    page = place.rest.select(visible[:limit])
    if len(visible) <= limit:
        return Turn(page, place.shown + 1, None)
    cut = visible[limit]
    shown = (*place.skip, *place.rest.paper_ids[:cut]) if place.has_tail else ()
    rest = place.rest.select(range(cut, len(place.rest)))
    after = replace(place, rest=rest, shown=place.shown + len(page), skip=shown)
    return Turn(page, place.shown + 1, after)


def turn_into_tail(session: Session, place: FeedPlace, *, hidden: Collection[int], user_id: int, limit: int) -> Turn:
    """Return the page at the end of the frozen list, filled up with the latest papers that were not in it."""
    unseen = set(hidden).union(hidden_paper_ids(session, user_id).tolist() if user_id != NOBODY else ())
    visible = [at for at, paper_id in enumerate(place.rest.paper_ids) if paper_id not in unseen]
    skip = (*place.skip, *place.rest.paper_ids)
    left_out = unseen.union(skip)
    missing = limit - len(visible)
    found = _latest(session, place, without=left_out, count=missing + 1)
    own = place.rest.select(visible)
    page = _append(own, [paper_id for paper_id, _ in found[:missing]], place)
    if len(found) <= missing:
        return Turn(page, place.shown + 1, None)
    last = found[missing - 1] if missing else place.tail
    after = replace(place, rest=place.rest.select(()), shown=place.shown + len(page), skip=skip, tail=last)
    return Turn(page, place.shown + 1, after)


def _latest(session: Session, place: FeedPlace, *, without: Collection[int], count: int) -> list[Place]:
    found: list[Place] = []
    before = place.tail
    while len(found) < count:
        batch = latest_paper_ids(
            session,
            categories=place.filters.categories,
            since=place.filters.since,
            before=before,
            limit=TAIL_BATCH + len(without),
        )
        found += [spot for spot in batch if spot[0] not in without]
        if len(batch) < TAIL_BATCH + len(without):
            break
        before = batch[-1]
    return found[:count]


def _append(page: FeedList, paper_ids: Iterable[int], place: FeedPlace) -> FeedList:
    reason = Reason(ReasonKind.NEW, text=_first(place.filters.categories))
    entries = [Entry(page.paper_ids[at], page.scores[at], page.source(at), page.reason(at)) for at in range(len(page))]
    entries += [Entry(paper_id, place.lowest, Source.LATEST, reason) for paper_id in paper_ids]
    return list_of(
        entries, user_id=page.user_id, version=page.version, seq=page.seq, built_at=page.built_at, hidden=page.hidden
    )


def _fitting(session: Session, paper_ids: list[int], filters: Filters) -> set[int]:
    fits = set(paper_ids)
    if filters.categories:
        wanted = set(filters.categories)
        found = categories_of(session, paper_ids)
        fits &= {paper_id for paper_id, categories in found.items() if not wanted.isdisjoint(categories)}
    if filters.since is not None:
        days = listed_at_of(session, paper_ids)
        fits &= {paper_id for paper_id, day in days.items() if day >= filters.since}
    return fits


def _first(categories: tuple[str, ...]) -> str:
    return categories[0] if len(categories) == 1 else ""
