"""Papers of a day, a week or a month, and the start page: the newest day that has some."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response

from api.routes.deps import RuntimeDep
from api.routes.site.asking import Link, address, key_of, page_links, read_choice, read_page_number
from api.routes.site.shared_lists import (
    KEEP_SECONDS,
    LISTED,
    TRENDING_KEEP_SECONDS,
    SharedList,
    answer_shared,
    make_shared,
)
from api.routes.site.visiting import Visit, VisitDep
from api.routes.site.words import age
from api.runtime.state import Runtime
from api.services.daily_pages import (
    SORTS,
    ListedPapers,
    Neighbours,
    Sort,
    find_neighbours,
    find_newest_span,
    list_newest,
    list_span,
)
from api.services.spans import EXAMPLES, KINDS, Kind, Span, read_span, span_of
from api.store.feed_codec import Source

router = APIRouter(include_in_schema=False)

TEMPLATE: Final = "site/list.html"
START_TEMPLATE: Final = "site/start.html"
SORT_WORDS: Final[dict[Sort, str]] = {"votes": "Most upvoted", "trending": "Trending", "newest": "Newest"}
KIND_WORDS: Final[dict[Kind, str]] = {"date": "Day", "week": "Week", "month": "Month"}
WHAT_WORDS: Final[dict[Kind, str]] = {"date": "a day", "week": "an ISO week", "month": "a month"}
WHEN_WORDS: Final[dict[Kind, str]] = {"date": "on this day", "week": "in this week", "month": "in this month"}
DAILY_FEEDS: Final = "/feeds/daily"
NO_DAILY_LIST: Final = "No daily list has been read here yet: these are the papers that came last."
SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class _SpanPage:
    """What a page of a span is written from."""

    span: Span
    sort: Sort
    page: int  # from 1
    found: ListedPapers
    around: Neighbours
    now: datetime
    old_days: float  # the page says how old its list is when it ended this long ago


@router.get("/papers/date/{name}")
async def read_date(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """The papers that entered the daily list of a day."""
    return await _answer_span(request, runtime, visit, "date", name)


@router.get("/papers/week/{name}")
async def read_week(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """The papers of an ISO week's daily lists."""
    return await _answer_span(request, runtime, visit, "week", name)


