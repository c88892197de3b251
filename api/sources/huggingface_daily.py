"""Hugging Face daily papers: the newest list, then the lists of the last days again, whose upvotes still grow."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from api.sources import huggingface
from api.sources.answers import json_of, list_of, records_of_objects, said_by
from api.sources.records import Json
from api.sources.steps import (
    HTTP_NOT_MODIFIED,
    Ask,
    Found,
    Got,
    Step,
    count_in,
    dict_in,
    rate_wait,
    refuse_failure,
    text_in,
    texts_in,
)

PAPERS_A_PAGE: Final = 100  # the most that the list route gives
MOST_DAYS: Final = 60  # that a run goes back after a long silence
MOST_PAGES: Final = 20  # of one day; no day had three
NEWEST: Final = ""  # instead of a day: the list without a date

_NO_SUCH_DAY: Final = frozenset({400, 404})
_NEXT: Final = re.compile(r"<[^<>]*>\s*;[^,<]*\brel=\"?next\b")


@dataclass(frozen=True, slots=True)
class Options:
    """Where to ask, and for how many days upvotes and comments are read again."""

    base_url: str = "https://huggingface.co"
    days: int = 7


def first(cursor: Json | None, *, now: datetime, options: Options) -> Ask | None:
    """Return the question with which a run begins, or with which an interrupted one goes on."""
    days, page, _ = _plan(cursor, now=now, options=options)
    return _ask(options, days[0], page)


def read(got: Got, cursor: Json | None, *, now: datetime, options: Options) -> Step:
    """Return the papers of a list and the next one to ask for; a list that has not changed gives none."""
    days, page, began = _plan(cursor, now=now, options=options)
    if got.status == HTTP_NOT_MODIFIED:
        return _step(got, (), days[1:], 0, began=began, cursor=cursor, options=options)
    if days[0] != NEWEST and got.status in _NO_SUCH_DAY:
        problem = f"{got.place} has no list of {days[0]}: it answered {got.status}"
        return _step(got, (), days[1:], 0, began=began, cursor=cursor, options=options, problem=problem)
    refuse_failure(got, now=now, said=said_by(got))
    items = list_of(json_of(got), place=got.place, name="the answer")
    records = records_of_objects(items, huggingface.record_of, place=got.place)
    # Only the page's number is taken from the link: an address in an answer could lead anywhere.
    if items and days[0] != NEWEST and page + 1 < MOST_PAGES and _NEXT.search(got.header("link")):
        return _step(got, records, days, page + 1, began=began, cursor=cursor, options=options)
    return _step(got, records, days[1:], 0, began=began, cursor=cursor, options=options)


def _plan(cursor: Json | None, *, now: datetime, options: Options) -> tuple[list[str], int, str]:
    """Return the days that are left of the run, the page of the first one, and the day on which the run began."""
    run = dict_in(cursor, "run")
    if days := [day for day in texts_in(run, "days") if day == NEWEST or _day(day)]:
        return days, count_in(run, "page"), text_in(run, "began") or f"{now:%Y-%m-%d}"
    done = _day(text_in(cursor, "done") or "")
    missed = (now.date() - done).days if done else 0
    back = min(max(options.days, missed), MOST_DAYS)
    earlier = [f"{now - timedelta(days=ago):%Y-%m-%d}" for ago in range(1, back + 1)]
    return [NEWEST, *earlier], 0, f"{now:%Y-%m-%d}"


def _step(
    got: Got,
    records: tuple[Found, ...],
    days: list[str],
    page: int,
    *,
    began: str,
    cursor: Json | None,
    options: Options,
    problem: str | None = None,
) -> Step:
    if not days:
        return Step(records, {"done": began}, is_done=True, problem=problem)
    left: Json = {"done": text_in(cursor, "done"), "run": {"began": began, "days": days, "page": page}}
    return Step(records, left, _ask(options, days[0], page), problem=problem, wait_seconds=rate_wait(got))


def _ask(options: Options, day: str, page: int) -> Ask:
    values = {"limit": str(PAPERS_A_PAGE)} | ({"date": day} if day else {}) | ({"p": str(page)} if page else {})
    return Ask(f"{options.base_url.rstrip('/')}/api/daily_papers?{urlencode(values)}", is_conditional=page == 0)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
