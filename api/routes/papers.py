"""Papers, and the lists that are the same for everybody."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson
from fastapi import APIRouter, Response

from api.errors import InvalidCursor, NotFound
from api.ids import normalised_id
from api.routes.deps import OptionalActor, RuntimeDep
from api.routes.narrowing import read_filters
from api.routes.problems import answers
from api.runtime.state import Runtime
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.feed import (
    EXAMPLE_LATEST,
    EXAMPLE_PAPERS,
    Categories,
    PapersOut,
    Since,
    WindowName,
)
from api.schemas.papers import EXAMPLE_PAPER, PaperOut
from api.services import listings
from api.services.cursors import decode_cursor, encode_cursor
from api.services.feed_cursors import read_cursor, write_cursor
from api.services.feed_places import FeedPlace, Turn, open_list, turn
from api.store.feed_codec import FeedList
from api.store.packed_list import packed
from api.store.papers import Place
from api.store.tables import EPOCH, ONE_MICROSECOND
from recommender.slate_randomisation import SLATE_ID_BYTES

router = APIRouter(prefix="/v1", tags=["papers"])

JSON = "application/json"
NO_SLATE = bytes(SLATE_ID_BYTES)  # of lists that chance does not touch


@router.get(
    "/trending",
    summary="What readers save, vote for and read",
    response_model=PapersOut,
    responses=answers(EXAMPLE_PAPERS, 401, 422),
)
def read_trending(
    runtime: RuntimeDep,
    _actor: OptionalActor,
    *,
    window: WindowName = "week",
    category: Categories = None,
    limit: Limit = DEFAULT_ITEMS,
    cursor: Cursor = None,
) -> Response:
    """Saves, votes, clicks and reads of the window, and votes at the source, each fading with age."""
    categories = read_filters(category, None).categories
    scope = f"trending\0{window}\0{','.join(categories)}"
    if cursor is not None:
        return _frozen_page(runtime, read_cursor(runtime.keys, cursor, scope=scope), scope=scope, limit=limit)
    with runtime.db.read() as session:
        found = listings.list_trending(
            session, runtime.feeds, window=window, categories=categories, now=datetime.now(UTC)
        )
    return _frozen_page(runtime, _open(found), scope=scope, limit=limit)


@router.get(
    "/latest",
    summary="The newest papers",
    response_model=PapersOut,
    responses=answers(EXAMPLE_LATEST, 401, 422),
)
def read_latest(
    runtime: RuntimeDep,
    _actor: OptionalActor,
    *,
    category: Categories = None,
    since: Since = None,
    limit: Limit = DEFAULT_ITEMS,
    cursor: Cursor = None,
) -> Response:
    """By the day of their daily list, else of publication, else of arrival; a cursor is for the same filters."""
    filters = read_filters(category, since)
    scope = f"latest\0{','.join(filters.categories)}\0{filters.since}"
    shown, before = _read_place(runtime, scope, cursor)
    with runtime.db.read() as session:
        places = listings.list_latest(session, filters, before=before, limit=limit + 1)
    papers = runtime.papers.get_many([paper_id for paper_id, _ in places[:limit]])
    items = [
        {"rank": shown + at, "paper": orjson.Fragment(papers[paper_id])}
        for at, (paper_id, _) in enumerate(places[:limit], start=1)
        if paper_id in papers
    ]
    following = None
    if len(places) > limit:
        paper_id, listed_at = places[limit - 1]
        at = (listed_at - EPOCH) // ONE_MICROSECOND
        following = encode_cursor(runtime.keys, scope, [shown + limit, paper_id, at])
    return _answer(runtime, items, following)


@router.get(
    "/papers/{paper_id:path}/similar",
    summary="Papers like this one",
    response_model=PapersOut,
    responses=answers(EXAMPLE_PAPERS, 401, 404, 422),
)
def read_similar(
    runtime: RuntimeDep, _actor: OptionalActor, paper_id: str, limit: Limit = DEFAULT_ITEMS, cursor: Cursor = None
) -> Response:
    """By words and by who reads them; empty while no model has been fitted."""
    scope = f"similar\0{paper_id}"
    if cursor is not None:
        return _frozen_page(runtime, read_cursor(runtime.keys, cursor, scope=scope), scope=scope, limit=limit)
    with runtime.db.read() as session:
        internal_id = listings.find_paper(session, _stored_id(paper_id))
        found = listings.list_similar(session, runtime.serving.current, internal_id, now=datetime.now(UTC))
    return _frozen_page(runtime, _open(found), scope=scope, limit=limit)


@router.get(
    "/papers/{paper_id:path}",
    summary="One paper",
    response_model=PaperOut,
    responses=answers(EXAMPLE_PAPER, 401, 404),
)
def read_paper(runtime: RuntimeDep, _actor: OptionalActor, paper_id: str) -> Response:
    """By its id, with or without `arXiv:` and a version suffix; old ids have a slash."""
    with runtime.db.read() as session:
        internal_id = listings.find_paper(session, _stored_id(paper_id))
    papers = runtime.papers.get_many([internal_id])
    if internal_id not in papers:
        raise NotFound(f"there is no paper {paper_id!r}", paper_id=paper_id)
    return Response(papers[internal_id], media_type=JSON)


def _stored_id(paper_id: str) -> str:
    try:
        return normalised_id(paper_id)
    except ValueError:
        raise NotFound(f"there is no paper {paper_id!r}", paper_id=paper_id) from None


def _frozen_page(runtime: Runtime, place: FeedPlace, *, scope: str, limit: int) -> Response:
    """Answer the next page of a list that is frozen whole."""
    turned = turn(place, hidden=(), limit=limit)
    if turned is None:  # only a list with a tail asks for more
        raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
    papers = runtime.papers.get_many(turned.page.paper_ids)
    items = [
        {"rank": turned.page.first_rank + at, "score": score, "paper": orjson.Fragment(papers[paper_id])}
        for at, (paper_id, score) in enumerate(zip(turned.page.paper_ids, turned.page.scores, strict=True))
        if paper_id in papers
    ]
    return _answer(runtime, items, _following(runtime, turned, scope))


def _answer(runtime: Runtime, items: Sequence[object], following: str | None) -> Response:
    body = {"items": items, "next": following, "papers_as_of": runtime.freshness.text}
    return Response(orjson.dumps(body), media_type=JSON)


def _open(found: FeedList) -> FeedPlace:
    return open_list(packed(found), slate_id=NO_SLATE, has_tail=False)


def _following(runtime: Runtime, turned: Turn, scope: str) -> str | None:
    return None if turned.after is None else write_cursor(runtime.keys, turned.after, scope=scope)


def _read_place(runtime: Runtime, scope: str, cursor: str | None) -> tuple[int, Place | None]:
    """Papers shown before, and the last place of the page before."""
    if cursor is None:
        return 0, None
    match decode_cursor(runtime.keys, scope, cursor):
        case [int(shown), int(paper_id), int(microseconds)]:
            return shown, (paper_id, EPOCH + timedelta(microseconds=microseconds))
    raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
