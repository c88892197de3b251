"""The revisions give exactly the tables of the code, on both databases, from any number of processes at once."""

import base64
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from api.errors import Unavailable
from api.store import migrate
from api.store.engine import Database
from api.store.migrate import HEAD, MIGRATIONS, current_revision, is_current, run_revisions, upgrade
from api.store.tables import Base, Event, Paper


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    is_sqlite = request.param == "sqlite"
    db = Database(f"sqlite:///{tmp_path / 'new.db'}" if is_sqlite else request.getfixturevalue("postgres_url"))
    yield db
    db.engine.dispose()


def test_an_upgraded_database_has_exactly_the_tables_of_the_code(empty_database: Database) -> None:
    upgrade(empty_database)
    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgraded_database_has_the_checks_and_partial_indexes_too(empty_database: Database) -> None:
    upgrade(empty_database)
    inspector = sa.inspect(empty_database.engine)
    assert inspector.get_check_constraints("serving")
    wanted = {
        i.name: sorted(c.name for c in i.columns) for table in Base.metadata.tables.values() for i in table.indexes
    }
    found = {
        index["name"]: sorted(name for name in index["column_names"] if name)
        for table in Base.metadata.tables
        for index in inspector.get_indexes(table)
        if str(index["name"]).startswith("ix_")
    }
    assert found == wanted


def test_an_empty_database_is_not_current_and_an_upgraded_one_is(empty_database: Database) -> None:
    assert not is_current(empty_database)
    assert upgrade(empty_database)
    assert is_current(empty_database)


def test_a_database_of_the_first_revision_keeps_its_papers(empty_database: Database) -> None:
    with empty_database.write() as session:
        connection = session.connection()
        run_revisions(connection, to="0001")
        first = sa.Table("papers", sa.MetaData(), autoload_with=connection)
        needed = {column.name: column.type.python_type() for column in first.columns if not column.nullable}
        lists: dict[str, list[str]] = {"authors": [], "categories": [], "keywords": []}
        connection.execute(sa.insert(first), {**needed, **lists, "paper_id": 1, "title": "Kept"})
    assert upgrade(empty_database)
    with empty_database.read() as session:
        assert session.execute(sa.select(Paper.paper_id, Paper.title, Paper.text_hash)).all() == [(1, "Kept", None)]


OLD_SLATE = b"slate id" + (10**15).to_bytes(8, "little") + (21).to_bytes(4, "little") + (2).to_bytes(2, "little")


def old_token(*, reader: int = 1, form: int = 1, papers: tuple[int, ...] = (8, 9), sources: bytes = b"\0\1") -> str:
    """Return a slate as the second revision knew it: signature, header, version, papers of five bytes, sources."""
    header = bytes([form]) + reader.to_bytes(8, "little") + OLD_SLATE + b"\7"
    ids = b"".join(paper_id.to_bytes(5, "little") for paper_id in papers)
    return base64.urlsafe_b64encode(b"s" * 16 + header + b"v2026-1" + ids + sources).decode().rstrip("=")


TOKENS: list[tuple[str | None, bool]] = [
    (old_token(), True),
    (old_token(reader=0), True),
    (old_token(reader=2), False),
    (old_token(form=2), False),
    (old_token(papers=(8, 7)), False),
    (old_token(sources=b"\0"), False),
    (old_token(sources=b"\0\x77"), False),
    (old_token()[:30], False),
    ("what any client liked to send \u00e4", False),
    ("", False),
    (None, False),
]


def test_events_of_the_second_revision_keep_what_their_slates_said(empty_database: Database) -> None:
    with empty_database.write() as session:
        connection = session.connection()
        run_revisions(connection, to="0002")
        metadata = sa.MetaData()
        metadata.reflect(connection, only=["papers", "users", "events"])
        tables = metadata.tables
        lists: dict[str, list[str]] = {"authors": [], "categories": [], "keywords": []}
        connection.execute(sa.insert(tables["papers"]), {**_needed(tables["papers"]), **lists, "paper_id": 9})
        connection.execute(sa.insert(tables["users"]), {**_needed(tables["users"]), "user_id": 1})
        event = _needed(tables["events"]) | {"user_id": 1, "paper_id": 9, "position": 4}
        rows = [
            event | {"event_pk": at, "event_id": str(at), "slate": slate} for at, (slate, _) in enumerate(TOKENS, 1)
        ]
        connection.execute(sa.insert(tables["events"]), rows)
    assert upgrade(empty_database)
    facts = (Event.slate_id, Event.slate_position, Event.slate_source, Event.slate_version)
    unknown = (Event.propensity, Event.slate_variant, Event.raw_occurred_at, Event.raw_sent_at)
    with empty_database.read() as session:
        kept = session.execute(sa.select(*facts).order_by(Event.event_pk)).all()
        rest = session.execute(sa.select(*unknown, Event.position).distinct()).all()
    expected = (b"slate id".hex(), 22, 1, "v2026-1")
    assert [tuple(row) for row in kept] == [expected if is_read else (None,) * 4 for _, is_read in TOKENS]
    assert rest == [(None, None, None, None, 4)]


def _needed(table: sa.Table) -> dict[str, object]:
    return {column.name: column.type.python_type() for column in table.columns if not column.nullable}


def test_a_second_upgrade_changes_nothing(empty_database: Database) -> None:
    upgrade(empty_database)
    assert not upgrade(empty_database)


