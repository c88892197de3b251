"""The page of searches: what is found, by which filters there is less of it, and where the words stand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidCursor, InvalidRequest
from api.routes.deps import RuntimeDep
from api.routes.site.cards import CardView, Shown, card_views
from api.routes.site.search_asking import (
    PATH,
    Asked,
    active_links,
    choices_of,
    order_links,
    read_asked,
    request_of,
)
from api.routes.site.shared_lists import LISTED
from api.routes.site.visiting import Visit, VisitDep, render
from api.runtime.state import Runtime
from api.services.search_cursors import SearchPlace
from api.services.search_highlighting import Highlighter
from api.services.search_language import parse
from api.services.search_pages import open_search, take_papers, write_next
from api.services.searching import SearchRequest
from api.services.shared_slates import arrange_shared
from api.services.slates import write_slate
from api.store.feed_codec import Source
from api.store.search_index import Counts

router = APIRouter(include_in_schema=False)

TEMPLATE: Final = "site/search.html"
TOO_OLD: Final = "The page you asked for belongs to another search: here is the first page of this one."
DEGRADED: Final = "The search index is being made anew: until then only titles are searched, and nothing is counted."
TEX: Final = "$\\"  # a title with one of these is shown as mathematics, which marks would break apart

_NOTHING: Final[dict[str, object]] = {
    "told": "",
    "orders": (),
    "groups": (),
    "cards": (),
    "slate": None,
    "pages": (None, None),
    "end": "",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A page of what was found."""

    place: SearchPlace  # before the page
    counts: Counts | None  # on the first page only
    cards: list[CardView]
    listed: Sequence[int]  # internal ids of the cards
    following: str | None  # cursor of the next page


@router.get(PATH)
async def read_search(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Papers by words and by meaning; without words, all of them."""
    asked, cursor = read_asked(request), request.query_params.get("cursor", "")
    if asked.is_personal and visit.user_id is None:
        asked = replace(asked, is_personal=False)
    try:
        wanted = request_of(asked, user_id=visit.user_id, with_counts=not cursor)
    except InvalidRequest as error:
        return _refuse(request, visit, asked, error)
    try:
        found, notes = await run_in_threadpool(_find, runtime, visit, wanted, cursor or None), []
    except InvalidCursor:
        first = replace(wanted, with_counts=True)
        found, notes = await run_in_threadpool(_find, runtime, visit, first, None), [TOO_OLD]
    values: dict[str, Any] = {**_values(runtime, visit, asked, found), "notes": [*notes, *_tell_state(found)]}
    return render(request, visit, TEMPLATE, **values)


def _find(runtime: Runtime, visit: Visit, wanted: SearchRequest, cursor: str | None) -> _Found:
    is_personal = wanted.user_id is not None
    place, counts = open_search(runtime, wanted, cursor, is_personal=is_personal)
    taken, papers = take_papers(runtime, place, limit=LISTED)
    index = runtime.search.current
    marker = Highlighter.of(
        parse(wanted.text, prefix=wanted.is_prefix).wanted, likely=None if index is None else index.lexicon.likely
    )
    listed = [paper_id for paper_id in place.paper_ids[:taken] if paper_id in papers]
    shown: list[Shown] = []
    for paper_id in listed:
        paper = orjson.loads(papers[paper_id])
        snippet = marker.cut_snippet(paper["summary"] or "")
        shown.append(Shown(paper, paper_id, highlights=(snippet,) if "<mark>" in snippet else ()))
    cards = [
        _with_marks(card, each.paper["title"], marker)
        for card, each in zip(card_views(runtime, shown, visit), shown, strict=True)
    ]
    after = place.after(taken, shown=len(listed))
    return _Found(place, counts, cards, listed, write_next(runtime, wanted, after, is_personal=is_personal))


def _with_marks(card: CardView, title: str, marker: Highlighter) -> CardView:
    if any(sign in title for sign in TEX):
        return card
    return replace(card, title_html=marker.mark_title(title))


def _values(runtime: Runtime, visit: Visit, asked: Asked, found: _Found) -> dict[str, object]:
    place, is_first = found.place, found.place.shown == 0
    return {
        **_frame(asked),
        "told": _tell(asked, found) if is_first else f"From paper {place.shown + 1:,} on.",
        "orders": order_links(asked, is_known=visit.user_id is not None),
        "groups": [] if found.counts is None else choices_of(asked, found.counts),
        "cards": found.cards,
        "slate": _slate_of(runtime, visit, found),
        "pages": (
            None if is_first else asked.address(),
            None if found.following is None else asked.address(cursor=found.following),
        ),
        "end": _end(found),
    }


def _frame(asked: Asked) -> dict[str, object]:
    """What the page says about the question, whatever the answer is."""
    return {
        "asked": asked,
        "query": asked.text,
        "heading": f"Papers for “{asked.text.strip()}”" if asked.has_text else "Search",
        "active": active_links(asked),
    }


def _tell_state(found: _Found) -> list[str]:
    return [DEGRADED] if found.place.is_degraded else []


def _refuse(request: Request, visit: Visit, asked: Asked, error: InvalidRequest) -> Response:
    said = f"{error.detail[:1].upper()}{error.detail[1:]}."
    values: dict[str, Any] = {**_NOTHING, **_frame(asked), "notes": [said]}
    return render(request, visit, TEMPLATE, status=error.status, **values)


def _tell(asked: Asked, found: _Found) -> str:
    """Say how many papers match, and that some which are only alike may follow them."""
    total, has_others = found.place.total, len(found.place.paper_ids) > found.place.total
    if not found.cards:
        return "No paper matches. Fewer words or filters find more; `-word` leaves a word out."
    if not asked.has_text:
        return f"{total:,} papers{' with these filters' if asked.is_narrowed else ''}."
    if not total:
        return "No paper has these words; these are like what you asked for."
    words = f"{total:,} paper{'s match' if total != 1 else ' matches'}"
    return f"{words}; papers that are like what you asked for follow." if has_others else f"{words}."


def _end(found: _Found) -> str:
    """What stands below the last paper."""
    if found.following is not None or not found.cards:
        return ""
    count = found.place.shown + len(found.cards)
    if count < found.place.total:
        return f"These are the first {count:,}: more words or a filter lead to the others."
    return "You are up to date: these are all of them."


def _slate_of(runtime: Runtime, visit: Visit, found: _Found) -> str | None:
    reader = visit.slate_reader
    if reader is None or not found.listed:
        return None
    now = datetime.now(UTC)
    arranged = arrange_shared(found.listed, source=Source.LATEST, first_rank=found.place.shown + 1, now=now)
    return write_slate(runtime.keys, arranged, user_id=reader, variant=runtime.settings.variant, now=now)
