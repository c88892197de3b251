"""What a request to the papers API asks for, read from its query string; anything impossible is a 400."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from api.errors import InvalidRequest
from api.services.daily import SORTS, DailyAsk, Sort
from api.services.spans import EXAMPLES, KINDS, Kind, read_span
from api.store.daily import Wanted

FOR_YOU: Final = "for_you"
DEFAULT_LIMIT: Final = 50
MOST_LIMIT: Final = 100
MOST_PAGE: Final = 1_000_000_000  # far past the end of every list, and within every database's numbers
DEFAULT_FOUND: Final = 20
MOST_FOUND: Final = 120
LONGEST_QUERY: Final = 250  # characters

_NUMBER: Final = re.compile(r"[0-9]{1,100}")
# What the lists listen to; whatever else a query says changes nothing.
DAILY_PARAMETERS: Final = frozenset({*KINDS, "submitter", "sort", "p", "limit"})
PUBLISHED_PARAMETERS: Final = frozenset({"p", "limit"})
FOUND_PARAMETERS: Final = frozenset({"q", "limit"})

Params = Mapping[str, str]


def read_daily_ask(params: Params) -> DailyAsk:
    """Return what a request for the daily lists asks for."""
    sort = read_sort(params)
    page, limit = read_page(params), read_limit(params)
    spans = [span for name in KINDS if (text := params.get(name)) is not None for span in [_read_span(name, text)]]
    wanted = Wanted(
        since=max((since for since, _ in spans), default=None),
        until=min((until for _, until in spans), default=None),
        submitter=params.get("submitter"),
    )
    is_of_a_month = "month" in params and "date" not in params and "week" not in params
    return DailyAsk(
        wanted,
        sort,
        is_of_one_day="date" in params,
        window="month" if is_of_a_month else "week",
        offset=page * limit,
        limit=limit,
    )


def wants_own_feed(params: Params) -> bool:
    """True for the personal feed; raises InvalidRequest where a span is asked for too, which is the same for all."""
    if params.get("sort") != FOR_YOU:
        return False
    spans = [name for name in KINDS if name in params]
    if spans:
        raise InvalidRequest(f"`sort={FOR_YOU}` is the feed as it is now: leave out `{spans[0]}`")
    return True


def read_sort(params: Params) -> Sort:
    """Return the order asked for."""
    text = params.get("sort", SORTS[0])
    for sort in SORTS:
        if text == sort:
            return sort
    raise InvalidRequest(f"`sort` is one of {', '.join((*SORTS, FOR_YOU))}")


def read_page(params: Params) -> int:
    """Return which page is asked for, from 0; one far past the end of everything for any number beyond."""
    text = params.get("p", "0")
    if not _NUMBER.fullmatch(text):
        raise InvalidRequest("`p` is a whole number from 0")
    return min(int(text), MOST_PAGE)


def read_limit(params: Params, *, default: int = DEFAULT_LIMIT, most: int = MOST_LIMIT) -> int:
    """Return how many papers are asked for."""
    text = params.get("limit", str(default))
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= number <= most:
        raise InvalidRequest(f"`limit` is a whole number from 1 to {most}")
    return number


def read_query(params: Params) -> str:
    """Return the words of a search, empty where there are none."""
    text = params.get("q", "").strip()
    if len(text) > LONGEST_QUERY:
        raise InvalidRequest(f"`q` takes {LONGEST_QUERY} characters at most, these are {len(text)}")
    return text


def _read_span(name: Kind, text: str) -> tuple[datetime, datetime]:
    """Return a span's first moment and the first after it."""
    try:
        span = read_span(name, text)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"`{name}` is written {EXAMPLES[name]}") from None
    return span.since, span.until
