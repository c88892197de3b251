"""The personal feed in the shape of the daily lists: `sort=for_you`."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from fastapi import Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from api.routes.deps import Actor
from api.routes.feed import chance_of
from api.routes.feed_lists import read_list
from api.routes.hub_answers import AS_OF, PERSONAL, next_link, next_query
from api.routes.hub_asking import DAILY_PARAMETERS, read_limit, read_page
from api.runtime.state import Runtime
from api.schemas.hub import item_json
from api.services.daily import load_voted
from api.services.feed import NOBODY
from api.services.feed_places import FeedPlace, Page, Turn, open_list, turn
from api.services.reasons import named_papers, tell
from api.services.slates import write_slate
from api.store.feed_cache import CachedList
from recommender.slate_randomisation import SLATE_ID_BYTES

SLATE_HEADER: Final = "X-Slate"
JSON: Final = "application/json"


async def answer_own_feed(runtime: Runtime, scope: Scope, actor: Actor, params: Mapping[str, str]) -> Response:
    """Return a page of the reader's list, as long as it is; the same page again is the same while the list is."""
    page, limit = read_page(params), read_limit(params)
    feed = await read_list(runtime, actor.user_id)
    turned = _cut(runtime, feed, actor, offset=page * limit, limit=limit)
    if turned is None:
        return _aged(runtime, Response(b"[]", media_type=JSON, headers=PERSONAL))
    body = await run_in_threadpool(_write, runtime, turned.page)
    reader = actor.user_id or NOBODY
    variant = runtime.settings.variant
    slate = write_slate(runtime.keys, turned.page, user_id=reader, variant=variant, now=datetime.now(UTC))
    response = Response(body, media_type=JSON, headers={**PERSONAL, SLATE_HEADER: slate})
    if turned.after is not None:
        link = next_link(runtime, scope, next_query(params, DAILY_PARAMETERS, page=page))
        response.raw_headers.append((b"link", link))
    return _aged(runtime, response)


def _aged(runtime: Runtime, response: Response) -> Response:
    as_of = runtime.freshness.text
    if as_of is not None:
        response.raw_headers.append((AS_OF, as_of.encode("ascii")))
    return response


def _cut(runtime: Runtime, feed: CachedList, actor: Actor, *, offset: int, limit: int) -> Turn | None:
    """Return the papers of a page, None past the end of the list."""
    place = open_list(
        feed.papers,
        slate_id=steady_slate_id(feed, actor.external_user),
        hidden=feed.hidden,
        randomisation=chance_of(runtime, feed),
        has_tail=False,
    )
    if offset >= len(place.shuffle()):
        return None
    return turn(_from(place, offset), hidden=(), limit=limit)


def _from(place: FeedPlace, offset: int) -> FeedPlace:
    return replace(place, following=offset, shown=offset)


def steady_slate_id(feed: CachedList, reader: str | None) -> bytes:
    """Return the same id for all pages of a list: a page number says nothing of the page before it."""
    seen = f"{reader}\0{feed.papers.version}\0{feed.papers.seq}\0{feed.papers.built_at.isoformat()}"
    return hashlib.blake2b(seen.encode("utf-8", "replace"), digest_size=SLATE_ID_BYTES).digest()


def _write(runtime: Runtime, page: Page) -> bytes:
    with runtime.db.read() as session:
        found = {voted.paper.paper_id: voted for voted in load_voted(session, page.paper_ids)}
    named = runtime.papers.load(named_papers(page.reasons))
    titles = {paper_id: paper.title for paper_id, paper in named.items()}
    items: list[dict[str, Any]] = []
    for rank, paper_id, score, reason in zip(
        range(page.first_rank, page.first_rank + len(page)), page.paper_ids, page.scores, page.reasons, strict=True
    ):
        if paper_id in found:
            voted = found[paper_id]
            item = item_json(voted.paper, upvotes=voted.upvotes, comments=voted.comments)
            items.append(item | {"rank": rank, "score": score, "reason": tell(reason, titles)})
    return orjson.dumps(items)
