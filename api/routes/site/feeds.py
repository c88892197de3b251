"""Feeds for everybody: daily, trending, a search, a category, an author; each as RSS, Atom and JSON Feed."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.errors import InvalidRequest
from api.routes.deps import RuntimeDep
from api.routes.hub_answers import FOUND_KEEP_SECONDS, KEEP_SECONDS, TRENDING_KEEP_SECONDS
from api.routes.narrowing import LONGEST_CATEGORY, read_filters, read_organizations
from api.routes.site.feed_answers import answer_feed, read_form
from api.runtime.state import Runtime
from api.services import feed_channels
from api.services.feed_channels import Found
from api.services.searching import SearchRequest
from api.services.trending import Window
from api.store.search_query import Filters

router = APIRouter(prefix="/feeds", include_in_schema=False)

LONGEST_QUERY: Final = 250  # characters of a search
LONGEST_AUTHOR: Final = 200
Many = Annotated[list[str] | None, Query()]


@router.get("/daily.{ending}")
def read_daily_feed(request: Request, runtime: RuntimeDep, ending: str) -> Response:
    """The papers of the daily lists."""
    form = read_form(ending)
    make = partial(_daily, runtime)
    return answer_feed(request, runtime, form, make, query=b"", keep_seconds=KEEP_SECONDS)


@router.get("/trending.{ending}")
def read_trending_feed(request: Request, runtime: RuntimeDep, ending: str, window: str = "week") -> Response:
    """What is trending, over a week, a day or a month."""
    form, span = read_form(ending), _read_window(window)
    make = partial(_trending, runtime, span)
    return answer_feed(request, runtime, form, make, query=span.encode(), keep_seconds=TRENDING_KEEP_SECONDS)


@router.get("/search.{ending}")
def read_search_feed(
    request: Request,
    runtime: RuntimeDep,
    ending: str,
    *,
    q: str = "",
    category: Many = None,
    organization: Many = None,
    with_code: bool | None = None,
) -> Response:
    """What a search finds, newest first: the query is that of the page of searches."""
    form, text = read_form(ending), q.strip()
    if len(text) > LONGEST_QUERY:
        raise InvalidRequest(f"`q` takes {LONGEST_QUERY} characters at most, these are {len(text)}", field="q")
    filters = Filters(
        categories=read_filters(category, None).categories,
        organizations=read_organizations(organization),
        with_code=with_code,
        without_withdrawn=True,
    )
    wanted = SearchRequest(text, filters, "newest", is_prefix=False)
    asked = _query_of(wanted)
    make = partial(_searched, runtime, wanted, asked)
    key = urlencode(asked, doseq=True).encode()
    return answer_feed(request, runtime, form, make, query=key, keep_seconds=FOUND_KEEP_SECONDS)


@router.get("/categories/{category}.{ending}")
def read_category_feed(request: Request, runtime: RuntimeDep, category: str, ending: str) -> Response:
    """The newest papers of a category."""
    form = read_form(ending)
    if len(category) > LONGEST_CATEGORY or not category.isprintable():
        raise InvalidRequest("a category has 1 to 60 printable characters, for example cs.LG", field="category")
    make = partial(_of_category, runtime, category)
    return answer_feed(request, runtime, form, make, query=b"", keep_seconds=KEEP_SECONDS)


@router.get("/authors/{author:path}.{ending}")
def read_author_feed(request: Request, runtime: RuntimeDep, author: str, ending: str) -> Response:
    """The newest papers of an author."""
    form = read_form(ending)
    if len(author) > LONGEST_AUTHOR or not author.isprintable():
        raise InvalidRequest(f"a name has 1 to {LONGEST_AUTHOR} printable characters", field="author")
    make = partial(_by_author, runtime, author)
    return answer_feed(request, runtime, form, make, query=b"", keep_seconds=FOUND_KEEP_SECONDS)


def _daily(runtime: Runtime, base: str) -> Found:
    with runtime.db.read() as session:
        return feed_channels.daily_channel(session, base=base)


def _trending(runtime: Runtime, window: Window, base: str) -> Found:
    with runtime.db.read() as session:
        return feed_channels.trending_channel(runtime, session, base=base, window=window, now=datetime.now(UTC))


def _searched(runtime: Runtime, wanted: SearchRequest, asked: dict[str, list[str]], base: str) -> Found:
    return feed_channels.search_channel(runtime, wanted, base=base, query=asked)


def _of_category(runtime: Runtime, category: str, base: str) -> Found:
    with runtime.db.read() as session:
        return feed_channels.category_channel(session, base=base, category=category)


def _by_author(runtime: Runtime, author: str, base: str) -> Found:
    return feed_channels.author_channel(runtime, base=base, author=author)


def _read_window(text: str) -> Window:
    for window in get_args(Window):
        if text == window:
            found: Window = window
            return found
    raise InvalidRequest("`window` is day, week or month", field="window")


def _query_of(wanted: SearchRequest) -> dict[str, list[str]]:
    """Return the query that asks for the same, one for every way to ask for it."""
    filters = wanted.filters
    asked = {"q": [wanted.text], "category": list(filters.categories), "organization": list(filters.organizations)}
    if filters.with_code is not None:
        asked["with_code"] = [str(filters.with_code).lower()]
    return {name: values for name, values in asked.items() if any(values)}
