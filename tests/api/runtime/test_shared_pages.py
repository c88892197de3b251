"""Pages kept in a process: what ends them, and that nobody builds one twice."""

import threading
import time

import pytest
import sqlalchemy as sa

from api.runtime.answers import Answers
from api.runtime.shared_pages import LONGEST_KEY, SharedPages
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.hub_world import MONDAY, daily_row, insert_papers

KEY = ("/papers/trending", "")


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """Return a database with one paper."""
    insert_papers(sqlite_database, daily_row(1, MONDAY))
    return sqlite_database


@pytest.fixture
def clock() -> Clock:
    """Return the clock of both memories."""
    return Clock()


@pytest.fixture
def answers(database: Database, clock: Clock) -> Answers:
    """Return what knows of changes."""
    return Answers(database, clock=clock)


@pytest.fixture
def pages(answers: Answers, clock: Clock) -> SharedPages:
    """Return an empty memory for two pages."""
    return SharedPages(answers, most=2, clock=clock)


def test_a_page_is_made_once_while_nothing_changes(pages: SharedPages) -> None:
    made = iter("ab")
    assert pages.build(KEY, lambda: next(made), str, keep_seconds=4) == "a"
    assert pages.build(KEY, lambda: next(made), str, keep_seconds=4) == "a"
    assert pages.find(KEY, str) == "a"


def test_a_page_ends_with_its_time(pages: SharedPages, clock: Clock) -> None:
    pages.build(KEY, lambda: "a", str, keep_seconds=4)
    clock.now += 4
    assert pages.find(KEY, str) is None


def test_a_changed_paper_ends_a_page(pages: SharedPages, answers: Answers, database: Database) -> None:
    pages.build(KEY, lambda: "a", str, keep_seconds=4)
    with database.write() as session:
        session.execute(sa.update(Paper).values(updated_at=MONDAY.replace(year=2026)))
    answers.look()
    assert pages.find(KEY, str) is None


def test_a_page_that_nobody_vouches_for_is_not_found(pages: SharedPages, clock: Clock) -> None:
    pages.build(KEY, lambda: "a", str, keep_seconds=60)
    clock.now += 6
    assert pages.find(KEY, str) is None


def test_only_the_last_pages_are_kept(pages: SharedPages) -> None:
    for name in ("a", "b", "c"):
        pages.build((name, ""), lambda name=name: name, str, keep_seconds=4)  # type: ignore[misc] # a default is typed
    assert len(pages) == 2
    assert pages.find(("a", ""), str) is None
    assert pages.find(("c", ""), str) == "c"


def test_a_page_of_another_kind_is_not_given_out(pages: SharedPages) -> None:
    pages.build(KEY, lambda: "a", str, keep_seconds=4)
    assert pages.find(KEY, bytes) is None


def test_an_endless_address_is_answered_but_not_kept(pages: SharedPages) -> None:
    assert pages.build(("/" + "x" * LONGEST_KEY, ""), lambda: "a", str, keep_seconds=4) == "a"
    assert len(pages) == 0


def test_those_who_ask_together_wait_for_one(pages: SharedPages) -> None:
    made = []

    def make() -> str:
        made.append(1)
        time.sleep(0.05)
        return "a"

    askers = [threading.Thread(target=pages.build, args=(KEY, make, str), kwargs={"keep_seconds": 4}) for _ in range(5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(made) == 1


def test_a_page_that_cannot_be_made_is_not_kept(pages: SharedPages) -> None:
    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        pages.build(KEY, fail, str, keep_seconds=4)
    assert pages.build(KEY, lambda: "a", str, keep_seconds=4) == "a"
