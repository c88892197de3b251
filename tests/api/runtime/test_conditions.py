"""The state of the service as pages tell it: looked up beside them, soon, and never in their way."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.runtime.conditions import (
    FRESH_SECONDS,
    LONGEST_WAIT_SECONDS,
    OLD_SECONDS,
    STUCK_SECONDS,
    WRITABLE_SECONDS,
    Condition,
    Conditions,
)
from api.store.engine import Database
from api.store.feeds import FeedStore
from api.store.state import write_state
from api.store.tables import Base, Paper, User
from api.store.tables_accounts import ACCOUNT_PREFIX
from api.store.tables_letters import ANONYMOUS_PREFIX
from tests.api.routes.conftest import make_paper

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is put forward."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def feeds(redis_url: str) -> Iterator[FeedStore]:
    """Return a store that is there."""
    store = FeedStore(redis_url)
    yield store
    store.close()


class Slow(FeedStore):
    """A store that answers when it is let go."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.may_answer = threading.Event()

    def ping(self) -> bool:
        self.may_answer.wait(30.0)
        return super().ping()


@pytest.fixture
def slow(redis_url: str) -> Iterator[Slow]:
    """Return a store that does not answer yet."""
    store = Slow(redis_url)
    yield store
    store.may_answer.set()
    store.close()


def told(conditions: Conditions) -> Condition:
    """Return what a page says that asks for it as pages do."""
    asyncio.run(conditions.ready())
    return conditions.read()


def wait_until_told(conditions: Conditions, wanted: Condition) -> None:
    """Wait until a look beside has found this."""
    until = time.monotonic() + 5.0
    while conditions.read() != wanted:
        assert time.monotonic() < until
        time.sleep(0.005)


class Counted(FeedStore):
    """A store that counts how often it is asked whether it is there."""

    looks = 0

    def ping(self) -> bool:
        self.looks += 1
        return super().ping()


