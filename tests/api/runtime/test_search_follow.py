"""The search index of a process: it follows SQL, other processes and new generations, and survives what breaks."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.runtime import search_keep
from api.runtime.search_follow import SearchFollower
from api.store.engine import Database
from api.store.search_errors import IndexBroken, IndexUnusable
from api.store.search_files import current_generation, read_status
from api.store.search_index import SearchIndex
from api.store.search_query import SearchQuery, Word
from api.store.search_writer import SearchWriter
from api.store.tables import Paper
from tests.api.feed_world import LONG_AGO
from tests.api.search_world import ALL, change, closing_follower, found, settle, wait_until_due, write


def test_the_first_index_is_made_of_what_there_is(follower: SearchFollower) -> None:
    assert found(follower) == list(range(1, 11))
    assert found(follower, SearchQuery(Word("7"))) == [7]
    assert follower.is_writer
    assert follower.failure == ""


def test_until_there_is_an_index_a_search_says_so(database: Database, folder: Path) -> None:
    with closing_follower(database, folder) as follower, pytest.raises(IndexUnusable):
        follower.search(ALL, limit=1)


def test_new_changed_and_deleted_papers_are_followed(database: Database, follower: SearchFollower) -> None:
    now = datetime.now(UTC)
    write(database, 11, 12, at=now)
    change(database, 1, title="Something else")
    change(database, 2, deleted_at=now)
    settle(follower)
    assert found(follower) == [1, *range(3, 13)]
    assert found(follower, SearchQuery(Word("else"))) == [1]
    assert 1 not in found(follower, SearchQuery(Word("title")))
    change(database, 2, deleted_at=None)
    settle(follower)
    assert 2 in found(follower)


def test_many_papers_come_in_steps(
    database: Database, follower: SearchFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_keep, "PAPERS_PER_STEP", 10)
    write(database, *range(11, 36), at=datetime.now(UTC))  # all of one moment: a step does not part them
    assert follower.poll()
    settle(follower)
    assert found(follower) == list(range(1, 36))


def test_a_late_commit_is_found(database: Database, follower: SearchFollower, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    write(database, 11, at=now)
    settle(follower)
    write(database, 12, at=now - timedelta(seconds=30))  # began first, committed last
    monkeypatch.setattr(search_keep, "OVERLAP_EVERY_SECONDS", 0.0)
    follower.poll()
    wait_until_due(follower, "overlap")
    settle(follower)
    assert 12 in found(follower)


def test_removed_rows_leave_the_index(database: Database, follower: SearchFollower) -> None:
    with database.write() as session:
        session.execute(sa.delete(Paper).where(Paper.paper_id <= 4))
    wait_until_due(follower, "tidy")
    settle(follower)
    assert found(follower) == list(range(5, 11))


def test_what_was_missed_is_put_right(database: Database, follower: SearchFollower) -> None:
    with database.write() as session:  # as by a clock that was an hour behind
        session.execute(
            sa.update(Paper).where(Paper.paper_id == 3).values(title="Odd", updated_at=LONG_AGO - timedelta(hours=1))
        )
    wait_until_due(follower, "tidy", "compare")
    settle(follower)
    assert found(follower, SearchQuery(Word("odd"))) == [3]


def test_a_second_process_reads_what_the_first_writes(
    database: Database, folder: Path, follower: SearchFollower
) -> None:
    with closing_follower(database, folder) as second:
        settle(second)
        assert not second.is_writer
        assert found(second) == found(follower)
        write(database, 11, at=datetime.now(UTC))
        settle(second)
        assert 11 not in found(second)
        settle(follower)
        settle(second)
        assert 11 in found(second)
        follower.stop()
        write(database, 12, at=datetime.now(UTC))
        settle(second)
        assert second.is_writer
        assert 12 in found(second)


def test_papers_that_a_writer_loses_are_written_again(
    database: Database, follower: SearchFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database, 11, at=datetime.now(UTC))
    with monkeypatch.context() as patch:
        patch.setattr(SearchWriter, "add", lambda _self, papers, **_: len(list(papers)))  # as on a full disk
        follower.poll()
    assert "not taken in" in follower.failure
    assert 11 not in found(follower)
    wait_until_due(follower)
    settle(follower)
    assert 11 in found(follower)
    assert follower.failure == ""


def test_a_search_that_fails_lets_the_files_be_looked_at(
    follower: SearchFollower, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexBroken("as a panic of the engine")

    with monkeypatch.context() as patch:
        patch.setattr(SearchIndex, "search", fail)
        with pytest.raises(IndexUnusable):
            follower.search(ALL, limit=1)
    generation = current_generation(folder)
    settle(follower)
    assert found(follower) == list(range(1, 11))  # the files are whole: that query was to blame
    assert current_generation(folder) == generation


def test_the_writer_says_how_it_is(follower: SearchFollower, folder: Path) -> None:
    wait_until_due(follower, "tidy")
    settle(follower)
    status = read_status(folder)
    assert status["papers"] == 10
    assert status["problem"] == ""
    assert time.time() - status["at"] < 60
