"""All rows of a reader as one document: nothing of theirs missing, nothing of anybody else, nothing secret."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from api.services.exporting import export_reader
from api.store.engine import Database
from api.store.own_rows import SECRETS
from api.store.tables_comments import Comment
from tests.api.filled_tables import add_paper, fill_tables, reader_tables

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALICE, ALICES_PHONE, BEN = 7_770_000, 7_880_000, 1_000


@pytest.fixture
def world(database: Database) -> Database:
    """Return a database in which two readers have a row in every table."""
    with database.write() as session:
        add_paper(session)
        fill_tables(session, name="account:alice", number=ALICE, mail="alice@papers.test")
        fill_tables(session, name="anon:alice", number=ALICES_PHONE, mail="alice@papers.test", merged_into=ALICE)
        fill_tables(session, name="account:ben", number=BEN, mail="ben@papers.test")
    return database


def export(database: Database, user_id: int | None) -> tuple[dict[str, list[dict[str, Any]]], str]:
    text = b"".join(export_reader(database.read, user_id, now=NOW)).decode()
    return json.loads(text)["tables"], text


def test_every_table_of_the_reader_is_in_the_document(world: Database) -> None:
    tables, _ = export(world, ALICE)
    assert tables.keys() == {table.name for table in reader_tables()}
    assert len(tables["events"]) == len(tables["users"]) == 2  # what they were before they signed in, too
    assert tables["events"][0]["paper"] == "2512.00077"


def test_nothing_of_anybody_else_is(world: Database) -> None:
    with world.write() as session:
        parent = session.scalars(sa.select(Comment.comment_id).where(Comment.user_id == ALICE)).one()
        session.execute(sa.update(Comment).where(Comment.user_id == BEN).values(parent_id=parent))
        session.execute(sa.update(Comment).where(Comment.user_id == ALICE).values(hidden_by="moderator ben"))
    _, text = export(world, ALICE)
    assert "alice" in text
    assert "ben" not in text


def test_no_secret_and_no_hash_of_one_is(world: Database) -> None:
    tables, _ = export(world, ALICE)
    names = {(table, name) for table, rows in tables.items() for row in rows for name in row}
    assert not {name for _, name in names} & SECRETS
    suspicious = {
        f"{table}.{name}" for table, name in names if any(part in name for part in ("secret", "hash", "token"))
    }
    assert suspicious <= {"tokens.token_id"}
    assert {"text", "html", "headers"}.isdisjoint(tables["mails"][0])  # links that sign in


def test_somebody_whom_nobody_knows_has_an_empty_document(world: Database) -> None:
    assert export(world, None)[0] == export(world, 424_242)[0] == {}