@router.get("/papers/month/{name}")
async def read_month(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """The papers of a month's daily lists."""
    return await _answer_span(request, runtime, visit, "month", name)


async def answer_today(request: Request, runtime: Runtime, visit: Visit) -> Response:
    """Return the start page: the newest day with daily papers, else the newest papers of all."""
    return await answer_shared(request, visit, key_of("/"), partial(_make_today, runtime))


async def _answer_span(request: Request, runtime: Runtime, visit: Visit, kind: Kind, name: str) -> Response:
    path = f"/papers/{kind}/{name}"
    try:
        span = read_span(kind, name)
    except (ValueError, OverflowError):
        return await answer_shared(request, visit, key_of(f"/papers/{kind}/"), partial(_make_unreadable, runtime, kind))
    sort, page = _read_sort(request), read_page_number(request.query_params)
    key = key_of(path, sort=_said(sort), p=0 if page == 1 else page)
    keep_seconds = TRENDING_KEEP_SECONDS if sort == "trending" else KEEP_SECONDS
    make = partial(_make_span, runtime, span, sort=sort, page=page)
    return await answer_shared(request, visit, key, make, keep_seconds=keep_seconds)


def _read_sort(request: Request) -> Sort:
    chosen = read_choice(request.query_params, "sort", SORTS)
    return next(sort for sort in SORTS if sort == chosen)


def _make_today(runtime: Runtime) -> SharedList:
    now = datetime.now(UTC)
    with runtime.db.read() as session:
        span = find_newest_span(session, span_of("date", now.date()))
        if span is None:
            found = list_newest(session, limit=LISTED)
    if span is None:
        shared = _newest_page(runtime, found)
    else:
        shared = _make_span(runtime, span, sort=SORTS[0], page=1, is_start=True)
    return replace(shared, template=START_TEMPLATE)


def _make_span(runtime: Runtime, span: Span, *, sort: Sort, page: int, is_start: bool = False) -> SharedList:
    now = datetime.now(UTC)
    first = (page - 1) * LISTED
    with runtime.db.read() as session:
        found = list_span(session, runtime.feeds, runtime.orders, span, sort=sort, offset=first, limit=LISTED, now=now)
        around = find_neighbours(session, span)
    old_days = runtime.settings.source_old_days if is_start else float("inf")
    view = _SpanPage(span, sort, page, found, around, now, old_days)
    is_missing = not found.paper_ids and (page > 1 or span.since > now)
    return make_shared(
        runtime,
        TEMPLATE,
        found.paper_ids,
        _values(view),
        source=Source.LATEST,
        first_rank=first + 1,
        votes=found.votes,
        status=404 if is_missing else 200,
    )


def _newest_page(runtime: Runtime, found: ListedPapers) -> SharedList:
    values = {
        "title": "The newest papers",
        "heading": "The newest papers",
        "notes": [NO_DAILY_LIST] if found.paper_ids else [],
        "groups": (),
        "steps": (None, None),
        "pages": (None, address("/search", sort="newest") if found.has_more else None),
        "end": "" if found.has_more or not found.paper_ids else "You are up to date: these are all papers.",
        "feeds": DAILY_FEEDS,
    }
    return make_shared(runtime, TEMPLATE, found.paper_ids, values, source=Source.LATEST, votes=found.votes)


def _make_unreadable(runtime: Runtime, kind: Kind) -> SharedList:
    with runtime.db.read() as session:
        newest = find_newest_span(session, span_of(kind, datetime.now(UTC).date()))
    what = WHAT_WORDS[kind]
    values = {
        "title": f"Not {what}",
        "heading": f"This is not {what}",
        "notes": [f"The address of {what} ends like `{EXAMPLES[kind]}`."],
        "groups": (),
        "steps": (_step(newest), None),
        "pages": (None, None),
        "end": "",
        "feeds": DAILY_FEEDS,
    }
    return SharedList(TEMPLATE, values, status=404)


def _values(view: _SpanPage) -> dict[str, object]:
    span, found = view.span, view.found
    before, after = page_links(span.path, page=view.page, has_more=found.has_more, sort=_said(view.sort))
    is_today = span == span_of("date", view.now.date())
    return {
        "title": span.title,
        "heading": f"Today, {span.title}" if is_today else span.title,
        "notes": _notes(view),
        "groups": (("Span", _spans(span)), ("Order", _orders(view))) if found.paper_ids or view.page > 1 else (),
        "steps": (_step(view.around.previous), _step(view.around.following)),
        "pages": (before, after),
        "end": _end(view),
        "feeds": DAILY_FEEDS,
    }


def _notes(view: _SpanPage) -> list[str]:
    """What is to be said above the papers, or in their place."""
    span = view.span
    if view.found.paper_ids:
        is_old = (view.now - span.until).total_seconds() >= view.old_days * SECONDS_PER_DAY
        return [f"This is the newest daily list there is: it ended {age(span.until, now=view.now)}."] if is_old else []
    if view.page > 1:
        return ["This list has no page of this number."]
    if span.since > view.now:
        return [f"This {_kind(span)} is still to come."]
    if view.around == Neighbours(None, None):
        return ["No daily list has been read here yet: `paperfeed sources` says which ones are."]
    return [f"No paper entered a daily list {WHEN_WORDS[span.kind]}."]


def _end(view: _SpanPage) -> str:
    """What stands below the last paper of a span."""
    if view.found.has_more or not view.found.paper_ids:
        return ""
    is_newest = view.around.following is None
    return f"{'You are up to date: that' if is_newest else 'That'} is everything of this {_kind(view.span)}."


def _spans(span: Span) -> list[Link]:
    """The day, week and month at whose beginning this span begins."""
    return [Link(KIND_WORDS[kind], span_of(kind, span.first).path, kind == span.kind) for kind in KINDS]


def _orders(view: _SpanPage) -> list[Link]:
    path = view.span.path
    return [Link(SORT_WORDS[sort], address(path, sort=_said(sort)), sort == view.sort) for sort in SORTS]


def _said(sort: Sort) -> str:
    """An order as addresses say it: nothing for the usual one."""
    return "" if sort == SORTS[0] else sort


def _step(span: Span | None) -> Link | None:
    return None if span is None else Link(span.title, span.path)


def _kind(span: Span) -> str:
    return KIND_WORDS[span.kind].lower()
