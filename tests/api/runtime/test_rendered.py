"""Rendered papers: bounded, cheap, and never stale for long."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
import sqlalchemy as sa

from api.runtime.rendered import RenderedPapers
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.feed_world import LONG_AGO, paper_row
from tests.e2e.processes import wait_until


@pytest.fixture
def papers(sqlite_database: Database) -> Database:
    """Return a database with ten papers."""
    rows = [paper_row(number, title=f"Title {number}", category="cs.IR", listed_at=LONG_AGO) for number in range(1, 11)]
    with sqlite_database.write() as session:
        session.execute(sa.insert(Paper), rows)
    return sqlite_database


@pytest.fixture
def statements(papers: Database) -> Iterator[list[str]]:
    """Return the statements from here on."""
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement != "BEGIN":
            found.append(statement)

    sa.event.listen(papers.engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(papers.engine, "before_cursor_execute", note)


def test_papers_are_rendered_once(papers: Database, statements: list[str]) -> None:
    rendered = RenderedPapers(papers)
    first = rendered.get_many([1, 2, 99])
    count = len(statements)
    assert rendered.get_many([1, 2]) == first
    assert len(statements) == count
    assert orjson.loads(first[1])["title"] == "Title 1"
    assert set(first) == {1, 2}


def test_only_missing_papers_are_asked_for(papers: Database, statements: list[str]) -> None:
    rendered = RenderedPapers(papers)
    rendered.get_many([1, 2])
    statements.clear()
    assert set(rendered.get_many([1, 2, 3])) == {1, 2, 3}
    assert len(statements) == 1


def test_cached_papers_come_whole_or_not_at_all(papers: Database) -> None:
    rendered = RenderedPapers(papers)
    rendered.get_many([1, 2])
    assert rendered.get_cached([1, 3]) is None
    found = rendered.get_cached([1, 2])
    assert found is not None
    assert found[2].title == "Title 2"


def test_the_least_used_papers_make_room(papers: Database) -> None:
    rendered = RenderedPapers(papers, capacity=3)
    rendered.get_many([1, 2, 3])
    assert rendered.get_cached([1]) is not None
    rendered.get_many([4])
    assert rendered.get_cached([1, 3, 4]) is not None
    assert rendered.get_cached([2]) is None


def test_a_changed_paper_is_dropped_at_the_next_look(papers: Database) -> None:
    rendered = RenderedPapers(papers)
    rendered.get_many([1, 2])
    with papers.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id == 1).values(title="New", updated_at=datetime.now(UTC)))
    rendered.look()
    assert rendered.get_cached([2]) is not None
    assert orjson.loads(rendered.get_many([1])[1])["title"] == "New"


def test_a_removed_paper_is_dropped_at_the_next_look(papers: Database) -> None:
    rendered = RenderedPapers(papers)
    rendered.get_many([1, 2])
    with papers.write() as session:
        session.execute(sa.delete(Paper).where(Paper.paper_id == 1))
    rendered.look()
    assert set(rendered.get_many([1, 2])) == {2}


def test_a_process_that_answers_no_feed_looks_for_changes_too(
    papers: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.runtime.rendered.LOOK_SECONDS", 0.0)
    rendered = RenderedPapers(papers)
    rendered.get_many([1, 2])
    with papers.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id == 1).values(title="New", updated_at=datetime.now(UTC)))
        session.execute(sa.delete(Paper).where(Paper.paper_id == 2))

    def is_followed() -> bool:
        shown = rendered.get_many([1, 2])
        return set(shown) == {1} and orjson.loads(shown[1])["title"] == "New"

    wait_until(is_followed, seconds=10, what="the changed paper")


def test_a_thread_that_cannot_be_started_stops_no_later_look(papers: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    rendered = RenderedPapers(papers)
    rendered.get_many([1])
    rendered._next_look = float("-inf")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert rendered.get_cached([1]) is not None
    assert rendered._looking.acquire(timeout=1)
    rendered._looking.release()
