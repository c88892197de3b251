"""The feed: one round trip to the cache, ready bytes, no SQL while the list is there."""

import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from api.routes.deps import Actor, RuntimeDep, require_scope
from api.routes.narrowing import read_exclusions, read_filters
from api.routes.problems import answers
from api.runtime.metrics import FEED_CACHE, FEEDS
from api.runtime.rendered import Rendered
from api.runtime.state import Runtime
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.feed import EXAMPLE_FEED, Categories, Exclude, FeedOut, Since
from api.services.feed import NO_VERSION, NOBODY
from api.services.feed_pages import Turn, open_filtered, open_list, turn, turn_into_tail
from api.services.feed_reading import build_for_reader, build_without_model
from api.services.reasons import named_papers, tell
from api.services.slates import FeedPlace, Filters, read_cursor, write_cursor, write_slate
from api.store.events import hidden_paper_ids
from api.store.feed_codec import FeedList, Source
from api.store.papers import paper_ids_of

router = APIRouter(prefix="/v1", tags=["feed"])

PERSONAL: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-User"}
JSON: Final = "application/json"
WAIT_FOR_SLOT_SECONDS: Final = 0.5  # then the reader gets what everybody gets
MOST_CUTS: Final = 5  # of one page, because papers of the list have been removed
SOURCE_NAMES: Final = {source: source.name.lower() for source in Source}
Shown = tuple[Turn, dict[int, Rendered]]


@router.get(
    "/feed",
    summary="The reader's feed",
    response_model=FeedOut,
    responses=answers(EXAMPLE_FEED, 401, 403, 422, 503),
)
async def read_feed(
    runtime: RuntimeDep,
    actor: Annotated[Actor, Depends(require_scope("read"))],
    *,
    limit: Limit = DEFAULT_ITEMS,
    cursor: Cursor = None,
    category: Categories = None,
    since: Since = None,
    exclude: Exclude = None,
) -> Response:
    """Personal for a reader, else trending blended with latest.

    The pages of one list never repeat a paper or leave one out: the cursor holds the frozen rest of it, with its
    filters. What the reader has hidden since is left out.
    """
    user_id, scope = actor.user_id, f"feed\0{actor.external_user or ''}"
    if cursor is not None:
        place = read_cursor(runtime.secret_key, cursor, scope=scope)
        hidden = await _read_hidden(runtime, user_id)
    else:
        filters, excluded = read_filters(category, since), read_exclusions(exclude)
        feed = await _read_list(runtime, user_id)
        place, hidden = open_list(feed), feed.hidden
        if filters != Filters() or excluded:
            place = await run_in_threadpool(_narrow, runtime, feed, filters, excluded)
    body = await _read_page(runtime, place, hidden=hidden, user_id=user_id, scope=scope, limit=limit)
    return Response(body, media_type=JSON, headers=PERSONAL)


async def read_first_page(runtime: Runtime, *, user_id: int | None, external_user: str, limit: int) -> bytes:
    """Return the first page of a reader's feed as the API answers it."""
    feed = await _read_list(runtime, user_id)
    scope = f"feed\0{external_user}"
    return await _read_page(runtime, open_list(feed), hidden=feed.hidden, user_id=user_id, scope=scope, limit=limit)


async def _read_page(
    runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], user_id: int | None, scope: str, limit: int
) -> bytes:
    reader = user_id or NOBODY
    shown = _show_from_memory(runtime, place, hidden=hidden, limit=limit)
    if shown is None:
        shown = await run_in_threadpool(_show_from_sql, runtime, place, hidden=hidden, user_id=reader, limit=limit)
    FEEDS.labels(place.source).inc()
    return _answer(runtime, *shown, source=place.source, scope=scope, user_id=reader)


