"""The state of the service as pages tell it: looked up beside them, soon, and never in their way."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.runtime.conditions import FRESH_SECONDS, OLD_SECONDS, WRITABLE_SECONDS, Condition, Conditions
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


class Counted(FeedStore):
    """A store that counts how often it is asked whether it is there."""

    looks = 0

    def ping(self) -> bool:
        self.looks += 1
        return super().ping()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Database]:
    """Return a database of this test alone, which can be taken away."""
    database = Database(f"sqlite:///{tmp_path / 'own.db'}")
    Base.metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


def test_an_empty_installation_is_known_as_one(own: Database, feeds: FeedStore) -> None:
    found = Conditions(own, feeds, clock=Clock()).read()
    assert found == Condition(has_papers=False)


def test_what_is_there_is_told(own: Database, feeds: FeedStore) -> None:
    with own.write() as session:
        names = ("ada", f"{ANONYMOUS_PREFIX}x", f"{ACCOUNT_PREFIX}x")
        session.add_all(User(external_id=name, created_at=NOW, last_active_at=NOW) for name in names)
        session.add_all([make_paper("a"), make_paper("b")])
        write_state(session, "demonstration", {"loaded": True}, now=NOW)
        session.flush()
        newest = max(paper.paper_id for paper in session.query(Paper))
    found = Conditions(own, feeds, names_readers=True, clock=Clock()).read()
    assert (found.has_papers, found.is_demonstration, found.newest_paper_id) == (True, True, newest)
    assert found.has_promoted is False
    assert found.readers == ("ada",)  # cookies and accounts are nobody's name
    assert Conditions(own, feeds, clock=Clock()).read().readers == ()


def test_a_page_waits_for_the_first_look_and_for_an_old_one_only(own: Database, redis_url: str) -> None:
    clock, store = Clock(), Counted(redis_url)
    conditions = Conditions(own, store, clock=clock)
    conditions.read()
    assert store.looks == 1
    clock.seconds += FRESH_SECONDS
    conditions.read()
    assert store.looks == 1
    with own.write() as session:
        session.add(make_paper("a"))
    clock.seconds += OLD_SECONDS + 1
    assert conditions.read().has_papers
    assert store.looks == 2


def test_a_database_that_went_away_is_told_with_what_was_known(own: Database, feeds: FeedStore) -> None:
    with own.write() as session:
        session.add(make_paper("a"))
    conditions = Conditions(own, feeds, clock=Clock())
    assert conditions.read().is_database_up
    Base.metadata.drop_all(own.engine)
    conditions.distrust()
    found = conditions.read()
    assert (found.is_database_up, found.has_papers) == (False, True)
    Base.metadata.create_all(own.engine)
    conditions.distrust()
    assert conditions.read().is_database_up


def test_a_cache_that_is_away_is_told(own: Database, tmp_path: Path) -> None:
    away = FeedStore(f"unix://{tmp_path / 'nobody.sock'}")
    found = Conditions(own, away, clock=Clock()).read()
    assert (found.is_cache_up, found.is_database_up) == (False, True)


def test_whether_it_takes_writes_is_asked_now_and_then(own: Database, feeds: FeedStore) -> None:
    clock = Clock()
    conditions = Conditions(own, feeds, clock=clock)
    assert conditions.read().is_writable
    with own.write() as session:
        session.connection().exec_driver_sql("PRAGMA query_only=ON")
    assert conditions.look().is_writable  # asked a moment ago
    clock.seconds += WRITABLE_SECONDS
    assert not conditions.look().is_writable
