"""New papers reach the lists of readers who did nothing themselves, after everybody who did something."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.runtime.state import Runtime
from api.services import news
from api.store.engine import Database
from api.store.pending import Change, PendingReaders
from api.store.tables import Paper, User
from recommender.domain import EventKind
from tests.api.feed_world import LONG_AGO, VERSION, add_event, paper_row, planted
from workers import feeds, refreshing
from workers.refreshing import Refresher

FIRST_NEW = 5000


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return the database; what is asked of it is asked of both kinds in `test_news_marks.py`."""
    return sqlite_database


@pytest.fixture
def refresher(held: Runtime, pending: PendingReaders) -> Refresher:
    """Return the refresher of a worker process that was told of all papers there are, to be stepped by hand."""
    held.serving.poll()
    be_active(held, 1, 2, 3)
    feeds.spread_news()
    held.feeds.release("news")
    pending.take_news(100)
    return Refresher(held, pending)


def be_active(held: Runtime, *user_ids: int) -> None:
    """Let these readers have been active, the first the latest."""
    with held.db.write() as session:
        for ago, user_id in enumerate(user_ids):
            at = datetime.now(UTC) - timedelta(hours=ago)
            session.execute(sa.update(User).where(User.user_id == user_id).values(last_active_at=at))


def add_papers(held: Runtime, first_id: int = FIRST_NEW, *, count: int = 3, topic: int = 0) -> None:
    """Store papers that nobody has seen."""
    rows = [
        paper_row(paper_id, title=f"topic{topic}word1 topic{topic}word2", category="cs.T0", listed_at=LONG_AGO)
        for paper_id in range(first_id, first_id + count)
    ]
    with held.db.write() as session:
        session.execute(sa.insert(Paper), rows)


def tell(held: Runtime) -> int:
    """Run the task, however short ago it ran."""
    held.feeds.release("news")
    return feeds.spread_news()


def listed(held: Runtime, user_id: int) -> set[int]:
    """Return the papers of a reader's prepared list."""
    feed = held.feeds.read_list(user_id, version=VERSION)
    return set() if feed is None else {*feed.paper_ids, *feed.pool}


def test_new_papers_come_into_the_lists_of_readers_who_did_nothing(held: Runtime, refresher: Refresher) -> None:
    topic_of = dict(zip(planted().reader_ids.tolist(), planted().topic_of_reader.tolist(), strict=True))
    add_papers(held, topic=topic_of[1])
    assert tell(held) == 3
    held.serving.poll()
    assert refresher.refresh_next(wait_seconds=0.01) == 3
    assert FIRST_NEW in listed(held, 1)


def test_nothing_new_moves_nobody(held: Runtime, refresher: Refresher, pending: PendingReaders) -> None:
    assert tell(held) == 0
    assert pending.take_news(10) == {}


def test_papers_that_were_told_of_are_no_news(held: Runtime, refresher: Refresher, pending: PendingReaders) -> None:
    add_papers(held)
    assert tell(held) == 3
    pending.take_news(10)
    assert tell(held) == 0


def test_a_paper_committed_below_the_newest_id_is_news(
    held: Runtime, refresher: Refresher, pending: PendingReaders
) -> None:
    add_papers(held, FIRST_NEW + 10, count=1)
    tell(held)
    pending.take_news(10)
    add_papers(held, FIRST_NEW, count=1)
    assert tell(held) == 3


def test_a_round_waits_for_the_one_before(held: Runtime, refresher: Refresher, pending: PendingReaders) -> None:
    add_papers(held)
    assert tell(held) == 3
    add_papers(held, FIRST_NEW + 100)
    assert tell(held) == 0
    pending.take_news(10)
    assert tell(held) == 3


def test_rounds_have_a_rest_between_them(held: Runtime, refresher: Refresher, pending: PendingReaders) -> None:
    add_papers(held)
    assert feeds.spread_news() == 3
    pending.take_news(10)
    add_papers(held, FIRST_NEW + 100)
    assert feeds.spread_news() == 0


def test_the_latest_active_readers_are_told_and_no_more_than_the_setting_says(
    held: Runtime, refresher: Refresher, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = held.settings.model_copy(update={"news_readers": 2})
    be_active(held, 3, 1, 2)
    add_papers(held)
    with held.db.read() as session:
        assert news.spread_news(session, pending, settings=few, now=datetime.now(UTC)) == 2
    assert list(pending.take_news(10)) == [3, 1]


def test_readers_who_have_not_been_here_for_long_are_left_alone(held: Runtime, refresher: Refresher) -> None:
    with held.db.write() as session:
        session.execute(sa.update(User).values(last_active_at=LONG_AGO))
    add_papers(held)
    assert tell(held) == 0


def test_who_did_something_comes_first(held: Runtime, refresher: Refresher, pending: PendingReaders) -> None:
    add_papers(held)
    tell(held)
    held.serving.poll()
    add_event(held.db, 9, int(planted().texts.paper_ids[0]), EventKind.CLICK)
    pending.add({9: Change(time.time(), is_active=True)})
    assert refresher.refresh_next(wait_seconds=0.01) == 1
    assert listed(held, 9)
    assert not listed(held, 1)


def test_lists_wait_for_a_model_that_knows_the_papers(
    held: Runtime, refresher: Refresher, pending: PendingReaders
) -> None:
    add_papers(held)
    tell(held)  # the model has not looked since
    assert refresher.refresh_next(wait_seconds=0.01) == 0
    assert not listed(held, 1)
    held.serving.poll()
    assert refresher.refresh_next(wait_seconds=0.01) == 3


def test_half_of_the_time_is_left_to_others(
    held: Runtime, refresher: Refresher, pending: PendingReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "READERS_PER_BATCH", 1)
    add_papers(held)
    tell(held)
    held.serving.poll()
    assert refresher.refresh_next(wait_seconds=0.01) == 1
    worked = refresher._rest_seconds
    assert worked > 0
    started = time.monotonic()
    assert refresher.refresh_next(wait_seconds=0.001) == 1
    assert time.monotonic() - started >= min(worked, 0.5)
