"""What tells that papers came, and which readers hear of it first."""

from datetime import timedelta

import sqlalchemy as sa

from api.store.engine import Database
from api.store.paper_changes import newest_papers_mark
from api.store.papers import read_created_at
from api.store.tables import Paper, User
from api.store.users import latest_active_user_ids
from tests.api.feed_world import LONG_AGO, NOW, paper_row, user_row


def test_the_mark_of_the_newest_papers_follows_what_comes(database: Database) -> None:
    with database.read() as session:
        assert newest_papers_mark(session) == ""
    marks = []
    for paper_id in (7, 9, 8):
        with database.write() as session:
            session.execute(
                sa.insert(Paper), [paper_row(paper_id, title="A title", category="cs.T0", listed_at=LONG_AGO)]
            )
        with database.read() as session:
            marks.append(newest_papers_mark(session))
    assert len(set(marks)) == 3


def test_the_time_a_paper_came_is_known_while_it_is_there(database: Database) -> None:
    with database.write() as session:
        session.execute(sa.insert(Paper), [paper_row(7, title="A title", category="cs.T0", listed_at=NOW)])
    with database.read() as session:
        assert read_created_at(session, 7) == LONG_AGO
        assert read_created_at(session, 8) is None


def test_the_latest_active_readers_come_first(database: Database) -> None:
    with database.write() as session:
        rows = [user_row(number) | {"last_active_at": NOW - timedelta(hours=5 - number)} for number in range(1, 5)]
        session.execute(sa.insert(User), [*rows, user_row(9)])
    with database.read() as session:
        assert latest_active_user_ids(session, since=NOW - timedelta(hours=3), limit=10) == [4, 3, 2]
        assert latest_active_user_ids(session, since=LONG_AGO, limit=2) == [4, 3]
