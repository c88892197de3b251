"""Comments and submissions that arrive at the same moment: counted once, and never beyond the limit."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import TooManyRequests
from api.services.comments import Writer, add_comment, report_comment
from api.services.submitting import submit_papers
from api.store.engine import Database
from api.store.tables_comments import Comment, CommentReport, Submission
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADA, GRACE = Writer(1, "Ada"), Writer(2, "Grace")
AT_ONCE = 6


@pytest.fixture
def world(database: Database) -> Database:
    """Return a database with a paper and two readers."""
    insert_papers(database, daily_row(1, MONDAY))
    insert_readers(database, 1, 2)
    return database


def at_once(database: Database, write: Callable[[Session, int], object]) -> list[type[TooManyRequests]]:
    """Let several transactions write together; return what they raised."""
    start, raised = threading.Barrier(AT_ONCE), []

    def run(number: int) -> None:
        start.wait(10)
        try:
            with database.write() as session:
                write(session, number)
        except TooManyRequests as error:
            raised.append(type(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


def count(database: Database, table: type[Comment] | type[CommentReport] | type[Submission]) -> int:
    """Return how many rows there are."""
    with database.read() as session:
        return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def say(session: Session, text: str, *, most: int = 100) -> int:
    """Add a comment of Ada's."""
    return add_comment(session, 1, text, writer=ADA, parent_id=None, most_hourly=most, now=NOW)


def test_a_form_sent_several_times_at_once_is_one_comment(world: Database) -> None:
    assert at_once(world, lambda session, _: say(session, "once")) == []
    assert count(world, Comment) == 1


def test_nobody_writes_beyond_the_limit_at_once(world: Database) -> None:
    raised = at_once(world, lambda session, number: say(session, f"number {number}", most=2))
    assert (len(raised), count(world, Comment)) == (AT_ONCE - 2, 2)


def test_a_report_sent_several_times_at_once_is_one(world: Database) -> None:
    with world.write() as session:
        number = say(session, "a")
    at_once(world, lambda session, _: report_comment(session, number, "", writer=GRACE, most_hourly=100, now=NOW))
    assert count(world, CommentReport) == 1


def test_nobody_submits_beyond_the_limit_at_once(world: Database) -> None:
    raised = at_once(
        world,
        lambda session, number: submit_papers(session, [f"2601.0000{number}"], writer=ADA, most_hourly=2, now=NOW),
    )
    assert (len(raised), count(world, Submission)) == (AT_ONCE - 2, 2)
