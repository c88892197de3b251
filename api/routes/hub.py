"""The papers API that Hugging Face's clients speak: daily lists, search, and who the caller is."""

from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import NotAllowed, NotAuthenticated
from api.routes.deps import Actor, OptionalActor, RuntimeDep, optional_actor
from api.routes.hub_answers import (
    FOUND_KEEP_SECONDS,
    KEEP_SECONDS,
    PERSONAL,
    TRENDING_KEEP_SECONDS,
    key_of,
    make_answer,
    next_query,
    shared_answer,
)
from api.routes.hub_asking import (
    DAILY_PARAMETERS,
    DEFAULT_FOUND,
    DEFAULT_LIMIT,
    FOR_YOU,
    FOUND_PARAMETERS,
    LONGEST_QUERY,
    MOST_FOUND,
    MOST_LIMIT,
    PUBLISHED_PARAMETERS,
    Params,
    read_daily_ask,
    read_limit,
    read_page,
    read_query,
    wants_own_feed,
)
from api.routes.hub_errors import hub_answers
from api.routes.hub_feed import answer_own_feed
from api.runtime.answers import Answer
from api.runtime.state import Runtime
from api.schemas.hub import EXAMPLE_ITEM, EXAMPLE_RECORD, item_json, person_json, record_json
from api.services.accounts import read_token_label
from api.services.daily import DailyAsk, list_daily, list_published, load_voted
from api.services.hub_names import name_of_reader
from api.services.searching import SearchRequest, search_papers

router = APIRouter(prefix="/api", tags=["hub"])

JSON: Final = "application/json"
EXAMPLE_WHOAMI: Final[dict[str, Any]] = {
    **person_json("ada"),
    "orgs": [],
    "auth": {"accessToken": {"displayName": "laptop", "role": "write"}},
}


def takes(**parameters: tuple[str, str]) -> dict[str, Any]:
    """Return the description of query parameters, each a type and a sentence."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": kind}}
            for name, (kind, words) in parameters.items()
        ]
    }


_PAGE: Final = ("integer", "Page, from 0; past the end is an empty list.")
_LIMIT: Final = ("integer", f"Papers in a page, 1 to {MOST_LIMIT}. Default: {DEFAULT_LIMIT}.")


@router.get(
    "/daily_papers",
    summary="The daily lists",
    responses=hub_answers([EXAMPLE_ITEM], 400, 401, 403),
    openapi_extra=takes(
        date=("string", "Day of the daily list, `2025-12-08` (UTC): the most upvoted come first."),
        week=("string", "ISO week, `2025-W50`."),
        month=("string", "Month, `2025-12`."),
        submitter=("string", "Who submitted the paper."),
        sort=("string", f"`publishedAt` (newest first), `trending`, or `{FOR_YOU}`: the feed of the token's reader."),
        p=_PAGE,
        limit=_LIMIT,
    ),
)
async def read_daily_papers(request: Request, runtime: RuntimeDep) -> Response:
    """By the day a paper entered the daily list; unknown parameters are ignored.

    A `Link` with `rel="next"` leads on. Only `sort=for_you` depends on who asks; its items have `rank`, `score` and
    `reason`, and the header `X-Slate` is what events about them carry.
    """
    params = request.query_params
    if wants_own_feed(params):
        actor = _reading(await optional_actor(request))
        return await answer_own_feed(runtime, request.scope, actor, params)
    ask = read_daily_ask(params)
    keep_seconds = TRENDING_KEEP_SECONDS if ask.sort == "trending" else KEEP_SECONDS
    make = partial(_make_daily, runtime, ask, params)
    key = key_of(request, DAILY_PARAMETERS)
    return await run_in_threadpool(shared_answer, runtime, request.scope, make, key=key, keep_seconds=keep_seconds)


@router.get(
    "/papers",
    summary="Papers by day of publication",
    responses=hub_answers([EXAMPLE_RECORD], 400),
    openapi_extra=takes(p=_PAGE, limit=_LIMIT),
)
def read_papers(request: Request, runtime: RuntimeDep) -> Response:
    """All papers, also those of no daily list, as records; the latest first."""
    params = request.query_params
    make = partial(_make_published, runtime, params, page=read_page(params), limit=read_limit(params))
    key = key_of(request, PUBLISHED_PARAMETERS)
    return shared_answer(runtime, request.scope, make, key=key, keep_seconds=KEEP_SECONDS)


@router.get(
    "/papers/search",
    summary="Search papers",
    responses=hub_answers([EXAMPLE_ITEM], 400),
    openapi_extra=takes(
        q=("string", f"What to look for, {LONGEST_QUERY} characters at most; without it the newest papers."),
        limit=("integer", f"Papers at most, 1 to {MOST_FOUND}. Default: {DEFAULT_FOUND}."),
    ),
)
def search(request: Request, runtime: RuntimeDep) -> Response:
    """The best matches first, in the form of the daily lists."""
    params = request.query_params
    text, limit = read_query(params), read_limit(params, default=DEFAULT_FOUND, most=MOST_FOUND)
    make = partial(_make_found, runtime, text, limit=limit)
    key = key_of(request, FOUND_PARAMETERS)
    return shared_answer(runtime, request.scope, make, key=key, keep_seconds=FOUND_KEEP_SECONDS)


@router.get("/whoami-v2", summary="Whose token this is", responses=hub_answers(EXAMPLE_WHOAMI, 401, 403))
def read_whoami(runtime: RuntimeDep, actor: OptionalActor) -> Response:
    """The reader a token acts for; its name begins the slugs of the reader's collections."""
    if actor is None:
        raise NotAuthenticated("this needs a token: send `Authorization: Bearer TOKEN`")
    with runtime.db.read() as session:
        label = read_token_label(session, actor.token_id)
    reader = actor.external_user
    name = f"service-{actor.token_id}" if reader is None else name_of_reader(reader)
    role = "write" if "write" in actor.scopes else "read"
    shown = {
        **person_json(name, fullname=label if reader is None else reader),
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": {"displayName": label or actor.token_id, "role": role}},
    }
    return Response(orjson.dumps(shown), media_type=JSON, headers=PERSONAL)


