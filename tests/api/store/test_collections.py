"""What a list of collections costs: it reads the beginning of indexes, however much the collections hold."""

from typing import Any

import pytest
import sqlalchemy as sa

from api.services import collections
from api.services.collections import Search, Viewer
from api.store import event_import, library
from api.store.collections import find_collection
from api.store.engine import Database
from api.store.library import LibraryChange
from api.store.tables import EPOCH, ONE_MICROSECOND
from api.store.users import ensure_users
from recommender.domain import EventKind
from tests.api.routes.conftest import NOW, make_paper

LATER = NOW.replace(year=2027)


def make_reader(database: Database) -> Viewer:
    """Return a reader whose library has a row, beside another collection."""
    with database.write() as session:
        session.add(make_paper("2401.00001"))
        user_id = ensure_users(session, ["ada"], now=NOW)[0]["ada"]
        collections.create_collection(
            session, "ada", title="List", description=None, is_private=False, theme="blue", now=NOW
        )
    return Viewer(user_id, "ada")


def plans_of_a_list(database: Database, viewer: Viewer) -> dict[str, str]:
    """Return how SQLite finds what a list shows, by statement."""
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as session:
        found, _ = collections.list_collections(session, viewer, Search(), after=None, limit=10)
        assert found
    sa.event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        return {
            statement: "\n".join(
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            )
            for statement, values in asked
            if statement.startswith("SELECT")
        }


def test_a_list_for_anybody_walks_the_index_of_public_collections_and_sorts_nothing(
    sqlite_database: Database,
) -> None:
    make_reader(sqlite_database)
    plans = plans_of_a_list(sqlite_database, Viewer())
    assert len(plans) == 2
    assert any("ix_collections_public" in plan for plan in plans.values())
    assert any("ix_collection_items_order" in plan for plan in plans.values())
    assert [statement for statement, plan in plans.items() if "TEMP B-TREE" in plan] == []


def test_a_list_with_libraries_sorts_no_papers(sqlite_database: Database) -> None:
    plans = plans_of_a_list(sqlite_database, make_reader(sqlite_database))
    of_papers = {statement: plan for statement, plan in plans.items() if "LIMIT ? OFFSET ?) AS anon" in statement}
    assert len(of_papers) == 3
    assert [statement for statement, plan in of_papers.items() if "TEMP B-TREE" in plan] == []


@pytest.mark.parametrize("is_import", [True, False])
def test_the_row_of_a_library_says_when_a_paper_was_saved_last_and_never_goes_back(
    database: Database, *, is_import: bool
) -> None:
    user_id = make_reader(database).user_id
    assert user_id is not None
    for at, expected in ((NOW.replace(year=2025), NOW), (LATER, LATER), (NOW, LATER)):
        with database.write() as session:
            if is_import:
                micro = (at - EPOCH) // ONE_MICROSECOND
                event_import.append_history(
                    session, [(user_id, str(at.year), int(EventKind.SAVE), 1, micro, micro, None, "")]
                )
                event_import.project_history(session, after_event_pk=0)
            else:
                library.project_changes(session, [LibraryChange(user_id, 1, True, at, 1)])
        with database.read() as session:
            facts = find_collection(session, "ada", public_id=None)
            assert facts is not None
            assert facts.modified_at == expected