def test_upgrades_at_the_same_time_give_one_upgrade(empty_database: Database) -> None:
    databases = [Database(empty_database.engine.url.render_as_string(hide_password=False)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(upgrade, databases))
    for db in databases:
        db.engine.dispose()
    assert sorted(changed) == [False, False, False, True]


def test_a_database_that_another_process_is_about_to_write_is_opened_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE first (x INTEGER)")
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.3, other.execute, ("COMMIT",))
        end.start()
        db = Database(f"sqlite:///{path}")
        try:
            assert upgrade(db)
        finally:
            end.join()
            db.engine.dispose()


@pytest.fixture
def old_database(postgres_url: str) -> Iterator[Database]:
    """Return a PostgreSQL database from before large tables changed."""
    db = Database(postgres_url)
    with db.write() as session:
        run_revisions(session.connection(), to="0004")
    yield db
    db.engine.dispose()


def wait_for_lock(db: Database) -> None:
    """Return when somebody waits for a lock."""
    until = time.monotonic() + 20
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert time.monotonic() < until
            time.sleep(0.02)


def read_papers(db: Database) -> None:
    """Read the papers; raises OperationalError when somebody does not let us for a while."""
    with db.read() as session:
        session.execute(sa.text("SET LOCAL lock_timeout = '3s'"))
        session.execute(sa.text("SELECT count(*) FROM papers"))


def test_papers_can_be_read_while_an_index_is_built_and_done_revisions_stay_done(old_database: Database) -> None:
    with ThreadPoolExecutor(1) as pool:
        with old_database.write() as busy:
            busy.execute(sa.text("LOCK TABLE events IN ROW EXCLUSIVE MODE"))  # as a writer does
            changed = pool.submit(upgrade, old_database)
            wait_for_lock(old_database)
            read_papers(old_database)
            with old_database.engine.connect() as connection:
                assert current_revision(connection) == "0007"
        assert changed.result(30)


def test_a_revision_that_waits_for_a_table_lets_readers_pass_and_asks_again(
    old_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(migrate, "LOCK_PAUSE_SECONDS", 0.1)
    with ThreadPoolExecutor(1) as pool:
        with old_database.read() as slow:
            slow.execute(sa.text("SELECT count(*) FROM papers"))
            changed = pool.submit(upgrade, old_database)
            wait_for_lock(old_database)
            read_papers(old_database)
            wait_for_lock(old_database)
        assert changed.result(30)


def test_an_upgrade_that_was_broken_off_between_its_indexes_is_done_again(old_database: Database) -> None:
    with old_database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ALTER TABLE papers ADD COLUMN version INTEGER, ADD COLUMN doi VARCHAR(200)"))
        connection.execute(sa.text("INSERT INTO service_state SELECT n::text, '{}', 0 FROM generate_series(1, 2) n"))
        with pytest.raises(sa.exc.IntegrityError):  # what a killed builder leaves behind: an index that is not whole
            connection.execute(sa.text("CREATE UNIQUE INDEX CONCURRENTLY ix_papers_doi ON service_state (updated_at)"))
    assert upgrade(old_database)
    inspector = sa.inspect(old_database.engine)
    assert {"ix_papers_doi", "ix_papers_listed", "ix_papers_unlisted"} <= {
        index["name"] for index in inspector.get_indexes("papers")
    }


def test_a_database_of_a_newer_version_is_refused(empty_database: Database) -> None:
    upgrade(empty_database)
    with empty_database.write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="newer version"):
        upgrade(empty_database)


def test_a_failed_upgrade_leaves_nothing_behind(empty_database: Database) -> None:
    with empty_database.write() as session:
        session.execute(sa.text("CREATE TABLE warm_chunks (x INTEGER)"))  # in the way of the first revision
    with pytest.raises(sa.exc.SQLAlchemyError):
        upgrade(empty_database)
    assert sa.inspect(empty_database.engine).get_table_names() == ["warm_chunks"]


def test_the_newest_revision_is_the_one_named_in_the_code() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_libraries_of_the_eighth_revision_learn_when_a_save_changed_them(empty_database: Database) -> None:
    upgrade(empty_database)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with empty_database.write() as session:
        connection = session.connection()
        config.attributes["connection"] = connection
        command.downgrade(config, "0008")
        metadata = sa.MetaData()
        metadata.reflect(connection, only=["papers", "users", "library", "collections"])
        tables = metadata.tables
        lists: dict[str, list[str]] = {"authors": [], "categories": [], "keywords": []}
        connection.execute(sa.insert(tables["papers"]), {**_needed(tables["papers"]), **lists, "paper_id": 9})
        for number, is_library in ((1, True), (2, False)):
            reader = {"user_id": number, "external_id": str(number)}
            connection.execute(sa.insert(tables["users"]), {**_needed(tables["users"]), **reader})
            row = {
                "collection_id": number,
                "user_id": number,
                "public_id": str(number),
                "is_library": is_library,
                "updated_at": 5,
            }
            connection.execute(sa.insert(tables["collections"]), {**_needed(tables["collections"]), **row})
            saved = {"user_id": number, "paper_id": 9, "changed_at": 8}
            connection.execute(sa.insert(tables["library"]), {**_needed(tables["library"]), **saved})
    assert upgrade(empty_database)
    with empty_database.read() as session:
        times = session.execute(sa.text("SELECT user_id, updated_at FROM collections ORDER BY user_id")).all()
    assert [tuple(row) for row in times] == [(1, 8), (2, 5)]
