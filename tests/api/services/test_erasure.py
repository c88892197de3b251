"""Erasing a reader: nothing of them is left in any table, on both databases, and everybody else keeps everything."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Gone, NotFound
from api.services import auditing, tidying
from api.services.erasure import SWEEP_AFTER, drop_files, drop_keys, erase_reader, find_reader, sweep_erased
from api.services.merging import merge_reader
from api.store import erasing, users, wants
from api.store.engine import Database
from api.store.every_table import every_table, reader_columns
from api.store.feed_cache import decided_key, feed_key, hidden_key
from api.store.feeds import FeedStore
from api.store.tables import Event, ModelVersion, User
from api.store.tables_accounts import Account, AuditLine, Erasure, SiteSession
from api.store.tables_comments import Comment
from tests.api.filled_tables import NAMED, NOBODYS, add_paper, dump, fill_tables, reader_tables

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALICE, ALICES_PHONE = 7_770_000, 7_880_000  # such numbers stand in no other row
BEN, BENS_PHONE = 1_000, 2_000
SOUNDS_LIKE_SOMEBODY = re.compile(r"user|reader|mail|recipient|owner|person|actor|(^|_)by$|author|^name|account")


@pytest.fixture
def world(database: Database) -> Database:
    """Return a database in which two readers, and the anonymous ones they were, have a row in every table."""
    with database.write() as session:
        add_paper(session)
        fill_tables(session, name="account:alice", number=ALICE, mail="alice@papers.test")
        fill_tables(session, name="anon:alice", number=ALICES_PHONE, mail="alice@papers.test", merged_into=ALICE)
        fill_tables(session, name="account:ben", number=BEN, mail="ben@papers.test")
        fill_tables(session, name="anon:ben", number=BENS_PHONE, mail="ben@papers.test", merged_into=BEN)
    return database


def _leaks(rows: dict[str, list[str]]) -> list[str]:
    """Rows that say anything of Alice, her numbers in what remembers erased readers aside."""
    pattern = re.compile(r"alice|777\d{4}|788\d{4}")
    return [f"{table}: {row}" for table, found in rows.items() for row in found if pattern.search(row)]


def test_every_table_with_a_reader_has_rows_in_this_test(world: Database) -> None:
    with world.read() as session:
        filled = {table.name for table in reader_tables() if session.execute(sa.select(table)).first() is not None}
    referring = {table.name for table in every_table() if list(reader_columns(table))}
    assert referring | NAMED.keys() | {"users"} <= filled


def test_every_column_that_sounds_like_somebody_is_accounted_for() -> None:
    tables = {table.name for table in reader_tables()}
    found = {
        (table.name, column.name)
        for table in every_table()
        for column in table.columns
        if SOUNDS_LIKE_SOMEBODY.search(column.name) and table.name not in tables
    }
    assert found <= NOBODYS, (
        "does this column name a reader? Then erasing must reach it: NAMED in tests/api/filled_tables.py"
    )


def test_nothing_of_an_erased_reader_is_left_in_any_table(world: Database) -> None:
    with world.read() as session:
        before = dump(session)
    assert _leaks(before)
    with world.write() as session:
        erase_reader(session, ALICE, by="reader", now=NOW)
    with world.read() as session:
        after = dump(session)
    remembered = after.pop("erasures")
    assert _leaks(after) == []
    assert len(remembered) == 2
    assert all("alice" not in row for row in remembered)
    for changed in ("audit_log", "papers"):  # a paper says that its comments changed
        del before[changed], after[changed]
    del before["erasures"]
    kept = {table: [row for row in rows if not _leaks({table: [row]})] for table, rows in before.items()}
    assert after == kept  # everybody else's rows are as they were


def test_a_line_without_identity_stays_and_counts_what_went(world: Database) -> None:
    with world.write() as session:
        erased = erase_reader(session, ALICE, by="reader", now=NOW)
        [line] = session.scalars(sa.select(AuditLine))
        assert (line.action, line.by, line.at) == ("reader erased", "reader", NOW)
        assert line.facts == {"readers": 2, **erased.rows}
        assert all(isinstance(count, int) for count in line.facts.values())
    assert erased.rows["events"] == 2
    assert {table.name for table in reader_tables()} - erased.rows.keys() - {
        # what hangs on another row went with it, and is counted with that
        *("users", "collection_items", "identities", "mailed_papers", "sessions"),
    } == set()
    assert set(erased.user_ids) == {ALICE, ALICES_PHONE}


def test_a_reader_who_is_not_there_cannot_be_erased_and_leaves_no_line(world: Database) -> None:
    with pytest.raises(NotFound), world.write() as session:
        erase_reader(session, 424_242, by="operator", now=NOW)
    with pytest.raises(NotFound), world.write() as session:
        find_reader(session, "nobody")
    with world.read() as session:
        assert session.scalars(sa.select(AuditLine)).all() == []


def test_erasing_twice_is_an_error_the_second_time(world: Database) -> None:
    with world.write() as session:
        erase_reader(session, ALICE, by="reader", now=NOW)
    with pytest.raises(NotFound), world.write() as session:
        erase_reader(session, ALICE, by="reader", now=NOW)


def test_an_anonymous_reader_can_be_erased_alone(world: Database) -> None:
    with world.write() as session:
        erase_reader(session, BENS_PHONE, by="reader", now=NOW)
        assert session.get(User, BENS_PHONE) is None
        assert session.get(User, BEN) is not None


def test_nobody_is_made_again_under_the_random_name_of_an_erased_reader(world: Database) -> None:
    with world.write() as session:
        erase_reader(session, ALICE, by="reader", now=NOW)
    for name in ("account:alice", "anon:alice"):
        with pytest.raises(Gone), world.write() as session:
            users.ensure_users(session, [name, "somebody else"], now=NOW)
    with world.write() as session:
        with pytest.raises(Gone):
            merge_reader(session, "anon:alice", external_user="account:ben", now=NOW)
        assert users.find_user_id(session, "somebody else") is None


def test_a_name_that_an_operator_gave_may_be_given_again(database: Database) -> None:
    with database.write() as session:
        first = users.ensure_users(session, ["ada"], now=NOW)[0]["ada"]
        erase_reader(session, first, by="operator", now=NOW)
        again = users.ensure_users(session, ["ada"], now=NOW)[0]["ada"]
        assert again != first  # nothing that still bears the number is hers
        assert erasing.erased_among(session, {"ada"}) == set()


def test_the_comments_a_moderator_hid_stay_hidden_without_their_name(world: Database) -> None:
    with world.write() as session:
        name = session.scalars(sa.select(Account.display_name).where(Account.user_id == ALICE)).one()
        session.execute(sa.update(Comment).where(Comment.user_id == BEN).values(hidden_at=NOW, hidden_by=name))
        erase_reader(session, ALICE, by="reader", now=NOW)
        comment = session.scalars(sa.select(Comment).where(Comment.user_id == BEN)).one()
        assert (comment.hidden_at, comment.hidden_by) == (NOW, None)


def test_what_answers_a_comment_of_an_erased_reader_stays(world: Database) -> None:
    with world.write() as session:
        parent = session.scalars(sa.select(Comment.comment_id).where(Comment.user_id == ALICE)).one()
        session.execute(sa.update(Comment).where(Comment.user_id == BEN).values(parent_id=parent))
        erase_reader(session, ALICE, by="reader", now=NOW)
        assert session.scalars(sa.select(Comment.parent_id).where(Comment.user_id == BEN)).one() is None


@pytest.fixture
def feeds(redis_url: str) -> Iterator[FeedStore]:
    """Return the lists of a cache."""
    store = FeedStore(redis_url, ttl_days=1)
    yield store
    store.close()


def _set_keys(feeds: FeedStore, user_id: int) -> set[bytes | str]:
    for key in (feed_key("v1", user_id), feed_key("v2", user_id), hidden_key(user_id), decided_key(user_id)):
        feeds._client.set(key, b"x")
    return set(feeds._client.scan_iter())


def _add_versions(session: Session) -> None:
    for version in ("v1", "v2"):
        values: dict[str, object] = {"created_at": NOW, "config": {}, "figures": {}, "fingerprint": ""}
        session.execute(sa.insert(ModelVersion), [values | {"version": version}])


def test_no_key_of_an_erased_reader_is_left_in_the_cache(world: Database, feeds: FeedStore) -> None:
    kept = _set_keys(feeds, BEN)
    _set_keys(feeds, ALICE)
    _set_keys(feeds, ALICES_PHONE)
    with world.write() as session:
        _add_versions(session)
        erased = erase_reader(session, ALICE, by="reader", now=NOW)
    assert drop_keys(feeds, erased)
    assert set(feeds._client.scan_iter()) == kept


def test_a_list_that_was_being_built_meanwhile_goes_later(world: Database, feeds: FeedStore) -> None:
    with world.write() as session:
        _add_versions(session)
        erase_reader(session, ALICE, by="reader", now=NOW)
        _set_keys(feeds, ALICE)
        assert sweep_erased(session, feeds, now=NOW + SWEEP_AFTER) == 0  # it may still be on its way
        assert sweep_erased(session, feeds, now=NOW + 2 * SWEEP_AFTER) == 2
        assert list(feeds._client.scan_iter()) == []
        assert sweep_erased(session, feeds, now=NOW + 3 * SWEEP_AFTER) == 0


def test_a_cache_that_is_away_is_swept_when_it_is_back(world: Database, tmp_path: Path, feeds: FeedStore) -> None:
    away = FeedStore(f"unix://{tmp_path}/nobody.sock", ttl_days=1)
    with world.write() as session:
        erased = erase_reader(session, ALICE, by="reader", now=NOW)
        assert not drop_keys(away, erased)
        assert sweep_erased(session, away, now=NOW + 2 * SWEEP_AFTER) == 0
        assert sweep_erased(session, feeds, now=NOW + 2 * SWEEP_AFTER) == 2
    away.close()


def test_the_mails_in_the_folder_go_too(world: Database, tmp_path: Path) -> None:
    with world.write() as session:
        others = {f"x-{BEN}.eml", "notes.txt"}
        erased = erase_reader(session, ALICE, by="reader", now=NOW)
    assert len(erased.mail_files) == 2
    folder = tmp_path / "mails"
    folder.mkdir()
    for name in {*others, *erased.mail_files[:1]}:  # one was never written
        (folder / name).touch()
    assert drop_files(folder, erased)
    assert {path.name for path in folder.iterdir()} == others


def test_accounts_are_tidied_and_erased_names_forgotten_when_nothing_can_come_any_more(
    world: Database, feeds: FeedStore
) -> None:
    with world.write() as session:
        session.execute(sa.update(SiteSession).values(expires_at=NOW + timedelta(days=400)))
        wants.insert_fetches(session, ["2401.00001"], now=NOW, asked_before=NOW)
        erase_reader(session, ALICE, by="reader", now=NOW)
        first = tidying.tidy_accounts(session, feeds, cookie_days=100, now=NOW + timedelta(days=1))
        assert (first.sessions, first.swept, first.forgotten, first.unwanted) == (0, 2, 0, 0)
        assert first.links == 2  # Ben's, long over
        later = tidying.tidy_accounts(session, feeds, cookie_days=100, now=NOW + timedelta(days=201))
        assert (later.forgotten, later.unwanted) == (2, 1)
        assert session.scalars(sa.select(Erasure)).all() == []
        assert tidying.tidy_accounts(session, feeds, cookie_days=100, now=NOW + timedelta(days=401)).sessions == 1


def test_the_audit_log_is_read_in_pages_newest_first(database: Database) -> None:
    with database.write() as session:
        for count in range(3):
            auditing.note_audit(session, "reader erased", by="command", facts={"readers": count}, now=NOW)
        page, following = auditing.list_audit(session, limit=2)
        rest, end = auditing.list_audit(session, limit=2, before=following)
    assert [line.facts["readers"] for line in (*page, *rest)] == [2, 1, 0]
    assert end is None


@pytest.mark.parametrize("action", ["", "x" * 41])
def test_an_audit_line_names_what_was_done(sqlite_database: Database, action: str) -> None:
    with pytest.raises(ValueError, match="an action"), sqlite_database.write() as session:
        auditing.note_audit(session, action, by="reader", facts={}, now=NOW)


def test_what_others_did_counts_on(world: Database) -> None:
    with world.write() as session:
        erase_reader(session, ALICE, by="reader", now=NOW)
        assert session.scalars(sa.select(Event.user_id).order_by(Event.user_id)).all() == [BEN, BENS_PHONE]
