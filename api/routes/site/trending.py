"""What is trending over a day, a week or a month, with the formula that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response

from api.routes.deps import RuntimeDep
from api.routes.site.asking import Link, address, key_of, page_links, read_choice, read_page_number
from api.routes.site.shared_lists import LISTED, TRENDING_KEEP_SECONDS, SharedList, answer_shared, make_shared
from api.routes.site.visiting import VisitDep
from api.runtime.state import Runtime
from api.services.listings import list_trending
from api.services.trending import EVENT_WEIGHTS, HALF_LIFE_SHARE, STAR_WEIGHT, WINDOW_DAYS, Window
from api.settings import read_settings
from api.store.feed_codec import Source
from api.store.votes import count_votes
from recommender.domain import EventKind

router = APIRouter(include_in_schema=False)

PATH: Final = "/papers/trending"
WINDOWS: Final[tuple[Window, ...]] = ("week", "day", "month")  # the first one by default
WINDOW_WORDS: Final[dict[Window, str]] = {"day": "Day", "week": "Week", "month": "Month"}
HOURS_PER_DAY: Final = 24
WEIGHT_WORDS: Final = {
    EventKind.SAVE: "a save",
    EventKind.UPVOTE: "an upvote",
    EventKind.CLICK: "an opened paper",
    EventKind.READ: "a read one",
}
NOTHING: Final = (
    "Nothing has been saved, voted for or read {} yet, and no paper that came then has votes at its source."
)


@dataclass(frozen=True, slots=True)
class Formula:
    """How trending is reckoned over a window, in words and numbers."""

    within: str
    weights: Sequence[tuple[str, str]]
    star_weight: str
    half_life: str


@router.get(PATH)
async def read_trending(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """What readers save, vote for and read."""
    chosen = read_choice(request.query_params, "window", WINDOWS)
    window = next(window for window in WINDOWS if window == chosen)
    page = read_page_number(request.query_params)
    key = key_of(PATH, window=_said(window), p=0 if page == 1 else page)
    make = partial(_make, runtime, window, page=page)
    return await answer_shared(request, visit, key, make, keep_seconds=TRENDING_KEEP_SECONDS)


def tell_formula(window: Window, *, half_life_days: float) -> Formula:
    """Return the formula of a window with the weights and the half-life that are in force."""
    days = WINDOW_DAYS[window]
    within = "within the last day" if days == 1 else f"within the last {days} days"
    weights = [(words, f"{EVENT_WEIGHTS[kind]:g}") for kind, words in WEIGHT_WORDS.items()]
    half_life = _duration(half_life_days * HALF_LIFE_SHARE[window])
    return Formula(within, weights, f"{STAR_WEIGHT:g}", half_life)


def _make(runtime: Runtime, window: Window, *, page: int) -> SharedList:
    now = datetime.now(UTC)
    first = (page - 1) * LISTED
    with runtime.db.read() as session:
        found = list_trending(session, runtime.feeds, window=window, categories=(), now=now)
        paper_ids = found.paper_ids[first : first + LISTED]
        votes = count_votes(session, paper_ids)
    formula = tell_formula(window, half_life_days=read_settings().trending_half_life_days)
    has_more = len(found) > first + LISTED
    is_missing = page > 1 and not paper_ids
    notes = ["This list has no page of this number."] if is_missing else [NOTHING.format(formula.within)]
    values = {
        "title": "Trending papers",
        "heading": "Trending",
        "notes": [] if paper_ids else notes,
        "groups": (("Window", _windows(window)),),
        "steps": (None, None),
        "pages": page_links(PATH, page=page, has_more=has_more, window=_said(window)),
        "end": "" if has_more or not paper_ids else "You are up to date: nothing else is trending.",
        "feeds": "/feeds/trending",
        "formula": formula,
    }
    return make_shared(
        runtime,
        "site/trending.html",
        paper_ids,
        values,
        source=Source.TRENDING,
        first_rank=first + 1,
        votes=votes,
        status=404 if is_missing else 200,
    )


def _duration(days: float) -> str:
    number, unit = (days, "day") if days >= 1 else (days * HOURS_PER_DAY, "hour")
    return f"{number:.3g} {unit}{'' if number == 1 else 's'}"


def _windows(chosen: Window) -> list[Link]:
    return [
        Link(WINDOW_WORDS[window], address(PATH, window=_said(window)), window == chosen) for window in WINDOW_WORDS
    ]


def _said(window: Window) -> str:
    """A window as addresses say it: nothing for the usual one."""
    return "" if window == WINDOWS[0] else window
