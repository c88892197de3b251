"""Requests that arrive together share a transaction, and nobody hears before it is committed."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Unavailable
from api.runtime.group_commit import GroupCommit
from api.store.engine import Database
from api.store.tables import Base, LibraryItem, ServiceState

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Recorder:
    """Work that stores a row for each item and notes which items shared a transaction."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, session: Session, items: list[str]) -> list[str]:
        self.groups.append(items)
        self.gate.wait(60)
        session.execute(sa.insert(ServiceState), [{"key": item, "value": {}, "updated_at": NOW} for item in items])
        return [item.upper() for item in items]


@pytest.fixture
def recorder() -> Recorder:
    """Return the work."""
    return Recorder()


@pytest.fixture
def commits(database: Database, recorder: Recorder) -> Iterator[GroupCommit[str, str]]:
    """Return a running group commit."""
    commits = GroupCommit(database, recorder)
    commits.start()
    yield commits
    recorder.gate.set()
    commits.close()


def submit_together(commits: GroupCommit[str, str], recorder: Recorder, items: list[str]) -> list["Future[str]"]:
    """Submit items while the writer is held up by a first one, so that they share the next transaction."""
    recorder.gate.clear()
    first = commits.submit("first")
    while not recorder.groups:
        time.sleep(0.001)
    futures = [commits.submit(item) for item in items]
    recorder.gate.set()
    assert first.result(60) == "FIRST"
    return futures


def stored(database: Database) -> set[str]:
    """Return the keys that are committed."""
    with database.read() as session:
        return set(session.scalars(sa.select(ServiceState.key)))


def test_an_answer_comes_after_the_commit(database: Database, commits: GroupCommit[str, str]) -> None:
    assert commits.submit("a").result(60) == "A"
    assert stored(database) == {"a"}


def test_requests_that_arrive_together_share_a_transaction(commits: GroupCommit[str, str], recorder: Recorder) -> None:
    futures = submit_together(commits, recorder, ["a", "b", "c"])
    assert [future.result(60) for future in futures] == ["A", "B", "C"]
    assert recorder.groups == [["first"], ["a", "b", "c"]]


def test_one_bad_request_does_not_fail_the_others(
    database: Database, commits: GroupCommit[str, str], recorder: Recorder
) -> None:
    futures = submit_together(commits, recorder, ["a", "first", "b"])
    assert futures[0].result(60) == "A"
    with pytest.raises(sa.exc.IntegrityError):
        futures[1].result(60)
    assert futures[2].result(60) == "B"
    assert stored(database) == {"first", "a", "b"}


def test_a_caller_that_goes_away_harms_nobody(
    database: Database, commits: GroupCommit[str, str], recorder: Recorder
) -> None:
    futures = submit_together(commits, recorder, ["a"])
    waiting = commits.submit("gone")
    waiting.cancel()
    assert commits.submit("b").result(60) == "B"
    assert futures[0].result(60) == "A"
    assert {"a", "b"} <= stored(database)


def test_a_lost_database_fails_all_at_once(
    commits: GroupCommit[str, str], recorder: Recorder, database: Database
) -> None:
    with database.write() as session:
        session.execute(sa.text("DROP TABLE service_state"))
    before = len(recorder.groups)
    with pytest.raises(sa.exc.DBAPIError):
        commits.submit("a").result(60)
    assert len(recorder.groups) == before + 1


def test_what_waits_is_committed_before_the_end(database: Database, recorder: Recorder) -> None:
    commits = GroupCommit(database, recorder)
    commits.start()
    futures = [commits.submit(str(number)) for number in range(50)]
    commits.close()
    assert all(future.done() for future in futures)
    assert len(stored(database)) == 50
    with pytest.raises(Unavailable):
        commits.submit("late")


def test_a_row_removed_between_look_up_and_insert_is_looked_up_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    Base.metadata.create_all(database.engine)
    looks: list[int] = []

    def work(session: Session, items: list[str]) -> list[str]:
        looks.append(len(items))
        if len(looks) == 1:  # the reader was there a moment ago
            session.execute(sa.insert(LibraryItem).values(user_id=1, paper_id=1, is_saved=True, changed_pk=1))
        return ["unknown" for _ in items]

    commits = GroupCommit(database, work)
    commits.start()
    try:
        assert commits.submit("a").result(60) == "unknown"
    finally:
        commits.close()
        database.engine.dispose()
    assert looks == [1, 1]
