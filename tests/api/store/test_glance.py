"""Look-ups that the event loop makes itself."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.store import glance as module
from api.store.engine import Database
from api.store.glance import Glance, NoGlanceError
from api.store.paper_marks import Marks, glance_marks, load_marks
from api.store.tables import Event, LibraryItem, User
from api.store.users import find_user_id, glance_user_id
from recommender.domain import EventKind
from tests.api.hub_world import MONDAY, daily_row, insert_papers, insert_readers, vote

PAPERS = {number: f"2512.{number:05d}" for number in range(1, 6)}


@pytest.fixture
def glance(sqlite_database: Database) -> Iterator[Glance]:
    """Return a glance at a database with five papers and two readers."""
    insert_papers(sqlite_database, *(daily_row(number, MONDAY) for number in PAPERS))
    insert_readers(sqlite_database, 1, 2)
    opened = Glance(sqlite_database)
    yield opened
    opened.close()


def both(glance: Glance, database: Database, user_id: int) -> Marks:
    """Return a reader's marks, which are the same on both ways."""
    with database.read() as session:
        loaded = load_marks(session, user_id, list(PAPERS.values()))
    assert glance_marks(glance, user_id, PAPERS) == loaded
    return loaded


def save(database: Database, user_id: int, paper_id: int, *, is_saved: bool = True) -> None:
    """Put a paper into a library, or what is left of one that was taken out."""
    with database.write() as session:
        session.add(LibraryItem(user_id=user_id, paper_id=paper_id, is_saved=is_saved, changed_pk=1))


def test_marks_are_those_of_the_slower_way(glance: Glance, sqlite_database: Database) -> None:
    assert both(glance, sqlite_database, 1) == Marks()
    save(sqlite_database, 1, 1)
    save(sqlite_database, 1, 2, is_saved=False)
    save(sqlite_database, 2, 3)
    kinds = (EventKind.UPVOTE, EventKind.DISMISS)
    for kind in kinds:
        vote(sqlite_database, 1, 4, kind, at=MONDAY)
        vote(sqlite_database, 2, 5, kind, at=MONDAY)
    of_four = frozenset({PAPERS[4]})
    said = Marks(saved=frozenset({PAPERS[1]}), upvoted=of_four, dismissed=of_four)
    assert both(glance, sqlite_database, 1) == said
    vote(sqlite_database, 1, 4, EventKind.UNVOTE, at=datetime.now(UTC))
    vote(sqlite_database, 1, 4, EventKind.UNDISMISS, at=None)  # of unknown time: before all that is known
    assert both(glance, sqlite_database, 1) == Marks(saved=frozenset({PAPERS[1]}), dismissed=frozenset({PAPERS[4]}))
    assert glance_marks(glance, 1, {}) == Marks()
    assert glance_marks(glance, 1, {2: PAPERS[2]}) == Marks()


def test_a_reader_is_found_as_soon_as_there_is_one(glance: Glance, sqlite_database: Database) -> None:
    assert glance_user_id(glance, "new") is None
    with sqlite_database.write() as session:
        session.add(User(external_id="new", created_at=MONDAY))
    with sqlite_database.read() as session:
        assert glance_user_id(glance, "new") == find_user_id(session, "new") is not None


def test_what_is_not_committed_is_not_seen_nor_waited_for(glance: Glance, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.add(User(external_id="new", created_at=MONDAY))
        session.flush()
        assert glance_user_id(glance, "new") is None
    assert glance_user_id(glance, "new") is not None


def test_it_changes_nothing(glance: Glance) -> None:
    with pytest.raises(NoGlanceError):
        glance.rows("DELETE FROM users WHERE user_id = :one RETURNING user_id", {"one": 1})
    assert glance_user_id(glance, "u1") == 1


def test_long_work_is_left_to_a_thread_and_the_next_look_up_works(glance: Glance, sqlite_database: Database) -> None:
    row = {"user_id": 1, "kind": int(EventKind.CLICK), "paper_id": 1, "received_at": MONDAY, "payload_hash": ""}
    most = module.SLICE * module.MOST_SLICES  # every act takes more than one instruction
    with sqlite_database.write() as session:
        session.connection().execute(sa.insert(Event), [{**row, "event_id": str(at)} for at in range(most)])
    for _ in range(2):
        with pytest.raises(NoGlanceError):
            glance_marks(glance, 1, PAPERS)
        assert glance_marks(glance, 2, PAPERS) == Marks()


def test_short_work_is_never_taken_for_long(glance: Glance) -> None:
    for _ in range(2 * module.SLICE):  # SQLite counts on over the runs of a statement
        assert glance_marks(glance, 1, PAPERS) == Marks()


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(NoGlanceError):
        Glance(Database(f"sqlite:///{path}")).rows("SELECT 1", {})
    assert not path.exists()


def test_a_failure_is_no_failure_of_the_next(glance: Glance) -> None:
    with pytest.raises(NoGlanceError):
        glance.rows("SELECT * FROM nowhere", {})
    assert glance_user_id(glance, "u1") == 1


def test_another_kind_of_database_is_asked_by_threads(postgres_database: Database) -> None:
    with pytest.raises(NoGlanceError):
        Glance(postgres_database).rows("SELECT 1", {})
