"""Daily lists in SQL, and the marks by which changes are noticed."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from api.store.daily import Wanted, load_listed, load_shown, newest_daily_ids, published_ids, read_marks
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.hub_world import LAST_WEEK, MONDAY, daily_row, insert_papers

ALL = Wanted()


@pytest.fixture(autouse=True)
def _world(database: Database) -> None:
    insert_papers(
        database,
        daily_row(1, LAST_WEEK),
        daily_row(2, MONDAY, submitted_by="ada"),
        daily_row(3, MONDAY),
        daily_row(4, None),
        daily_row(5, MONDAY, withdrawn_at=MONDAY),
        daily_row(6, MONDAY, deleted_at=MONDAY),
    )


def newest(database: Database, wanted: Wanted = ALL, *, offset: int = 0, limit: int = 10) -> list[int]:
    with database.read() as session:
        return newest_daily_ids(session, wanted, offset=offset, limit=limit)


def test_a_daily_list_has_what_entered_one_and_was_not_taken_back(database: Database) -> None:
    assert newest(database) == [3, 2, 1]


def test_a_span_begins_with_its_first_moment_and_ends_before_the_next(database: Database) -> None:
    midnight = MONDAY.replace(hour=0, minute=0)
    assert newest(database, Wanted(since=midnight)) == [3, 2]
    assert newest(database, Wanted(until=midnight)) == [1]
    assert newest(database, Wanted(since=MONDAY, until=MONDAY)) == []


def test_papers_of_one_submitter(database: Database) -> None:
    assert newest(database, Wanted(submitter="ada")) == [2]
    assert newest(database, Wanted(submitter="nobody")) == []


def test_pages_follow_each_other_and_end(database: Database) -> None:
    assert [newest(database, offset=at, limit=2) for at in (0, 2, 4)] == [[3, 2], [1], []]
    assert newest(database, offset=10**11) == []


def test_what_is_shown_elsewhere_can_be_left_out(database: Database) -> None:
    with database.read() as session:
        assert newest_daily_ids(session, Wanted(), without=[3], offset=0, limit=2) == [2, 1]


def test_all_papers_of_a_span_come_with_their_votes(database: Database) -> None:
    with database.read() as session:
        assert [(paper.paper_id, paper.upvotes) for paper in load_listed(session, Wanted())] == [(3, 3), (2, 2), (1, 1)]
        assert [paper.paper_id for paper in load_listed(session, Wanted(), among=[1, 4])] == [1]


def test_papers_by_publication_are_those_of_all_lists(database: Database) -> None:
    with database.read() as session:
        assert published_ids(session, offset=0, limit=10) == [4, 3, 2, 1]


def test_a_withdrawn_paper_is_shown_and_a_removed_one_is_not(database: Database) -> None:
    with database.read() as session:
        assert set(load_shown(session, [4, 5, 6, 99])) == {4, 5}


@pytest.mark.parametrize("days", [0, 1, -1])
def test_a_write_moves_the_marks_also_when_it_began_before_another(database: Database, days: int) -> None:
    with database.read() as session:
        before = read_marks(session)
    with database.write() as session:  # a slow writer's time may be before that of a quicker one
        written_at = MONDAY + timedelta(days=days) if days >= 0 else MONDAY - timedelta(seconds=30)
        session.execute(sa.update(Paper).where(Paper.paper_id == 1).values(updated_at=written_at))
    with database.read() as session:
        after = read_marks(session)
    assert (after == before) == (days == 0)


def test_marks_of_an_empty_database(database: Database) -> None:
    with database.write() as session:
        session.execute(sa.delete(Paper))
    with database.read() as session:
        assert tuple(read_marks(session)) == (None, 0, 0, 0)
