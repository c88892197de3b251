"""Which change a prepared list includes, beside promotions."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.engine import Database
from api.store.list_state import stale_user_ids, write_list_seqs
from api.store.registry import expire_lists, insert_model_version, write_serving
from api.store.runs import insert_run
from api.store.tables import Base, User

NOW = datetime(2026, 5, 1, tzinfo=UTC)
READER = 1


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """Return a PostgreSQL database with all tables."""
    database = Database(postgres_url)
    Base.metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


def fill(database: Database, *, serving: str | None) -> None:
    """Register two versions, let one answer, and add a reader with a change that no list includes yet."""
    with database.write() as session:
        run_id = insert_run(session, trigger="admin", now=NOW)
        assert run_id is not None
        for version in ("v1", "v2"):
            insert_model_version(
                session,
                version=version,
                run_id=run_id,
                created_at=NOW,
                config={},
                figures={},
                note=None,
                fingerprint="",
            )
        session.add(User(user_id=READER, external_id="ada", created_at=NOW, last_active_at=NOW, last_seq=4, list_seq=3))
        if serving is not None:
            write_serving(session, version=serving, now=NOW)


def wait_until_it_waits(session: Session) -> None:
    """Wait until another transaction waits for this one."""
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    deadline = time.monotonic() + 60
    while not session.execute(query).scalar_one():
        assert time.monotonic() < deadline
        session.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        time.sleep(0.01)


def list_seq(database: Database) -> int:
    """Return the change that the reader's list includes."""
    with database.read() as session:
        return session.execute(sa.select(User.list_seq)).scalar_one()


def test_a_list_of_the_serving_version_counts(database: Database) -> None:
    fill(database, serving="v1")
    with database.write() as session:
        assert write_list_seqs(session, {READER: 4}, version="v1")
    assert list_seq(database) == 4


def test_a_list_of_a_replaced_version_does_not_count(database: Database) -> None:
    fill(database, serving="v2")
    with database.write() as session:
        assert not write_list_seqs(session, {READER: 4}, version="v1")
    assert list_seq(database) == 3


def test_an_older_list_does_not_take_a_newer_one_back(database: Database) -> None:
    fill(database, serving="v1")
    with database.write() as session:
        write_list_seqs(session, {READER: 2}, version="v1")
    assert list_seq(database) == 3


def test_readers_active_since_a_time_are_found_apart(database: Database) -> None:
    fill(database, serving="v1")
    with database.write() as session:
        session.add(User(user_id=2, external_id="bob", created_at=NOW, last_active_at=None, last_seq=1, list_seq=0))
        session.add(User(user_id=3, external_id="eve", created_at=NOW, last_active_at=NOW, last_seq=1, list_seq=1))
    with database.read() as session:
        assert stale_user_ids(session, active_since=NOW, after_user_id=0, limit=10) == [READER]
        assert stale_user_ids(session, after_user_id=0, limit=10) == [READER, 2]
        assert stale_user_ids(session, after_user_id=READER, limit=10) == [2]


@pytest.mark.parametrize("serving", ["v1", None])
def test_a_refresh_waits_for_a_promotion_under_way(postgres: Database, serving: str | None) -> None:
    fill(postgres, serving=serving)
    noted: list[bool] = []

    def note() -> None:
        with postgres.write() as session:
            noted.append(write_list_seqs(session, {READER: 4}, version=serving or ""))

    refresh = threading.Thread(target=note)
    with postgres.write() as session:
        write_serving(session, version="v2", now=NOW)
        expire_lists(session, since=NOW.replace(year=2027))  # the reader's change is not in sight here
        refresh.start()
        wait_until_it_waits(session)
        assert not noted
    refresh.join()
    assert noted == [False]
    assert list_seq(postgres) == 3


@pytest.mark.parametrize("serving", ["v1", None])
def test_a_promotion_that_comes_second_takes_back_what_was_noted(postgres: Database, serving: str | None) -> None:
    fill(postgres, serving=serving)

    def promote() -> None:
        with postgres.write() as session:
            write_serving(session, version="v2", now=NOW)
            expire_lists(session, since=NOW)

    promotion = threading.Thread(target=promote)
    with postgres.write() as session:
        assert write_list_seqs(session, {READER: 4}, version=serving or "")
        promotion.start()
        wait_until_it_waits(session)
    promotion.join()
    assert list_seq(postgres) == -1
