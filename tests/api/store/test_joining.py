"""What an anonymous reader owned becomes the account's, in every table, and nothing of the account is lost."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from api.services.merging import merge_reader
from api.store.engine import Database
from api.store.every_table import every_table, reader_columns
from api.store.tables import User
from api.store.tables_collections import CollectionItem, PaperCollection
from api.store.tables_shelf import LibraryTag
from api.store.tables_tastes import ReaderTaste
from tests.api.filled_tables import OF_ACCOUNTS, PAPER_ID, add_paper, fill_tables

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANONYMOUS, ACCOUNT = 2_000, 1_000
# What somebody signs in with is never an anonymous reader's; the merge itself refers to both.
APART = OF_ACCOUNTS | {"merges", "tokens", "users"}


@pytest.fixture
def world(database: Database) -> Database:
    """Return a database in which an anonymous reader has a row in every table, and an account has none."""
    with database.write() as session:
        add_paper(session)
        fill_tables(session, name="anon:one", number=ANONYMOUS, mail="one@papers.test", merged_into=ANONYMOUS)
        session.execute(sa.delete(next(table for table in every_table() if table.name == "merges")))
        user = {"user_id": ACCOUNT, "external_id": "account:one", "created_at": NOW}
        session.execute(sa.insert(User), [user])
        session.execute(sa.update(User).where(User.user_id == ANONYMOUS).values(interests={"topics": ["cs.LG"]}))
        session.execute(sa.update(ReaderTaste).values(muted={"terms": ["quantum"]}, silent=[]))
    return database


def merge(database: Database) -> None:
    with database.write() as session:
        merge_reader(session, "anon:one", external_user="account:one", now=NOW)


def owners(database: Database) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    with database.read() as session:
        for table in every_table():
            for column in reader_columns(table):
                found.setdefault(table.name, set()).update(session.scalars(sa.select(column)))
    return {name: rows for name, rows in found.items() if name not in APART}


def test_everything_in_every_table_becomes_the_accounts(world: Database) -> None:
    assert set().union(*owners(world).values()) == {ANONYMOUS}
    merge(world)
    assert owners(world) == {name: {ACCOUNT} for name in owners(world)}


def test_merging_again_changes_nothing(world: Database) -> None:
    merge(world)
    before = owners(world)
    merge(world)
    assert owners(world) == before


def test_where_the_account_has_its_own_its_own_counts(world: Database) -> None:
    with world.write() as session:
        for table in (LibraryTag, ReaderTaste):
            row = dict(session.execute(sa.select(table.__table__)).mappings().one())
            session.execute(sa.insert(table), [row | {"user_id": ACCOUNT}])
        session.execute(
            sa.update(ReaderTaste).where(ReaderTaste.user_id == ACCOUNT).values(muted={"terms": ["blockchain"]})
        )
        session.execute(sa.update(User).where(User.user_id == ACCOUNT).values(interests={"topics": ["cs.IR"]}))
    merge(world)
    with world.read() as session:
        tags = session.scalars(sa.select(LibraryTag.user_id)).all()
        assert sorted(tags) == [ACCOUNT, ANONYMOUS]  # the same tag on the same paper: one of the two counts
        taste = session.get(ReaderTaste, ACCOUNT)
        assert taste is not None
        assert taste.muted == {"terms": ["blockchain", "quantum"]}
        account = session.get(User, ACCOUNT)
        assert account is not None
        assert account.interests == {"topics": ["cs.IR", "cs.LG"]}


def test_papers_of_a_collection_join_the_one_of_the_same_title(world: Database) -> None:
    with world.write() as session:
        row = dict(session.execute(sa.select(PaperCollection.__table__)).mappings().one())
        others = {"collection_id": 9_999, "user_id": ACCOUNT, "public_id": "another"}
        session.execute(sa.insert(PaperCollection), [row | others])
    merge(world)
    with world.read() as session:
        found = session.execute(sa.select(CollectionItem.collection_id, CollectionItem.paper_id)).all()
    assert [tuple(one) for one in found] == [(9_999, PAPER_ID)]