@lru_cache(maxsize=1)
def _build_slots(count: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(count)


async def _read_list(runtime: Runtime, user_id: int | None) -> FeedList:
    if user_id is None:
        return await run_in_threadpool(_build_common, runtime, None)
    served = runtime.serving.current
    if served is None:  # the process has just started, or there is no model yet
        served = await run_in_threadpool(runtime.serving.poll)
    version = NO_VERSION if served is None else served.version
    feed = await runtime.async_feeds.read_list(user_id, version=version)
    FEED_CACHE.labels("miss" if feed is None else "hit").inc()
    return await run_in_threadpool(_build_missing, runtime, user_id) if feed is None else feed


async def _read_hidden(runtime: Runtime, user_id: int | None) -> Collection[int]:
    if user_id is None:
        return ()
    hidden = await runtime.async_feeds.read_hidden(user_id)
    return await run_in_threadpool(_hidden_from_sql, runtime, user_id) if hidden is None else hidden


def _hidden_from_sql(runtime: Runtime, user_id: int) -> frozenset[int]:
    with runtime.db.read() as session:
        return frozenset(hidden_paper_ids(session, user_id).tolist())


def _build_missing(runtime: Runtime, user_id: int) -> FeedList:
    """Build the list that the cache lacks and put it there; without a free slot, what everybody gets."""
    slots = _build_slots(runtime.settings.feed_build_slots)
    if not slots.acquire(timeout=WAIT_FOR_SLOT_SECONDS):
        return _build_common(runtime, user_id)
    try:
        seen = runtime.feeds.read_hidden(user_id)
        with runtime.db.read() as session:
            feed = build_for_reader(session, runtime.serving.current, user_id, now=datetime.now(UTC))
        runtime.feeds.write_list(feed, seen=seen)
        return feed
    finally:
        slots.release()


def _build_common(runtime: Runtime, user_id: int | None) -> FeedList:
    with runtime.db.read() as session:
        return build_without_model(session, user_id, now=datetime.now(UTC))


def _narrow(runtime: Runtime, feed: FeedList, filters: Filters, excluded: list[str]) -> FeedPlace:
    with runtime.db.read() as session:
        ids = paper_ids_of(session, excluded).values()
        return open_filtered(session, feed, filters, exclude=frozenset(ids), now=datetime.now(UTC))


def _show_from_memory(runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], limit: int) -> Shown | None:
    """The next page when neither its papers nor what follows needs SQL."""
    turned = turn(place, hidden=hidden, limit=limit)
    if turned is None:
        return None
    papers = runtime.papers.get_cached(_needed(turned.page))
    return None if papers is None else (turned, papers)


def _show_from_sql(runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], user_id: int, limit: int) -> Shown:
    """The next page, cut anew without papers that turn out to have been removed."""
    turned, papers = _cut(runtime, place, hidden=hidden, user_id=user_id, limit=limit)
    gone: set[int] = set()
    for _ in range(MOST_CUTS):
        removed = [paper_id for paper_id in turned.page.paper_ids if paper_id not in papers]
        if not removed:
            break
        gone.update(removed)
        turned, papers = _cut(runtime, place, hidden=gone.union(hidden), user_id=user_id, limit=limit)
    there = [at for at, paper_id in enumerate(turned.page.paper_ids) if paper_id in papers]
    return replace(turned, page=turned.page.select(there)), papers


def _cut(runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], user_id: int, limit: int) -> Shown:
    turned = turn(place, hidden=hidden, limit=limit)
    if turned is None:
        with runtime.db.read() as session:
            turned = turn_into_tail(session, place, hidden=hidden, user_id=user_id, limit=limit)
    return turned, runtime.papers.load(_needed(turned.page))


def _needed(page: FeedList) -> set[int]:
    return named_papers([page.reason(at) for at in range(len(page))]).union(page.paper_ids)


def _answer(
    runtime: Runtime, turned: Turn, papers: dict[int, Rendered], *, source: str, scope: str, user_id: int
) -> bytes:
    page = turned.page
    titles = {paper_id: rendered.title for paper_id, rendered in papers.items()}
    items = [
        {
            "rank": turned.first_rank + at,
            "score": page.scores[at],
            "source": SOURCE_NAMES[page.source(at)],
            "reason": tell(page.reason(at), titles),
            "paper": orjson.Fragment(papers[paper_id].json),
        }
        for at, paper_id in enumerate(page.paper_ids)
    ]
    key = runtime.secret_key
    after = turned.after
    slate = write_slate(key, page, user_id=user_id, first_rank=turned.first_rank, now=datetime.now(UTC))
    return orjson.dumps(
        {
            "items": items,
            "next": None if after is None else write_cursor(key, after, scope=scope),
            "source": source,
            "built_at": page.built_at.isoformat(),
            "version": page.version or None,
            "slate": slate,
        }
    )
