"""The reader's own list as a page: the ranking, the slates and the cursors of `GET /v1/feed`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidCursor
from api.routes.deps import RuntimeDep
from api.routes.feed import scope_of, show_page
from api.routes.feed_json import SOURCE_NAMES
from api.routes.site.asking import address
from api.routes.site.cards import Shown, card_views
from api.routes.site.shared_lists import LISTED
from api.routes.site.visiting import Visit, VisitDep, render
from api.routes.site.words import age
from api.runtime.rendered import Rendered
from api.runtime.state import Runtime
from api.services.accounts import read_interests
from api.services.deciding import read_decisions
from api.services.feed_cursors import write_cursor
from api.services.feed_places import FeedPlace, Page, Turn
from api.services.reasons import tell
from api.services.slates import write_slate
from api.store.feed_codec import Source

router = APIRouter(include_in_schema=False)

PATH: Final = "/for-you"
OLD: Final = timedelta(days=1)  # a list is built anew after every change and every promotion: this one was left behind
MOST_NAMED: Final = 4  # categories in one line
TOO_OLD: Final = (
    "The page you asked for belongs to a list that is not kept any more, or to somebody else: here is yours."
)
FOLLOWING: Final = "You are up to date with your list. What follows are the newest papers that are not in it."
SEEN_ALL: Final = "You are up to date: there is no other paper here. New ones appear as they arrive."


@dataclass(frozen=True, slots=True)
class _Own:
    """A page of somebody's list."""

    place: FeedPlace  # before the page
    turned: Turn
    papers: dict[int, Rendered]
    is_first: bool
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    """What a list is made of, in words."""

    words: str
    is_unknown: bool = False  # nothing is known that it could be made from


@router.get(PATH)
async def read_for_you(request: Request, runtime: RuntimeDep, visit: VisitDep, cursor: str = "") -> Response:
    """What fits the visitor, with the reason for each paper."""
    own = await _read_own(runtime, visit, cursor)
    cards = await run_in_threadpool(card_views, runtime, _shown(own), visit)
    first_other = _first_other(own)
    after = own.turned.after
    following = None if after is None else write_cursor(runtime.keys, after, scope=scope_of(visit.name))
    told = _Told("", is_unknown=visit.user_id is None)
    if own.is_first and cards:
        told = await run_in_threadpool(_tell, runtime, visit, own.place)
    return render(
        request,
        visit,
        "site/for_you.html",
        notes=[note for note in (*own.notes, told.words) if note],
        is_old=_is_old(own.place),
        is_unknown=told.is_unknown,
        num_new=sum(card.is_new for card in cards),
        own=cards[:first_other],
        others=cards[first_other:],
        break_words=FOLLOWING if own.place.tail is None and own.turned.page.paper_ids else "",
        slate=_slate_of(runtime, visit, own.turned.page),
        following=None if following is None else address(PATH, cursor=following),
        is_first=own.is_first,
        end=SEEN_ALL if following is None else "",
    )


async def _read_own(runtime: Runtime, visit: Visit, cursor: str) -> _Own:
    """The page of a cursor, the first one where that is of no use any more."""
    if cursor:
        try:
            return _Own(*await _show(runtime, visit, cursor), is_first=False)
        except InvalidCursor:
            return _Own(*await _show(runtime, visit, None), is_first=True, notes=[TOO_OLD])
    return _Own(*await _show(runtime, visit, None), is_first=True)


async def _show(runtime: Runtime, visit: Visit, cursor: str | None) -> tuple[FeedPlace, Turn, dict[int, Rendered]]:
    return await show_page(runtime, user_id=visit.user_id, external_user=visit.name, limit=LISTED, cursor=cursor)


def _shown(own: _Own) -> list[Shown | int]:
    page = own.turned.page
    titles = {paper_id: paper.title for paper_id, paper in own.papers.items()}
    return [
        Shown(orjson.loads(own.papers[paper_id].json), paper_id, SOURCE_NAMES[source], tell(reason, titles))
        for paper_id, source, reason in zip(page.paper_ids, page.sources, page.reasons, strict=True)
    ]


def _first_other(own: _Own) -> int:
    """Where the list ends on this page and the newest of all other papers begin."""
    frozen, page = own.place.frozen, own.turned.page
    ranked = set(frozen.paper_ids[: len(frozen)])
    for at, (paper_id, source) in enumerate(zip(page.paper_ids, page.sources, strict=True)):
        if source is Source.LATEST and paper_id not in ranked:
            return at
    return len(page)


def _tell(runtime: Runtime, visit: Visit, place: FeedPlace) -> _Told:
    """Say what the list is made of."""
    whom = visit.name if visit.is_picked else "you"
    built = age(place.frozen.built_at, now=datetime.now(UTC))
    if place.source is Source.PERSONAL:
        return _Told(f"Ranked for {whom} by model {place.frozen.version}, built {built}.")
    with runtime.db.read() as session:
        is_personal = read_decisions(session, visit.user_id).is_personal
        categories = read_interests(session, visit.user_id).categories
    if not is_personal:
        return _Told(f"Personal lists are off for {whom}: what is trending, and the newest papers, built {built}.")
    where = f" in {_named(categories)}" if categories else ""
    since = f", as of {built}" if _is_old(place) else ""
    if runtime.serving.current is None:
        words = f"Until a model answers: what is trending and new{where}, built {built}."
        return _Told(words, is_unknown=visit.user_id is None)
    if categories:
        chosen = f"What is trending, and the newest papers{where}, as {whom} chose{since}."
        return _Told(f"{chosen} Saving papers makes it personal.")
    words = f"Too little is known about {whom} yet: what is trending, and the newest papers{since}."
    return _Told(words, is_unknown=True)


def _named(categories: Sequence[str]) -> str:
    """Return chosen categories in a few words."""
    named = ", ".join(categories[:MOST_NAMED])
    more = len(categories) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _is_old(place: FeedPlace) -> bool:
    return datetime.now(UTC) - place.frozen.built_at > OLD


def _slate_of(runtime: Runtime, visit: Visit, page: Page) -> str | None:
    reader = visit.slate_reader
    if reader is None or not page.paper_ids:
        return None
    return write_slate(runtime.keys, page, user_id=reader, variant=runtime.settings.variant, now=datetime.now(UTC))
