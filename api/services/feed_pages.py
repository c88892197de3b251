"""Pages that need SQL: a list narrowed by filters, and the latest papers after the end of a list."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.services.feed import NOBODY
from api.services.feed_places import FeedPlace, Filters, Page, Turn, cut, open_list
from api.services.muting import NOTHING_MUTED, Rules, muted_among, read_rules
from api.services.trending import read_board
from api.settings import read_settings
from api.store.events import hidden_paper_ids
from api.store.feed_codec import Entry, Reason, ReasonKind, Source, list_of
from api.store.packed_list import PackedList, packed
from api.store.paper_changes import listed_at_of
from api.store.papers import Place, categories_of, latest_paper_ids
from recommender.slate_randomisation import Randomisation

TAIL_BATCH: Final = 100  # papers read at once while filling a page
MOST_BATCHES: Final = 50  # of one page: a reader who mutes next to everything comes to the end of the list there
CERTAIN: Final = 1.0  # propensity of what no chance has placed


def open_filtered(
    session: Session,
    feed: PackedList,
    filters: Filters,
    *,
    exclude: Collection[int],
    hidden: Collection[int],
    randomisation: Randomisation,
    slate_id: bytes,
    now: datetime,
    reader: int | None = None,
) -> FeedPlace:
    """Return the place before the first paper of a list narrowed by filters and topped up with what is trending.

    Nothing of what the reader mutes is among it.
    """
    board = read_board(session, now=now, half_life_days=read_settings().trending_half_life_days)
    muted = read_rules(session, reader)
    ranked, scores = feed.paper_ids[: len(feed)], feed.scores(0, len(feed))
    listed = set(ranked)
    more = [
        Entry(paper_id, feed.lowest, Source.TRENDING, Reason(ReasonKind.TRENDING, text=_first(filters.categories)))
        for paper_id, _ in board.trending("week", categories=filters.categories)
        if paper_id not in listed
    ]
    fits = _fitting(session, [*ranked, *(entry.paper_id for entry in more)], filters) - set(exclude)
    own = [
        Entry(paper_id, scores[at], feed.source(at), feed.reason(at))
        for at, paper_id in enumerate(ranked)
        if paper_id in fits
    ]
    wanted = [entry for entry in more if entry.paper_id in fits]
    unwanted = muted_among(session, muted, [entry.paper_id for entry in wanted])
    top_up = [entry for entry in wanted if entry.paper_id not in unwanted][: max(len(feed) - len(own), 0)]
    narrowed = list_of(
        [*own, *top_up], user_id=feed.user_id, version=feed.version, seq=feed.seq, built_at=feed.built_at
    )
    swaps = replace(randomisation, exploration_share=0.0)  # what the pool holds may not fit
    place = open_list(packed(narrowed), slate_id=slate_id, hidden=hidden, randomisation=swaps)
    return replace(place, source=feed.main_source, lowest=feed.lowest, skip=tuple(exclude), filters=filters)


def turn_into_tail(session: Session, place: FeedPlace, *, hidden: Collection[int], user_id: int, limit: int) -> Turn:
    """Return the page at the end of the frozen list, filled up with the latest papers that were not in it."""
    muted = read_rules(session, user_id) if user_id != NOBODY else NOTHING_MUTED
    unseen = set(hidden).union(hidden_paper_ids(session, user_id).tolist() if user_id != NOBODY else ())
    unseen |= muted_among(session, muted, place.frozen.paper_ids)
    own, following = cut(place, hidden=unseen, limit=limit)
    if following is not None:
        return Turn(own, place.after(own, following=following))
    missing = limit - len(own)
    found = _latest(session, place, without=unseen.union(_listed(place)), muted=muted, count=missing + 1)
    page = _append(own, [paper_id for paper_id, _ in found[:missing]], place)
    if len(found) <= missing:
        return Turn(page, None)
    last = found[missing - 1] if missing else place.tail
    return Turn(page, replace(place, following=len(place.shuffle()), shown=place.shown + len(page), tail=last))


def _listed(place: FeedPlace) -> set[int]:
    """What must not come after the list: its ranked papers, those of the pool that were drawn, what was excluded."""
    shuffle, positions = place.shuffle(), place.visible()
    drawn = [positions[pick] for pick in shuffle.part(0, len(shuffle)).picks if pick >= shuffle.ordinary]
    ids = place.frozen.paper_ids
    return {*place.skip, *ids[: len(place.frozen)], *(ids[position] for position in drawn)}


def _latest(session: Session, place: FeedPlace, *, without: Collection[int], muted: Rules, count: int) -> list[Place]:
    found: list[Place] = []
    before = place.tail
    for _ in range(MOST_BATCHES):
        batch = latest_paper_ids(
            session,
            categories=place.filters.categories,
            since=place.filters.since,
            before=before,
            limit=TAIL_BATCH + len(without),
        )
        news = [spot for spot in batch if spot[0] not in without]
        unwanted = muted_among(session, muted, [spot[0] for spot in news])
        found += [spot for spot in news if spot[0] not in unwanted]
        if len(found) >= count or len(batch) < TAIL_BATCH + len(without):
            break
        before = batch[-1]
    return found[:count]


def _append(page: Page, paper_ids: Iterable[int], place: FeedPlace) -> Page:
    added = list(paper_ids)
    reason = Reason(ReasonKind.NEW, text=_first(place.filters.categories))
    return replace(
        page,
        paper_ids=[*page.paper_ids, *added],
        scores=[*page.scores, *(place.lowest for _ in added)],
        sources=[*page.sources, *(Source.LATEST for _ in added)],
        reasons=[*page.reasons, *(reason for _ in added)],
        propensities=[*page.propensities, *(CERTAIN for _ in added)],
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