class SlowOnce(Counted):
    """A store whose first answer waits until it is let go."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def ping(self) -> bool:
        self.is_asked.set()
        self.may_answer.wait(30.0)
        return super().ping()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Database]:
    """Return a database of this test alone, which can be taken away."""
    database = Database(f"sqlite:///{tmp_path / 'own.db'}")
    Base.metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


def test_an_empty_installation_is_known_as_one(own: Database, feeds: FeedStore) -> None:
    found = told(Conditions(own, feeds, clock=Clock()))
    assert found == Condition(has_papers=False)


def test_what_is_there_is_told(own: Database, feeds: FeedStore) -> None:
    with own.write() as session:
        names = ("ada", f"{ANONYMOUS_PREFIX}x", f"{ACCOUNT_PREFIX}x")
        session.add_all(User(external_id=name, created_at=NOW, last_active_at=NOW) for name in names)
        session.add_all([make_paper("a"), make_paper("b")])
        write_state(session, "demonstration", {"loaded": True}, now=NOW)
        session.flush()
        newest = max(paper.paper_id for paper in session.query(Paper))
    found = told(Conditions(own, feeds, names_readers=True, clock=Clock()))
    assert (found.has_papers, found.is_demonstration, found.newest_paper_id) == (True, True, newest)
    assert found.has_promoted is False
    assert found.readers == ("ada",)  # cookies and accounts are nobody's name
    assert told(Conditions(own, feeds, clock=Clock())).readers == ()


def test_a_page_waits_for_the_first_look_and_for_an_old_one_only(own: Database, redis_url: str) -> None:
    clock, store = Clock(), Counted(redis_url)
    conditions = Conditions(own, store, clock=clock)
    told(conditions)
    assert store.looks == 1
    clock.seconds += FRESH_SECONDS
    told(conditions)
    assert store.looks == 1
    with own.write() as session:
        session.add(make_paper("a"))
    clock.seconds += OLD_SECONDS + 1
    assert told(conditions).has_papers
    assert store.looks == 2


def test_while_pages_are_asked_for_the_look_runs_beside_them(own: Database, feeds: FeedStore) -> None:
    clock = Clock()
    conditions = Conditions(own, feeds, clock=clock)
    empty = told(conditions)
    with own.write() as session:
        session.add(make_paper("a"))
    clock.seconds += FRESH_SECONDS + 1
    assert conditions.read() == empty
    wait_until_told(conditions, Condition(has_papers=True, newest_paper_id=1))


def test_reading_never_waits_for_a_look(own: Database, slow: Slow) -> None:
    conditions = Conditions(own, slow)
    began = time.monotonic()
    assert conditions.read() == Condition()
    assert time.monotonic() - began < LONGEST_WAIT_SECONDS / 2
    slow.may_answer.set()
    wait_until_told(conditions, Condition(has_papers=False))


async def _count_turns_while_ready(conditions: Conditions) -> tuple[int, float]:
    began, turns = time.monotonic(), 0
    ready = asyncio.create_task(conditions.ready())
    while not ready.done():
        await asyncio.sleep(0.01)
        turns += 1
    return turns, time.monotonic() - began


def test_the_event_loop_turns_while_a_page_waits_and_the_wait_has_an_end(own: Database, slow: Slow) -> None:
    conditions = Conditions(own, slow)
    turns, seconds = asyncio.run(_count_turns_while_ready(conditions))
    assert turns > 10
    assert LONGEST_WAIT_SECONDS * 0.9 < seconds < 5.0
    _, seconds = asyncio.run(_count_turns_while_ready(conditions))  # who comes later does not wait again
    assert seconds < LONGEST_WAIT_SECONDS / 2


def test_whoever_met_a_failure_waits_no_longer_than_that(own: Database, slow: Slow) -> None:
    conditions = Conditions(own, slow)
    began = time.monotonic()
    conditions.distrust()
    assert time.monotonic() - began < 5.0


def test_a_look_that_never_ends_says_that_the_database_does_not_answer(own: Database, slow: Slow) -> None:
    clock = Clock()
    conditions = Conditions(own, slow, clock=clock)
    assert conditions.read().is_database_up
    until = time.monotonic() + 5.0
    while conditions.read().is_database_up:
        clock.seconds += STUCK_SECONDS
        assert time.monotonic() < until
        time.sleep(0.005)
    slow.may_answer.set()
    wait_until_told(conditions, Condition(has_papers=False))


def test_a_look_that_began_before_the_failure_is_not_the_answer_to_it(own: Database, redis_url: str) -> None:
    store = SlowOnce(redis_url)
    conditions = Conditions(own, store)
    conditions.read()
    assert store.is_asked.wait(5.0)
    doubting = threading.Thread(target=conditions.distrust)
    doubting.start()
    time.sleep(0.05)
    store.may_answer.set()
    doubting.join()
    assert store.looks == 2
    store.close()


def test_a_database_that_went_away_is_told_with_what_was_known(own: Database, feeds: FeedStore) -> None:
    with own.write() as session:
        session.add(make_paper("a"))
    conditions = Conditions(own, feeds, clock=Clock())
    assert told(conditions).is_database_up
    Base.metadata.drop_all(own.engine)
    conditions.distrust()
    found = conditions.read()
    assert (found.is_database_up, found.has_papers) == (False, True)
    Base.metadata.create_all(own.engine)
    conditions.distrust()
    assert conditions.read().is_database_up


def test_a_cache_that_is_away_is_told(own: Database, tmp_path: Path) -> None:
    away = FeedStore(f"unix://{tmp_path / 'nobody.sock'}")
    found = told(Conditions(own, away, clock=Clock()))
    assert (found.is_cache_up, found.is_database_up) == (False, True)


def test_whether_it_takes_writes_is_asked_now_and_then(own: Database, feeds: FeedStore) -> None:
    clock = Clock()
    conditions = Conditions(own, feeds, clock=clock)
    assert told(conditions).is_writable
    with own.write() as session:
        session.connection().exec_driver_sql("PRAGMA query_only=ON")
    assert conditions.look().is_writable  # asked a moment ago
    clock.seconds += WRITABLE_SECONDS
    assert not conditions.look().is_writable
