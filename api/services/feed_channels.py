"""The feeds that everybody can subscribe to: which papers are in them, and when that changed last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy.orm import Session

from api.errors import NotFound, Unavailable
from api.runtime.state import Runtime
from api.services.feed_items import make_item, paper_path
from api.services.listings import list_trending
from api.services.searching import SearchRequest, search_papers
from api.services.syndication import Channel, one_line
from api.services.trending import Window
from api.store.daily import Wanted, load_shown, newest_daily_ids, read_written_at
from api.store.papers import latest_paper_ids
from api.store.tables import EPOCH, Paper

MOST_ITEMS: Final = 50  # of a feed: a reader that asks once a day misses nothing of most days
MOST_SEARCHED: Final = 200  # papers among which those of one author are: names share words
SPANS: Final[dict[Window, str]] = {"day": "today", "week": "this week", "month": "this month"}


@dataclass(frozen=True, slots=True)
class Found:
    """A feed and when the papers it is cut from changed last."""

    channel: Channel
    modified: datetime


def daily_channel(session: Session, *, base: str) -> Found:
    """Return the papers of the daily lists, newest first; of all papers while there are no such lists."""
    ids: Sequence[int] = newest_daily_ids(session, Wanted(), offset=0, limit=MOST_ITEMS)
    if not ids:
        ids = [paper_id for paper_id, _ in latest_paper_ids(session, limit=MOST_ITEMS)]
    title = "Daily papers"
    channel = _channel(base, "daily", home="/", title=title, description="The papers of the daily lists, newest first.")
    return _found(session, channel, ids, base=base)


def trending_channel(runtime: Runtime, session: Session, *, base: str, window: Window, now: datetime) -> Found:
    """Return what is trending, best first."""
    listed = list_trending(session, runtime.feeds, window=window, categories=(), now=now)
    ids = listed.paper_ids[:MOST_ITEMS]
    query = "" if window == "week" else urlencode({"window": window})
    channel = _channel(
        base,
        "trending",
        home="/papers/trending",
        title=f"Papers trending {SPANS[window]}",
        description="What readers save, upvote and read most, newer acts counting more.",
        query=query,
    )
    return replace(_found(session, channel, ids, base=base), modified=listed.built_at)


def category_channel(session: Session, *, base: str, category: str) -> Found:
    """Return the newest papers of a category; raises NotFound where it has none."""
    ids = [paper_id for paper_id, _ in latest_paper_ids(session, categories=(category,), limit=MOST_ITEMS)]
    if not ids:
        raise NotFound(f"no paper here is in the category {category!r}", category=category)
    name = quote(category, safe="")
    shown = one_line(category)
    channel = _channel(
        base,
        f"categories/{name}",
        home=f"/categories/{name}",
        title=f"New papers in {shown}",
        description=f"Papers in {shown}, newest first.",
    )
    return _found(session, channel, ids, base=base)


def search_channel(runtime: Runtime, request: SearchRequest, *, base: str, query: Mapping[str, list[str]]) -> Found:
    """Return the newest papers of a search; `query` is what asks for the same at the page of searches."""
    found = search_papers(runtime, replace(request, most=MOST_ITEMS))
    text = one_line(request.text)
    written = urlencode(query, doseq=True)
    channel = _channel(
        base,
        "search",
        home="/search" + (f"?{written}" if written else ""),
        title=f"Papers about “{text}”" if text else "Papers found",
        description="What a search finds, newest first.",
        query=written,
    )
    with runtime.db.read() as session:
        return _found(session, channel, found.paper_ids, base=base)


def author_channel(runtime: Runtime, *, base: str, author: str) -> Found:
    """Return the newest papers of an author; raises NotFound where there are none."""
    quoted = author.replace('"', " ")
    request = SearchRequest(f'author:"{quoted}"', order="newest", is_prefix=False, most=MOST_SEARCHED)
    found = search_papers(runtime, request)
    if found.is_degraded:
        raise Unavailable("authors cannot be looked up while the search index is away: ask again in a few minutes")
    with runtime.db.read() as session:
        papers = load_shown(session, found.paper_ids)
        named = one_line(author).casefold()
        ids = [each for each in found.paper_ids if each in papers and _has_author(papers[each], named)]
        if not ids:
            raise NotFound(f"no paper here is by {author!r}", author=author)
        name = quote(author, safe="")
        shown = one_line(author)
        channel = _channel(
            base,
            f"authors/{name}",
            home=f"/authors/{name}",
            title=f"New papers by {shown}",
            description=f"Papers by {shown}, newest first.",
        )
        return _found(session, channel, ids[:MOST_ITEMS], base=base)


def _channel(base: str, name: str, *, home: str, title: str, description: str, query: str = "") -> Channel:
    self_url, asked = f"{base}/feeds/{name}", f"?{query}" if query else ""
    return Channel(self_url + asked, title, description, base + home, self_url, asked, ())


def _found(session: Session, channel: Channel, paper_ids: Sequence[int], *, base: str) -> Found:
    """Return a feed with these papers in this order, but for those that their source has removed."""
    papers = load_shown(session, paper_ids)
    items = tuple(
        make_item(papers[paper_id], url=base + paper_path(papers[paper_id].external_id))
        for paper_id in paper_ids
        if paper_id in papers
    )
    return Found(replace(channel, items=items), read_written_at(session) or EPOCH)


def _has_author(paper: Paper, name: str) -> bool:
    return any(one_line(str(author)).casefold() == name for author in paper.authors)
