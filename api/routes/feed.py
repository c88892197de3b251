"""The feed: one round trip to the cache, ready bytes, no SQL while the list is there."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidCursor
from api.routes.deps import Actor, RuntimeDep, require_scope
from api.routes.feed_json import SOURCE_NAMES, write_page
from api.routes.feed_lists import HITS, read_hidden, read_list
from api.routes.narrowing import read_exclusions, read_filters
from api.routes.problems import answers
from api.runtime.entropy import Entropy
from api.runtime.metrics import FEEDS
from api.runtime.rendered import Rendered
from api.runtime.state import Runtime
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.feed import EXAMPLE_FEED, Categories, Exclude, FeedOut, Since
from api.services.feed import NOBODY
from api.services.feed_cursors import read_cursor
from api.services.feed_pages import open_filtered, turn_into_tail
from api.services.feed_places import AS_RANKED, NOT_NARROWED, FeedPlace, Filters, Page, Turn, open_list, turn
from api.services.reasons import named_papers
from api.store.feed_cache import CachedList
from api.store.feed_codec import Source
from api.store.papers import paper_ids_of
from recommender.slate_randomisation import SLATE_ID_BYTES, Randomisation

router = APIRouter(prefix="/v1", tags=["feed"])

PATH: Final = "/v1/feed"
PERSONAL: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-User"}
JSON: Final = "application/json"
MOST_CUTS: Final = 5  # of one page, because papers of the list have been removed
Shown = tuple[Turn, dict[int, Rendered]]
_FEEDS: Final = {source: FEEDS.labels(name) for source, name in SOURCE_NAMES.items()}
_SLATE_IDS: Final = Entropy(SLATE_ID_BYTES)


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
    user_id, scope = actor.user_id, scope_of(actor.external_user or "")
    if cursor is not None:
        place = read_cursor(runtime.keys, cursor, scope=scope)
        hidden = await read_hidden(runtime, user_id, place.frozen)
    else:
        filters, excluded = read_filters(category, since), read_exclusions(exclude)
        feed = await read_list(runtime, user_id)
        hidden = feed.hidden
        if filters != NOT_NARROWED or excluded:
            place = await run_in_threadpool(_narrow, runtime, feed, filters, excluded, user_id=user_id)
        else:
            place = _open(runtime, feed)
    body = await _read_page(runtime, place, hidden=hidden, user_id=user_id, scope=scope, limit=limit)
    return Response(body, media_type=JSON, headers=PERSONAL)


async def read_hit(
    runtime: Runtime, *, user_id: int, external_user: str, limit: int, cursor: str | None
) -> bytes | None:
    """Return a page that neither SQL nor an error is needed for, None for any other."""
    served = runtime.serving.current
    if served is None:
        return None
    scope = scope_of(external_user)
    if cursor is None:
        feed = await runtime.async_feeds.read_list(user_id, version=served.version)
        if feed is None or runtime.serving.is_outdated(feed.papers.built_at):
            return None
        place, hidden = _open(runtime, feed), feed.hidden
    else:
        try:
            place = read_cursor(runtime.keys, cursor, scope=scope)
        except InvalidCursor:  # the route meets the same and says so
            return None
        found = await runtime.async_feeds.read_hidden(user_id, seq=place.frozen.seq)
        if found is None:
            return None
        hidden = found
    shown = _show_from_memory(runtime, place, hidden=hidden, limit=limit)
    if shown is None:
        return None
    if cursor is None:
        HITS.inc()
    _FEEDS[place.source].inc()
    return _answer(runtime, *shown, source=place.source, scope=scope, user_id=user_id)


async def show_page(
    runtime: Runtime, *, user_id: int | None, external_user: str, limit: int, cursor: str | None = None
) -> tuple[FeedPlace, Turn, dict[int, Rendered]]:
    """Return the place of the first page, or of a cursor's, what the page shows and its papers; raises InvalidCursor.

    The same list, cursors and slates as the API's.
    """
    hidden: Collection[int]
    if cursor is None:
        feed = await read_list(runtime, user_id)
        place, hidden = _open(runtime, feed), feed.hidden
    else:
        place = read_cursor(runtime.keys, cursor, scope=scope_of(external_user))
        hidden = await read_hidden(runtime, user_id, place.frozen)
    return place, *await _show(runtime, place, hidden=hidden, user_id=user_id, limit=limit)


def scope_of(external_user: str) -> str:
    """Return what cursors of this reader's feed are sealed for."""
    return f"feed\0{external_user}"


def _open(runtime: Runtime, feed: CachedList) -> FeedPlace:
    """Freeze the list as its reader sees it now, under a slate of its own."""
    slate_id = _SLATE_IDS.take()
    return open_list(feed.papers, slate_id=slate_id, hidden=feed.hidden, randomisation=chance_of(runtime, feed))


def chance_of(runtime: Runtime, feed: CachedList) -> Randomisation:
    """Return how chance arranges a list: what everybody gets is as it is ranked."""
    settings = runtime.settings
    is_common = feed.papers.user_id == NOBODY
    return AS_RANKED if is_common else _randomisation_of(settings.swap_probability, settings.exploration_share)


@lru_cache(maxsize=8)
def _randomisation_of(swap_probability: float, exploration_share: float) -> Randomisation:
    return Randomisation(swap_probability, exploration_share)


async def _read_page(
    runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], user_id: int | None, scope: str, limit: int
) -> bytes:
    shown = await _show(runtime, place, hidden=hidden, user_id=user_id, limit=limit)
    return _answer(runtime, *shown, source=place.source, scope=scope, user_id=user_id or NOBODY)


async def _show(
    runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], user_id: int | None, limit: int
) -> Shown:
    shown = _show_from_memory(runtime, place, hidden=hidden, limit=limit)
    if shown is None:
        reader = user_id or NOBODY
        shown = await run_in_threadpool(_show_from_sql, runtime, place, hidden=hidden, user_id=reader, limit=limit)
    _FEEDS[place.source].inc()
    return shown


def _narrow(
    runtime: Runtime, feed: CachedList, filters: Filters, excluded: list[str], *, user_id: int | None
) -> FeedPlace:
    with runtime.db.read() as session:
        return open_filtered(
            session,
            feed.papers,
            filters,
            exclude=frozenset(paper_ids_of(session, excluded).values()),
            hidden=feed.hidden,
            randomisation=chance_of(runtime, feed),
            slate_id=_SLATE_IDS.take(),
            now=datetime.now(UTC),
            reader=user_id,
        )


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
    missing = [paper_id for paper_id in turned.page.paper_ids if paper_id not in papers]
    return replace(turned, page=turned.page.without(missing)), papers


def _cut(runtime: Runtime, place: FeedPlace, *, hidden: Collection[int], user_id: int, limit: int) -> Shown:
    turned = turn(place, hidden=hidden, limit=limit)
    if turned is None:
        with runtime.db.read() as session:
            turned = turn_into_tail(session, place, hidden=hidden, user_id=user_id, limit=limit)
    return turned, runtime.papers.load(_needed(turned.page))


def _needed(page: Page) -> set[int]:
    return named_papers(page.reasons).union(page.paper_ids)


def _answer(
    runtime: Runtime, turned: Turn, papers: dict[int, Rendered], *, source: Source, scope: str, user_id: int
) -> bytes:
    variant = runtime.settings.variant
    return write_page(
        runtime.keys,
        turned,
        papers,
        source=source,
        scope=scope,
        user_id=user_id,
        variant=variant,
        papers_as_of=runtime.freshness.text,
    )
