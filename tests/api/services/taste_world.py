"""A planted reader of two topics, what they were shown, and the list that is built for them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from api.runtime.serving import Served
from api.services.feed import build_list
from api.services.tastes import load_tastes
from api.store.engine import Database
from api.store.feed_codec import FeedList, Reason
from recommender.domain import EventKind
from tests.api.feed_world import NOW, add_event, add_reader, planted

SIZE = 40
EVERYTHING = 400
READER = 900
SHOWS = 5  # the default of PAPERFEED_FATIGUE_SHOWS
Configure = Callable[..., None]


def build(database: Database, served: Served | None, user_id: int = READER, *, size: int = SIZE) -> FeedList:
    """Build one list as of now."""
    with database.read() as session:
        return build_list(session, served, user_id, now=NOW, size=size)


def shown(feed: FeedList) -> list[tuple[int, float, Reason]]:
    """Everything that a reader sees of a list."""
    return [(paper, feed.scores[at], feed.reason(at)) for at, paper in enumerate(feed.paper_ids)]


def add_reader_of_two_topics(database: Database, *, days_ago: float = 30) -> None:
    """Store a reader who saved six papers of topic 0 and six of topic 1."""
    add_reader(database, READER)
    for topic in (0, 1):
        touched = (planted().topic_of_paper == topic) & ~planted().untouched
        for paper_id in planted().texts.paper_ids[touched][:6].tolist():
            add_event(database, READER, paper_id, EventKind.SAVE, at=NOW - timedelta(days=days_ago))


def add_showings(
    database: Database, paper_id: int, times: int, *, last: datetime = NOW - timedelta(hours=1), user_id: int = READER
) -> None:
    """Store impressions a minute apart."""
    for number in range(times):
        at = last - timedelta(minutes=number)
        add_event(database, user_id, paper_id, EventKind.IMPRESSION, at=at, number=int(at.timestamp()))


def load_often(database: Database) -> frozenset[int]:
    """The papers that tire the reader."""
    with database.read() as session:
        return load_tastes(session, [READER], now=NOW)[0].shown_often


def showings_of_all(number: int) -> sa.TextClause:
    """One impression of every paper."""
    micros = int((NOW - timedelta(days=1)).timestamp()) * 1_000_000 + number
    return sa.text(
        "INSERT INTO events (user_id, event_id, kind, paper_id, occurred_at, received_at, payload_hash, is_import) "
        f"SELECT {READER}, 'shown-{number}-' || paper_id, 0, paper_id, {micros}, {micros}, '', false FROM papers"
    )
