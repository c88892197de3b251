"""Search: the one route, for people who type and for programs."""

import hashlib
from collections.abc import Mapping
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response

from api.errors import MissingReader, NotAllowed, NotAuthenticated
from api.routes.deps import USER_HEADER, Actor, OptionalActor, RuntimeDep
from api.routes.narrowing import read_days, read_filters, read_organizations
from api.routes.problems import answers
from api.runtime.state import Runtime
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.search import (
    EXAMPLE_SEARCH,
    From,
    Organizations,
    Personal,
    Prefix,
    SearchCategories,
    SearchOut,
    SearchText,
    Sort,
    To,
    WithCode,
    WithCounts,
)
from api.services.search_cursors import SearchPlace
from api.services.search_highlighting import Highlighter
from api.services.search_language import parse
from api.services.search_pages import open_search, take_papers, write_next
from api.services.searching import SearchRequest
from api.store.search_index import Counts
from api.store.search_query import Filters

router = APIRouter(prefix="/v1", tags=["search"])

JSON: Final = "application/json"
VARY: Final = "Authorization, X-User"
FRESH_SECONDS: Final = 15  # an answer that is the same for everybody may be kept as long
PRIVATE: Final = {"Cache-Control": "private, no-store", "Vary": VARY}
ETAG_BYTES: Final = 12


@router.get(
    "/search",
    summary="Find papers",
    response_model=SearchOut,
    responses=answers(EXAMPLE_SEARCH, 400, 401, 403, 422),
)
def read_search(
    request: Request,
    runtime: RuntimeDep,
    actor: OptionalActor,
    *,
    q: SearchText = "",
    from_: From = None,
    to: To = None,
    categories: SearchCategories = None,
    organization: Organizations = None,
    with_code: WithCode = None,
    sort: Sort = "relevance",
    prefix: Prefix = True,
    personal: Personal = False,
    counts: WithCounts = True,
    limit: Limit = DEFAULT_ITEMS,
    cursor: Cursor = None,
) -> Response:
    """By words and by meaning; misspelt words are understood, and any text is a search.

    Pages never repeat a paper, whatever is written meanwhile: a cursor holds the rest of the list, 500 papers at most,
    and is for the same `q` and filters. Without a token, answers may be kept for some seconds.
    """
    filters = Filters(
        *read_days(from_, to),
        categories=read_filters(categories, None).categories,
        organizations=read_organizations(organization),
        with_code=with_code,
    )
    reader, with_counts = _read_reader(actor) if personal else None, counts and cursor is None
    wanted = SearchRequest(q, filters, sort, is_prefix=prefix, user_id=reader, with_counts=with_counts)
    place, found = open_search(runtime, wanted, cursor, is_personal=personal)
    body = _write_page(runtime, wanted, place, found, limit=limit, is_personal=personal)
    if actor is None and not place.is_degraded:
        return _answer(request, body)
    return Response(body, media_type=JSON, headers=PRIVATE)


def _write_page(
    runtime: Runtime,
    wanted: SearchRequest,
    place: SearchPlace,
    counts: Counts | None,
    *,
    limit: int,
    is_personal: bool,
) -> bytes:
    taken, papers = take_papers(runtime, place, limit=limit)
    index = runtime.search.current
    likely = None if index is None else index.lexicon.likely
    marker = Highlighter.of(parse(wanted.text, prefix=wanted.is_prefix).wanted, likely=likely)
    items: list[dict[str, object]] = []
    for at in range(taken):
        rendered = papers.get(place.paper_ids[at])
        if rendered is None:
            continue
        paper = orjson.loads(rendered)
        marks = {"title": marker.mark_title(paper["title"]), "summary": marker.cut_snippet(paper["summary"])}
        rank = place.shown + len(items) + 1
        items.append({"rank": rank, "score": place.scores[at], "highlights": marks, "paper": orjson.Fragment(rendered)})
    after = place.after(taken, shown=len(items))
    return orjson.dumps(
        {
            "items": items,
            "next": write_next(runtime, wanted, after, is_personal=is_personal),
            "total": place.total,
            "counts": None if counts is None else _counts_json(counts),
            "degraded": place.is_degraded,
            "papers_as_of": runtime.freshness.text,
        }
    )


def _counts_json(counts: Counts) -> dict[str, object]:
    return {
        "categories": _values_json(counts.categories),
        "organizations": _values_json(counts.organizations),
        "years": _values_json(counts.years),
        "with_code": counts.with_code,
    }


def _values_json(values: Mapping[str, int] | Mapping[int, int]) -> list[dict[str, object]]:
    return [{"value": str(value), "count": count} for value, count in values.items()]


def _answer(request: Request, body: bytes) -> Response:
    """An answer that is the same for everybody, or that what the caller has is still the same."""
    tag = f'"{hashlib.blake2b(body, digest_size=ETAG_BYTES).hexdigest()}"'
    headers = {"Cache-Control": f"public, max-age={FRESH_SECONDS}", "Vary": VARY, "ETag": tag}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if not known.isdisjoint({"*", tag}):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def _read_reader(actor: Actor | None) -> int | None:
    """The reader whose taste counts, None for one nobody has heard of yet."""
    if actor is None:
        raise NotAuthenticated("`personal` needs a token: send `Authorization: Bearer TOKEN`")
    if "read" not in actor.scopes:  # the order tells of what the reader did
        raise NotAllowed("`personal` needs a token with the scope `read`", scope="read")
    if actor.external_user is None:
        raise MissingReader(f"a service token names the reader in the {USER_HEADER} header", header=USER_HEADER)
    return actor.user_id
