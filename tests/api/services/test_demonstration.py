"""The demonstration comes whole, once, and goes without a trace."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.services.catalog import record_papers
from api.services.demonstration import STATE_KEY, Removed, begin_demo, load_steps, remove_steps
from api.sources.demo import Demonstration, build_demonstration
from api.sources.records import PaperRecord
from api.store.demonstration import load_demo_rows
from api.store.engine import Database
from api.store.events import insert_events
from api.store.every_table import every_table, paper_columns
from api.store.library import LibraryChange, project_changes
from api.store.state import read_state
from api.store.tables import Event, LibraryItem, Paper, PaperCategory, User
from api.store.tables_base import UtcTime
from api.store.users import ensure_users
from recommender.domain import EventKind

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
EXAMPLES = {int: 1, str: "x", bool: False, dict: {}, bytes: b"", float: 1.0}  # of what a column holds


@pytest.fixture(scope="module")
def demo() -> Demonstration:
    return build_demonstration(NOW, papers=200, readers=8)


def load(database: Database, demo: Demonstration, *, steps: int | None = None) -> None:
    for step in islice(load_steps(demo, at=NOW, now=NOW), steps):
        with database.write() as session:
            step(session)


def remove(database: Database) -> Removed:
    with database.read() as session:
        found = load_demo_rows(session)
    removed = Removed()
    for step in remove_steps(found, now=LATER):
        with database.write() as session:
            removed += step(session)
    return removed


def count(database: Database, table: type[Paper | User | Event | LibraryItem | PaperCategory]) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_all_of_it_is_there_and_marked(database: Database, demo: Demonstration) -> None:
    load(database, demo)
    assert (count(database, Paper), count(database, User)) == (200, 8)
    assert count(database, Event) == len(demo.events)
    saves = {(event.reader, event.paper) for event in demo.events if event.kind == EventKind.SAVE}
    assert count(database, LibraryItem) == len(saves)
    with database.read() as session:
        assert session.scalars(sa.select(Paper.is_demo).distinct()).all() == [True]
        assert session.scalars(sa.select(User.is_demo).distinct()).all() == [True]
        assert session.scalars(sa.select(Event.is_import).distinct()).all() == [True]
        rows = session.execute(sa.select(User.external_id, User.last_active_at))
        last = {row.external_id: row.last_active_at for row in rows}
        assert read_state(session, STATE_KEY) == {"loaded": True, "complete": True, "at": NOW.isoformat()}
    assert last == {event.reader: event.occurred_at for event in demo.events}  # in order of time: the last one stays


def test_a_broken_off_load_goes_on_and_makes_nothing_twice(database: Database, demo: Demonstration) -> None:
    with database.write() as session:
        assert begin_demo(session, now=NOW) == NOW
    load(database, demo, steps=4)
    with database.write() as session:
        assert begin_demo(session, now=LATER) == NOW
    load(database, demo)
    with database.write() as session:
        assert begin_demo(session, now=LATER) is None
    assert (count(database, Paper), count(database, Event)) == (200, len(demo.events))


def test_papers_can_be_listed_before_histories_are_there(sqlite_database: Database, demo: Demonstration) -> None:
    load(sqlite_database, demo, steps=2)
    assert count(sqlite_database, Paper) > 0
    assert count(sqlite_database, Event) == 0
    with sqlite_database.read() as session:
        newest = session.scalar(sa.select(Paper.external_id).order_by(Paper.published_at.desc()))
    assert newest == demo.papers[0].external_id


def test_removal_leaves_real_papers_readers_and_their_events(database: Database, demo: Demonstration) -> None:
    load(database, demo)
    with database.write() as session:
        record_papers(session, [PaperRecord("Real", "file", external_id="real", categories=("x",))], now=NOW)
        papers = {paper.external_id: paper.paper_id for paper in session.scalars(sa.select(Paper))}
        readers, _ = ensure_users(session, {"me", demo.readers[0]}, now=NOW)
        pairs = [("me", "real"), ("me", demo.papers[0].external_id or ""), (demo.readers[0], "real")]
        rows = [event_row(readers[reader], papers[paper], number) for number, (reader, paper) in enumerate(pairs)]
        written = insert_events(session, rows)
        project_changes(
            session,
            [
                LibraryChange(row["user_id"], row["paper_id"], True, NOW, written[row["user_id"], row["event_id"]])  # type: ignore[arg-type,index]
                for row in rows
            ],
        )
    assert remove(database) == Removed(papers=200, readers=8, events=len(demo.events) + 2, others_events=1)
    with database.read() as session:
        assert session.scalars(sa.select(Paper.external_id)).all() == ["real"]
        assert session.scalars(sa.select(PaperCategory.category)).all() == ["x"]
        assert session.execute(sa.select(User.external_id, User.last_seq)).all() == [("me", 1)]
        assert session.scalars(sa.select(Event.event_id)).all() == ["real-0"]
        assert session.scalars(sa.select(LibraryItem.user_id)).all() == [readers["me"]]
        assert read_state(session, STATE_KEY) is None


def test_what_any_table_says_of_papers_goes_with_them_even_if_broken_off(
    database: Database, demo: Demonstration
) -> None:
    load(database, demo)
    with database.write() as session:
        readers, _ = ensure_users(session, {"me"}, now=NOW)
        paper_id = session.scalars(sa.select(Paper.paper_id).order_by(Paper.paper_id)).first()
        tables = [table for table in every_table() if list(paper_columns(table))]
        for table in tables:
            add_row(session, table, {User.__table__.c.user_id: readers["me"], Paper.__table__.c.paper_id: paper_id})
    assert {"mailed_papers", "events", "comments"} <= {table.name for table in tables}
    with database.read() as session:
        steps = list(remove_steps(load_demo_rows(session), now=LATER))
    for step in steps[: len(steps) // 2]:
        with database.write() as session:
            step(session)
    remove(database)
    assert remove(database) == Removed()
    with database.read() as session:
        left = {table.name: session.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables}
        assert left == dict.fromkeys(left, 0)
        assert session.scalars(sa.select(User.external_id)).all() == ["me"]
    assert count(database, Paper) == 0


def add_row(session: Session, table: sa.Table, given: Mapping[Any, Any]) -> Any:
    """Add a row of any table, and of those that it needs; return its key. `given`: columns of rows that are there."""
    values: dict[str, Any] = {}
    for column in table.columns:
        keys = [key.column for key in column.foreign_keys]
        if column.nullable or (column is table.autoincrement_column and not keys):
            continue
        if keys:
            values[column.name] = given[keys[0]] if keys[0] in given else add_row(session, keys[0].table, given)
        else:
            values[column.name] = NOW if isinstance(column.type, UtcTime) else EXAMPLES[column.type.python_type]
    done = session.execute(sa.insert(table).values(values))
    return done.inserted_primary_key[0]  # type: ignore[attr-defined]


def test_removing_nothing_is_no_error(database: Database) -> None:
    assert remove(database) == Removed()


def test_a_real_paper_that_took_a_demonstration_id_survives_the_removal(
    sqlite_database: Database, demo: Demonstration
) -> None:
    load(sqlite_database, demo)
    taken = demo.papers[3].external_id
    with sqlite_database.write() as session:
        record_papers(session, [PaperRecord("Real after all", "arxiv", external_id=taken)], now=NOW)
    remove(sqlite_database)
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(Paper.title)).all() == ["Real after all"]


def event_row(user_id: int, paper_id: int, number: int) -> dict[str, object]:
    return {
        "user_id": user_id,
        "event_id": f"real-{number}",
        "kind": int(EventKind.SAVE),
        "paper_id": paper_id,
        "occurred_at": NOW,
        "received_at": NOW,
        "position": None,
        "value": None,
        "slate": None,
        "payload_hash": "x",
        "is_import": False,
    }