def _reading(actor: Actor | None) -> Actor:
    if actor is None:
        raise NotAuthenticated(f"`sort={FOR_YOU}` is somebody's: send `Authorization: Bearer TOKEN`")
    if "read" not in actor.scopes:
        raise NotAllowed("this needs a token with the scope `read`", scope="read")
    return actor


def _make_daily(runtime: Runtime, ask: DailyAsk, params: Params) -> Answer:
    with runtime.db.read() as session:
        paper_ids, has_more = list_daily(session, runtime.feeds, ask, now=datetime.now(UTC), orders=runtime.orders)
        shown = load_voted(session, paper_ids)
    body = orjson.dumps([item_json(voted.paper, upvotes=voted.upvotes, comments=voted.comments) for voted in shown])
    following = next_query(params, DAILY_PARAMETERS, page=ask.offset // ask.limit) if has_more else None
    return make_answer(body, route="/api/daily_papers", next_query=following)


def _make_published(runtime: Runtime, params: Params, *, page: int, limit: int) -> Answer:
    with runtime.db.read() as session:
        paper_ids, has_more = list_published(session, offset=page * limit, limit=limit)
        shown = load_voted(session, paper_ids)
    body = orjson.dumps([record_json(voted.paper, upvotes=voted.upvotes, comments=voted.comments) for voted in shown])
    following = next_query(params, PUBLISHED_PARAMETERS, page=page) if has_more else None
    return make_answer(body, route="/api/papers", next_query=following)


def _make_found(runtime: Runtime, text: str, *, limit: int) -> Answer:
    found = search_papers(runtime, SearchRequest(text=text, is_prefix=False, most=limit))
    with runtime.db.read() as session:
        shown = load_voted(session, found.paper_ids)
    body = orjson.dumps([item_json(voted.paper, upvotes=voted.upvotes, comments=voted.comments) for voted in shown])
    return make_answer(body, route="/api/papers/search")
