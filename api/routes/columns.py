"""The three columns of the start page, from the same answers that the API gives."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool

from api.routes.feed import read_first_page
from api.routes.papers import read_latest, read_trending
from api.runtime.state import Runtime
from api.services.feed import NOBODY
from api.services.shared_slates import write_shared_slate
from api.store.events import hidden_paper_ids
from api.store.feed_codec import Source
from api.store.papers import has_papers

CARDS: Final = 10
MOST_NAMES: Final = 3  # authors named on a card
SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Card:
    """One paper on the page."""

    paper_id: str
    title: str
    summary: str
    byline: str
    url: str | None
    day: str | None
    votes: int
    source: str | None
    reason: str | None
    is_demonstration: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A titled list of papers, or words about why it is empty."""

    name: str
    title: str
    note: str
    cards: list[Card]
    slate: str | None = None  # says what the cards showed; None: nobody is told what becomes of them
    is_exhausted: bool = False  # every paper has been seen


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose page it is: a reader picked on this machine, or whoever holds the cookie."""

    name: str | None  # None: a first visit
    user_id: int | None  # None: has done nothing yet
    is_picked: bool = False

    @property
    def slate_reader(self) -> int | None:
        """For whom slates are written; a picked reader without a number has none, nobody else's cookie may use them."""
        return None if self.is_picked and self.user_id is None else self.user_id or NOBODY


def find_visitor(runtime: Runtime, picked: str | None, *, cookie: str | None) -> Visitor:
    """Return whose page it is."""
    name = picked or cookie
    user_id = None if name is None else runtime.access.find_user_id(name)
    return Visitor(name, user_id, is_picked=picked is not None)


def read_shared_columns(runtime: Runtime, visitor: Visitor) -> list[Column]:
    """Return what is the same for everybody."""
    latest = _cards(read_latest(runtime, None, limit=CARDS).body)
    trending = _cards(read_trending(runtime, None, limit=CARDS).body)
    slates = _shared_slates(runtime, visitor, {Source.LATEST: latest, Source.TRENDING: trending})
    week = "What readers save, vote for and read this week."
    return [
        Column("latest", "Latest", "The newest papers, by day.", latest, slates.get(Source.LATEST)),
        Column("trending", "Trending", week, trending, slates.get(Source.TRENDING)),
    ]


async def read_for_you(runtime: Runtime, visitor: Visitor) -> Column:
    """Return the feed of the picked reader, or of a visitor of whom something is known."""
    user_id = visitor.user_id
    if visitor.name is None or not (visitor.is_picked or user_id):
        return Column("for-you", "For you", "", [])
    body = await read_first_page(runtime, user_id=user_id, external_user=visitor.name, limit=CARDS)
    answer = orjson.loads(body)
    title = f"For {visitor.name}" if visitor.is_picked else "For you"
    if user_id is not None and not answer["items"] and await run_in_threadpool(_has_seen, runtime, user_id):
        note = "You have seen every paper here: new ones appear as they arrive."
        return Column("for-you", title, note, [], is_exhausted=True)
    slate = None if visitor.slate_reader is None else answer["slate"]
    note = _told(answer, has_model=runtime.serving.current is not None, is_picked=visitor.is_picked)
    return Column("for-you", title, note, _cards(body), slate)


def age(then: datetime, *, now: datetime) -> str:
    """Return a time as words about how long ago it was."""
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((SECONDS_PER_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now" if seconds < 5 else f"{seconds} seconds ago"


def _shared_slates(runtime: Runtime, visitor: Visitor, lists: dict[Source, list[Card]]) -> dict[Source, str]:
    reader = visitor.slate_reader
    if reader is None:
        return {}
    with runtime.db.read() as session:
        return {
            source: write_shared_slate(
                session,
                runtime.keys,
                [card.paper_id for card in cards],
                source=source,
                user_id=reader,
                variant=runtime.settings.variant,
                now=datetime.now(UTC),
            )
            for source, cards in lists.items()
            if cards
        }


def _has_seen(runtime: Runtime, user_id: int) -> bool:
    with runtime.db.read() as session:
        return has_papers(session) and len(hidden_paper_ids(session, user_id)) > 0


def _told(answer: dict[str, Any], *, has_model: bool, is_picked: bool) -> str:
    whom = "this reader" if is_picked else "you"
    unknown = "Nothing is known about this reader yet" if is_picked else "Too little is known about you yet"
    kinds = {
        "personal": f"Ranked for {whom}",
        "trending": f"{unknown}: what is trending, blended with the latest",
        "latest": f"{unknown}: the latest papers",
        "fresh": "New papers",
    }
    if not has_model:
        kinds |= dict.fromkeys(("trending", "latest"), "Until a model answers: what is trending and new")
    built = age(datetime.fromisoformat(answer["built_at"]), now=datetime.now(UTC))
    model = f" by model {answer['version']}" if answer["version"] and answer["source"] == "personal" else ""
    return f"{kinds[answer['source']]}{model}, list built {built}."


def _cards(body: bytes | memoryview) -> list[Card]:
    return [_card(item) for item in orjson.loads(body)["items"]]


def _card(item: dict[str, Any]) -> Card:
    paper = item["paper"]
    day = paper["daily_at"] or paper["published_at"]
    return Card(
        paper_id=paper["id"],
        title=paper["title"],
        summary=paper["ai_summary"] or paper["summary"],
        byline=_byline(paper),
        url=paper["url"],
        day=day[:10] if day else None,
        votes=paper["upvotes"],
        source=item.get("source"),
        reason=item.get("reason"),
        is_demonstration=paper["demonstration"],
    )


def _byline(paper: dict[str, Any]) -> str:
    names = paper["authors"][:MOST_NAMES]
    count = paper["num_authors"] or 0
    if names:
        more = count - len(names)
        return ", ".join(names) + (f" and {more} more" if more > 0 else "")
    organisation = paper["organization"] or {}
    named = organisation.get("fullname") or organisation.get("name")
    return named or (f"{count} authors" if count else "")
