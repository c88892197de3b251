"""Votes of readers: the last word of each counts."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.store.engine import Database
from api.store.tables import Event
from api.store.votes import Votes, count_upvotes, count_votes, has_votes_between
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers, vote

EARLIER = MONDAY - timedelta(hours=1)


@pytest.fixture(autouse=True)
def _world(database: Database) -> None:
    insert_papers(database, daily_row(1, MONDAY), daily_row(2, MONDAY))
    insert_readers(database, 1, 2, 3)


def upvotes(database: Database, *paper_ids: int) -> dict[int, int]:
    with database.read() as session:
        return count_upvotes(session, paper_ids)


def test_each_reader_counts_once_however_often_they_vote(database: Database) -> None:
    for number in range(3):
        vote(database, 1, 1, EventKind.UPVOTE, at=MONDAY, number=number)
    vote(database, 2, 1, EventKind.UPVOTE, at=MONDAY)
    assert upvotes(database, 1, 2) == {1: 2}


def test_a_vote_taken_back_does_not_count_and_one_given_again_does(database: Database) -> None:
    vote(database, 1, 1, EventKind.UPVOTE, at=EARLIER)
    vote(database, 1, 1, EventKind.UNVOTE, at=MONDAY)
    assert upvotes(database, 1) == {}
    vote(database, 1, 1, EventKind.UPVOTE, at=MONDAY + timedelta(seconds=1), number=1)
    assert upvotes(database, 1) == {1: 1}


def test_the_later_word_counts_whatever_arrived_first(database: Database) -> None:
    vote(database, 1, 1, EventKind.UNVOTE, at=MONDAY)
    vote(database, 1, 1, EventKind.UPVOTE, at=EARLIER)
    assert upvotes(database, 1) == {}


def test_a_vote_of_unknown_time_comes_before_all_others(database: Database) -> None:
    vote(database, 1, 1, EventKind.UNVOTE, at=MONDAY)
    vote(database, 1, 1, EventKind.UPVOTE, at=None)
    vote(database, 2, 1, EventKind.UPVOTE, at=None)
    assert upvotes(database, 1) == {1: 1}


def test_other_acts_are_no_votes(database: Database) -> None:
    vote(database, 1, 1, EventKind.SAVE, at=MONDAY)
    vote(database, 1, 1, EventKind.CLICK, at=MONDAY)
    assert upvotes(database, 1) == {}
    assert upvotes(database) == {}


def test_only_votes_are_noticed_between_two_marks(database: Database) -> None:
    vote(database, 1, 1, EventKind.UPVOTE, at=MONDAY)
    vote(database, 1, 1, EventKind.SAVE, at=MONDAY)
    with database.read() as session:
        first, last = session.scalars(sa.select(Event.event_pk).order_by(Event.event_pk)).all()
        assert has_votes_between(session, 0, last)
        assert not has_votes_between(session, first, last)
        assert has_votes_between(session, first - 1, first)


def test_votes_are_read_from_their_index_alone(sqlite_database: Database) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    sa.event.listen(sqlite_database.engine, "before_cursor_execute", note)
    upvotes(sqlite_database, 1, 2)
    [(statement, parameters)] = [found for found in statements if found[0].startswith("SELECT")]
    with sqlite_database.engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
    assert "COVERING INDEX ix_events_votes" in plan


def test_a_count_says_how_much_of_the_log_it_has_read(database: Database) -> None:
    with database.read() as session:
        assert count_votes(session, [1]) == Votes({}, 0)
        assert count_votes(session, []) == Votes({}, 0)
    vote(database, 1, 1, EventKind.UPVOTE, at=MONDAY)
    vote(database, 2, 2, EventKind.UPVOTE, at=MONDAY)
    with database.read() as session:
        newest = session.scalars(sa.select(sa.func.max(Event.event_pk))).one()
        assert count_votes(session, [1]) == Votes({1: 1}, newest)
