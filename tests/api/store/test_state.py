"""Small facts by name."""

from datetime import UTC, datetime

from api.store.engine import Database
from api.store.state import delete_state, read_state, write_state

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_last_word_under_a_name_is_kept(database: Database) -> None:
    with database.write() as session:
        write_state(session, "first", {"stage": 1}, now=NOW)
        write_state(session, "second", {"stage": 7}, now=NOW)
    with database.write() as session:
        write_state(session, "first", {"stage": 2}, now=NOW)
    with database.read() as session:
        assert read_state(session, "first") == {"stage": 2}
        assert read_state(session, "second") == {"stage": 7}


def test_a_forgotten_name_says_nothing(database: Database) -> None:
    with database.write() as session:
        write_state(session, "first", {}, now=NOW)
        delete_state(session, "first")
        assert read_state(session, "first") is None
